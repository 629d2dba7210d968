"""Batches of corpora: every window once, equal cost, the same after any restart."""

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neurokit_fm.corpus.shelf
from neurokit_fm import Batch, Dataset, SeriesContract, TimeSeries
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.batch.packing import first_fit_decreasing
from neurokit_fm.corpus.batches import Batches
from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.corpus.packing import Limits, Shape, bucket, pack
from neurokit_fm.corpus.plan import Plan
from neurokit_fm.corpus.prefetch import Ring
from neurokit_fm.corpus.prepare import prepare
from neurokit_fm.errors import ConfigError, DataError, StoreError
from neurokit_fm.testing import fake_recording

CONTRACT = SeriesContract(sfreq=50.0, min_sfreq=50.0, window_s=2.0, min_window_s=0.5)


def tokens_of(channels: int, samples: int) -> int:
    return channels * (samples // 25)


def make(path: Path, sizes: list[tuple[int, float]], **options) -> Corpus:
    """Prepare a corpus of made-up recordings of (channels, seconds)."""
    data = Dataset(
        name=path.name, table=[{"subject": str(i)} for i in range(len(sizes))], licence="CC0", citation="me",
        open=lambda i: fake_recording(seed=i, n_channels=sizes[i][0], duration_s=sizes[i][1], sfreq=50.0),
    )  # fmt: skip
    return prepare(data, options.pop("contract", CONTRACT), path, **options)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> tuple[Corpus, Corpus]:
    """48 windows of 2 s with 4 to 32 channels, and 30 of 1 s with 3 or 12."""
    folder = tmp_path_factory.mktemp("corpora")
    long = make(folder / "long", [(4, 24), (8, 24), (19, 24), (32, 24)])
    return long, make(folder / "short", [(3, 15), (12, 15)], window_s=1.0)


def batches(corpora, **options) -> Batches:
    return Batches(corpora, **{"batch_tokens": 256, "tokens_of": tokens_of, "seed": 0, **options})


def stream(batch: Batch):
    return batch["eeg"]


def windows_of(batch: Batch) -> list[tuple[int, int, float, float]]:
    """What tells windows apart: channels, samples, start and a sum."""
    x = stream(batch)
    sizes = zip(x.channel_mask.sum(1).tolist(), x.time_mask.sum(1).tolist(), strict=True)
    return [
        (c, t, start, round(float(values[:c, :t].double().abs().sum()), 3))
        for (c, t), start, values in zip(sizes, x.start.tolist(), x.values, strict=True)
    ]


def cost(batch: Batch) -> int:
    return sum(tokens_of(c, t) for c, t, _, _ in windows_of(batch))


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("prefetch", [True, False])
def test_an_epoch_holds_every_window_once(corpora, mixed: bool, prefetch: bool) -> None:
    loader = batches(corpora, mixed=mixed, prefetch=prefetch)
    epochs = [[w for batch in loader for w in windows_of(batch)] for _ in range(3)]
    assert all(len(epoch) == len(set(epoch)) == 78 for epoch in epochs)
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert epochs[0] != epochs[1]
    assert (loader.epoch, loader.windows) == (3, 234)
    assert loader.tokens == 3 * sum(tokens_of(c, t) for c, t, _, _ in epochs[0])
    again = [w for batch in batches(corpora, mixed=mixed, prefetch=not prefetch) for w in windows_of(batch)]
    assert again == epochs[0]
    other = [w for batch in batches(corpora, mixed=mixed, seed=1) for w in windows_of(batch)]
    assert other != epochs[0]


def test_batches_keep_the_budget_and_are_full(corpora) -> None:
    costs = [cost(batch) for batch in batches(corpora)]
    assert max(costs) <= 256
    assert sum(costs) / 256 / len(costs) > 0.75  # 78 windows, 20 batches: the end of the epoch weighs
    assert max(cost(batch) for batch in batches(corpora, mixed=False)) <= 256


def test_homogeneous_batches_hold_one_size(corpora) -> None:
    for batch in batches(corpora, mixed=False):
        assert stream(batch).channel_mask.all()
        assert stream(batch).time_mask.all()


def test_mixed_batches_equal_a_naive_collate(corpora) -> None:
    stored = {}
    for corpus in corpora:
        for shard in corpus.shards:
            store = corpus.open(shard)
            for i in range(len(store)):
                values = store.read([i])[0]
                key = (*values.shape, store.columns["start_s"][i], round(float(np.abs(values.astype(float)).sum()), 3))
                start = float(store.columns["start_s"][i])
                stored[key] = TimeSeries(data=values, sfreq=50.0, channels=store.channels, start=start)
    sizes = set()
    for batch in batches(corpora, copy=True):
        found, naive = stream(batch), collate_series([stored[key] for key in windows_of(batch)])
        sizes.add(tuple(found.channel_mask.sum(1).unique().tolist()))
        for name in vars(naive):
            mine, theirs = getattr(found, name), getattr(naive, name)
            if isinstance(mine, torch.Tensor):
                torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)
            else:
                assert mine == theirs
    assert any(len(counts) > 1 for counts in sizes)


@pytest.mark.parametrize("prefetch", [True, False])
@pytest.mark.parametrize("weights", [None, (3.0, 1.0)])
@pytest.mark.parametrize("mixed", [True, False])
def test_a_restart_gives_exactly_the_batches_that_follow(corpora, prefetch, weights, mixed) -> None:
    options = {"weights": weights, "mixed": mixed, "batch_tokens": 128, "prefetch": prefetch}

    def some(loader: Batches, n: int) -> list:
        found = []
        while len(found) < n:
            found += [windows_of(batch) for batch in islice(loader, n - len(found))]
        return found

    n_all = 260  # more than an epoch, and more than a horizon
    whole = some(batches(corpora, **options), n_all)
    loader = batches(corpora, **options)
    done: list = []
    for stop in (1, 2, 31, 32, 33, 100, 103, 200):
        done += some(loader, stop - len(done))
        state = json.loads(json.dumps(loader.state_dict()))
        loader = batches(corpora, **options)
        loader.load_state_dict(state)
        assert loader.steps == stop
    assert done + some(loader, n_all - len(done)) == whole


def test_the_state_is_what_was_consumed_not_what_was_read_ahead(corpora) -> None:
    loader = batches(corpora)
    reference = [windows_of(batch) for batch in batches(corpora)]
    for number, _ in enumerate(loader, 1):
        fresh = batches(corpora)
        fresh.load_state_dict(loader.state_dict())
        if number < len(reference):
            assert windows_of(next(iter(fresh))) == reference[number]
        if number == 5:
            break


def test_a_loop_left_early_is_taken_up(corpora) -> None:
    reference = [windows_of(batch) for batch in batches(corpora)]
    loader = batches(corpora)
    assert loader.steps_left() == len(reference)
    first = [windows_of(batch) for batch in islice(loader, 4)]
    assert loader.steps_left() == len(reference) - 4
    assert first + [windows_of(batch) for batch in loader] == reference


def test_a_newer_loop_ends_the_older(corpora) -> None:
    for prefetch in (True, False):
        loader = batches(corpora, prefetch=prefetch)
        old = iter(loader)
        next(old)
        next(iter(loader))
        with pytest.raises(DataError, match="ended by a newer one"):
            next(old)


def test_a_state_of_other_batches_is_refused(corpora) -> None:
    state = batches(corpora).state_dict()
    with pytest.raises(ConfigError, match=r"what differs: batch_tokens \(256, now 300\), world \(1, now 2\)"):
        batches(corpora, batch_tokens=300, world=2).load_state_dict(state)
    with pytest.raises(ConfigError, match="corpora"):
        batches(corpora[0]).load_state_dict(state)
    with pytest.raises(ConfigError, match="has format 2"):
        batches(corpora).load_state_dict({**state, "format": 2})


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (0.05, 0.95)])
def test_a_mixture_has_the_proportions_asked_for(corpora, weights) -> None:
    loader = batches(corpora, weights=weights)
    share = np.zeros(2)
    for batch in islice(loader, 400):
        for c, t, _, _ in windows_of(batch):
            share[0 if t == 100 else 1] += tokens_of(c, t)
    assert share / share.sum() == pytest.approx(np.array(weights) / sum(weights), abs=0.02)
    with pytest.raises(ConfigError, match="batches with weights have no end"):
        loader.steps_left()


def test_a_mixture_goes_through_each_corpus_evenly(corpora) -> None:
    seen: dict = {}
    for batch in islice(batches(corpora, weights=(1.0, 2.0)), 300):
        for window in windows_of(batch):
            seen[window] = seen.get(window, 0) + 1
    for length in (100, 50):
        counts = [n for (_, t, _, _), n in seen.items() if t == length]
        assert max(counts) - min(counts) <= 0.2 * max(counts)  # a horizon holds several rounds of so small a corpus


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("mixed", [True, False])
def test_processes_share_an_epoch_in_equal_parts(corpora, world: int, mixed: bool) -> None:
    each = [[windows_of(b) for b in batches(corpora, world=world, rank=r, mixed=mixed)] for r in range(world)]
    assert len({len(one) for one in each}) == 1
    everything = [w for one in each for batch in one for w in batch]
    assert len(everything) == len(set(everything)) == 78
    work = np.array([[sum(tokens_of(c, t) for c, t, _, _ in batch) for batch in one] for one in each])  # (world, steps)
    assert np.median(work.min(0) / work.max(0)) >= 0.9
    states = [batches(corpora, world=world, rank=r).state_dict() for r in range(world)]
    assert all(state == states[0] for state in states)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    costs=st.lists(st.integers(1, 50), min_size=5, max_size=5),
    world=st.integers(1, 4),
    mixed=st.booleans(),
    capacity=st.integers(50, 200),
)
def test_plans_lose_and_repeat_nothing(counts, costs, world, mixed, capacity) -> None:
    shapes = [Shape(cost, 10, cost) for cost in costs[: len(counts)]]
    shape_of = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    if len(shape_of) < world:
        return
    limits = Limits(capacity, 20 * capacity)
    plan = Plan(shapes, shape_of, [(0, len(shape_of))], None, limits, mixed=mixed, world=world, seed=3)
    steps = []
    for _, _, ended, step in plan.steps(plan.start()):
        steps.append(step)
        if ended:
            break
    ids = [i for step in steps for load in step for i in load.ids.tolist()]
    assert len(ids) == len(set(ids))
    assert len(shape_of) - len(ids) < world  # single windows that fill a batch each and do not go round
    assert world > 1 or len(ids) == len(shape_of)
    assert all(len(step) == world for step in steps)
    for load in (load for step in steps for load in step):
        members = [shapes[k] for k in shape_of[load.ids]]
        assert load.tokens == sum(shape.tokens for shape in members) <= capacity
        assert len(members) * max(s.channels for s in members) * max(s.samples for s in members) <= limits.values
        assert mixed or len(set(members)) == 1


def test_long_plans_give_processes_equal_work() -> None:
    rng = np.random.default_rng(0)
    shapes = [Shape(c, t * 100, c * t) for c in (4, 8, 19, 32, 64, 128) for t in (2, 4, 10, 30)]
    shape_of = rng.integers(0, len(shapes), 20_000).astype(np.int32)
    for mixed in (True, False):
        limits = Limits(8192, 2 * 8192 * 100)
        plan = Plan(shapes, shape_of, [(0, 20_000)], None, limits, mixed=mixed, world=4, seed=0)
        work = []
        for _, _, ended, step in plan.steps(plan.start()):
            work.append([load.tokens for load in step])
            if ended:
                break
        ratio = np.array([min(w) / max(w) for w in work[:-40]])
        assert ratio.min() >= 0.9
        if mixed:
            assert np.mean(work[:-40]) > 0.95 * 8192


def by_first(full, rest) -> list[list[int]]:
    return sorted(load.ids.tolist() for load in [*full, *rest])


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(0, 20), min_size=4, max_size=4), capacity=st.integers(40, 100))
def test_packing_equals_first_fit_decreasing(counts, capacity) -> None:
    shapes = [Shape(1, 1, n) for n in (40, 17, 8, 3)]
    ids = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    packed = by_first(*pack(list(zip(shapes, ids, strict=True)), Limits(capacity, 10**9)))
    lengths = [shape.tokens for shape, n in zip(shapes, counts, strict=True) for _ in range(n)]
    assert packed == sorted(first_fit_decreasing(lengths, capacity))


def test_packing_as_published() -> None:
    """The worked example of `first_fit_decreasing`, and full buckets."""
    ids = [np.array([i]) for i in range(4)]
    packed = pack(list(zip([Shape(1, 1, n) for n in (3, 5, 2, 4)], ids, strict=True)), Limits(7, 100))
    assert by_first(*packed) == [[1, 2], [3, 0]]
    full, rest = bucket([(Shape(2, 5, 3), np.arange(5))], Limits(7, 100))
    assert ([load.ids.tolist() for load in full], [load.ids.tolist() for load in rest]) == ([[0, 1], [2, 3]], [[4]])


@pytest.mark.parametrize("prefetch", [True, False])
@pytest.mark.parametrize("ring", [1, 2, 3])
def test_a_batch_is_valid_until_ring_batches_later(corpora, prefetch: bool, ring: int) -> None:
    reference = [windows_of(batch) for _ in range(1) for batch in batches(corpora, copy=True)]
    loader = batches(corpora, ring=ring, prefetch=prefetch)
    held: list = []
    for epoch in range(2):
        for number, batch in enumerate(loader):
            held = [*held, (epoch, number, batch, windows_of(batch))][-ring:]
            for e, k, old, seen in held:
                assert windows_of(old) == seen
                assert e or seen == reference[k]
    places = {stream(batch).values.data_ptr() for batch in loader}
    assert len(places) == ring + (1 if prefetch else 0)
    kept = list(batches(corpora, copy=True))
    assert [windows_of(batch) for batch in kept] == reference


def test_memory_does_not_grow_with_epochs(corpora) -> None:
    loader = batches(corpora)
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(6):
            for _ in loader:
                pass
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[2] < 20_000


def test_more_shards_than_may_be_open(corpora, monkeypatch) -> None:
    reference = [windows_of(batch) for batch in batches(corpora)]
    monkeypatch.setattr(neurokit_fm.corpus.shelf, "OPEN", 2)
    loader = batches(corpora)
    assert [windows_of(batch) for batch in loader] == reference
    assert sum(table.store._map is not None for table in loader._shelf._tables.values()) <= 2


def test_int16_corpora_read_alike(tmp_path: Path) -> None:
    one, two = (make(tmp_path / dtype, [(4, 10), (6, 10)], dtype=dtype) for dtype in ("float32", "int16"))
    for a, b in zip(batches(one), batches(two), strict=True):
        torch.testing.assert_close(stream(a).values, stream(b).values, rtol=0, atol=5e-4)  # half a step of +-10


def test_a_corrupted_shard_is_named(tmp_path: Path) -> None:
    for name, damage, match in (
        ("short", lambda p: p.write_bytes(p.read_bytes()[:3000]), "is cut short|damaged"),
        ("gone", lambda p: p.unlink(), "is gone; run `nkfm prepare` again"),
        ("other", lambda p: p.write_bytes(p.with_name(min(q.name for q in p.parent.iterdir())).read_bytes()),
         "is not the file of the manifest"),
    ):  # fmt: skip
        corpus = make(tmp_path / name, [(4, 10), (6, 10), (8, 10)])
        path = corpus.path / corpus.shards[2].file
        damage(path)
        for prefetch in (True, False):
            with pytest.raises(StoreError, match=rf"{path.stem}\.h5 .*({match})"):
                list(batches(corpus, prefetch=prefetch))


def test_a_shard_that_is_replaced_in_use_is_noticed(tmp_path: Path, monkeypatch) -> None:
    corpus = make(tmp_path / "a", [(4, 10), (6, 10)])
    loader = batches(corpus)
    list(loader)
    for table in loader._shelf._tables.values():
        table.store.unmap()
    path = corpus.path / corpus.shards[0].file
    path.write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="was replaced while it was in use"):
        list(loader)


def test_impossible_batches_are_refused(corpora, tmp_path: Path) -> None:
    import dataclasses

    other = make(tmp_path / "other", [(4, 10)], contract=dataclasses.replace(CONTRACT, sfreq=60.0, clip=9.0))
    with pytest.raises(ConfigError, match=r"different contracts \(sfreq 50.0 and 60.0, clip None and 9.0\)"):
        batches([corpora[0], other])
    with pytest.raises(
        ConfigError, match="a window of 32 channels and 100 samples has 128 tokens, a batch at most 100"
    ):
        batches(corpora, batch_tokens=100)
    with pytest.raises(ConfigError, match="weights must be one positive number a corpus"):
        batches(corpora, weights=[1.0])
    with pytest.raises(ConfigError, match="rank 2 of 2"):
        batches(corpora, rank=2, world=2)
    with pytest.raises(ConfigError, match="tokens_of gives 0 tokens to 3 channels and 50 samples"):
        batches(corpora, tokens_of=lambda c, t: 0 if c == 3 else 1)
    with pytest.raises(DataError, match="78 windows cannot be divided among 100 processes"):
        batches(corpora, world=100)
    with pytest.raises(DataError, match="at least one corpus"):
        batches([])
    with pytest.raises(DataError, match="ring must be at least 1"):
        batches(corpora, ring=0)
    with pytest.raises(FileNotFoundError, match="is not a corpus"):
        batches(tmp_path)


def test_an_error_in_the_plan_or_the_work_reaches_the_reader() -> None:
    def plans():
        yield 1
        raise ZeroDivisionError

    for ahead in (0, 2):
        ring = Ring(lambda: [0], 2, ahead)
        with pytest.raises(ZeroDivisionError):
            list(ring.run(plans(), lambda plan, buffer: plan))
        assert list(ring.run(iter([1, 2]), lambda plan, buffer: plan)) == [(1, 1), (2, 2)]
