"""Windows: where they lie, and a file of them that reads like a plain array."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurokit_fm import Channels, Events, Info, Recording, TimeSeries
from neurokit_fm.data.buffers import BufferRing
from neurokit_fm.data.store import open_recording, verify
from neurokit_fm.data.store_windows import WindowStore, save_windows
from neurokit_fm.errors import DataError, StoreError
from neurokit_fm.windows import event_windows, fixed_windows


def series(n, breaks=(), sfreq=10.0, start=0.0):
    data = np.arange(n, dtype=np.float32)[None]
    return TimeSeries(data=data, sfreq=sfreq, channels=Channels.of(["a"]), breaks=tuple(breaks), start=start)


@given(
    n=st.integers(1, 200),
    breaks=st.sets(st.integers(1, 199)),
    window=st.integers(1, 40),
    hop=st.integers(1, 50),
    shortest=st.integers(1, 40),
)
def test_no_window_crosses_a_break(n, breaks, window, hop, shortest):
    x = series(n, sorted(b for b in breaks if b < n))
    shortest = min(shortest, window)
    bounds = fixed_windows(x, window / 10, hop / 10, shortest / 10)
    assert bounds.dtype == np.int64
    assert bounds.shape[1:] == (2,)
    for start, stop in bounds:
        assert any(first <= start < stop <= last for first, last in x.runs())
    for first, last in x.runs():
        inside = bounds[(bounds[:, 0] >= first) & (bounds[:, 1] <= last)]
        if last - first >= window:
            assert len(inside) == 1 + (last - first - window) // hop
            assert (inside[:, 1] - inside[:, 0] == window).all()
            assert (np.diff(inside[:, 0]) == hop).all()
        elif last - first >= shortest:
            assert inside.tolist() == [[first, last]]
        else:
            assert len(inside) == 0


def test_short_runs_give_nothing_unless_asked_for():
    assert fixed_windows(series(10, [4]), 0.5).tolist() == [[4, 9]]
    assert fixed_windows(series(10, [4]), 0.5, min_s=0.3).tolist() == [[0, 4], [4, 9]]
    assert fixed_windows(series(3), 0.5).shape == (0, 2)


@pytest.mark.parametrize(
    ("lengths", "match"),
    [
        ((0.0,), r"window_s must be at least one sample \(0.1 s at 10 Hz\); got 0 s"),
        ((float("nan"),), "window_s must be at least one sample"),
        ((1.0, -1.0), "hop_s must be at least one sample"),
        ((1.0, 1.0, 2.0), "min_s must be at most window_s=1 s; got 2 s"),
    ],
)
def test_impossible_lengths_are_refused(lengths, match):
    with pytest.raises(DataError, match=match):
        fixed_windows(series(100), *lengths)


def test_event_windows_keep_the_events_that_fit():
    x = series(100, [50], start=1.0)
    onsets = [1.0, 1.2, 3.0, 5.85, 7.0, 10.9]
    recording = Recording(signals={"eeg": x}, events=Events.of(onsets, ["a", "a", "b", "a", "a", "b"]))
    bounds, events = event_windows(recording, "eeg", ["a", "b"], -0.1, 0.3)
    assert bounds.tolist() == [[1, 5], [19, 23], [59, 63]]  # 1.0 starts too early, 5.85 crosses, 10.9 ends too late
    assert events.onset.tolist() == [1.2, 3.0, 7.0]
    assert events.label == ("a", "b", "a")
    bounds, events = event_windows(recording, "eeg", "b", 0.0, 0.2)
    assert bounds.tolist() == [[20, 22]]
    start, stop = bounds[0]
    assert np.array_equal(x.read(start, stop), x.crop(3.0, 3.2).read())
    with pytest.raises(DataError, match="no events labelled c; it has a, b"):
        event_windows(recording, "eeg", "c", 0, 1)
    with pytest.raises(DataError, match="stop_s - start_s must be at least one sample"):
        event_windows(recording, "eeg", "a", 1, 1)


N, C, T = 37, 3, 16
CHANNELS = Channels.of(["a", "b", "c"])


@pytest.fixture(params=["float32", "int16", "int16-offset"])
def stored(request, tmp_path):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(N, C, T)) * [[1e-5], [1.0], [1e-13]]).astype(np.float32)
    if request.param == "int16-offset":
        values[:, 1] += 100
    columns = {"label": np.array(["left", "right"] * N)[:N], "start_s": np.arange(N) / 4}
    dtype = request.param.partition("-")[0]
    count = save_windows(
        tmp_path / "w.h5",
        iter(values),
        sfreq=4.0,
        channels=CHANNELS,
        dtype=dtype,
        columns=columns,
        info=Info(licence="CC0", steps=("cut",)),
    )
    assert count == N
    return tmp_path / "w.h5", values


def close(a, b, values):
    """Equal, or within half a step of int16 and float32 rounding of the largest value."""
    peak = np.abs(values).max(axis=(0, 2))[:, None]
    return (np.abs(a - b) <= peak * (0.5 / 32767 + 3e-7)).all()


def test_a_window_store_reads_what_was_written(stored):
    path, values = stored
    store = WindowStore(path, verify=True)
    assert store.shape == (N, C, T)
    assert len(store) == N
    assert store.channels == CHANNELS
    assert store.sfreq == 4
    assert store.modality == "eeg"
    assert store.columns["label"][:2].tolist() == ["left", "right"]
    assert store.info == Info(licence="CC0", steps=("cut",))
    everything = store.read(np.arange(N))
    assert everything.dtype == np.float32
    assert np.array_equal(everything, values) if store._scale is None else close(everything, values, values)
    for indices in ([5], [], [3, 3, 0], np.random.default_rng(1).permutation(N)):
        assert np.array_equal(store.read(indices), everything[np.asarray(indices, dtype=int)])
    out = np.full((10, C, T), np.nan, np.float32)
    part = store.read([4, 1], out)
    assert np.shares_memory(part, out)
    assert np.array_equal(part, everything[[4, 1]])
    assert np.isnan(out[2:]).all()
    again = pickle.loads(pickle.dumps(store))
    assert np.array_equal(again.read([7]), everything[[7]])


def test_windows_lie_one_after_the_other_in_the_file(stored):
    path, values = stored
    with h5py.File(path) as file:
        dataset = file["windows"]
        assert dataset.chunks is None
        assert dataset.compression is None
        raw = np.fromfile(path, dataset.dtype, values.size, offset=dataset.id.get_offset())
        assert np.array_equal(raw.reshape(N, C, T), dataset[()])


def test_int16_windows_on_a_known_grid_lose_nothing(tmp_path):
    steps = np.random.default_rng(0).integers(-32767, 32768, (N, C, T))
    save_windows(tmp_path / "w.h5", (steps * 1e-7).astype(np.float32), sfreq=1, channels=CHANNELS, scale=1e-7)
    read = WindowStore(tmp_path / "w.h5").read(np.arange(N))
    assert np.array_equal(np.rint(read.astype(float) * 1e7), steps)
    with pytest.raises(StoreError, match="channels a, b, c are not multiples"):
        save_windows(tmp_path / "w.h5", [np.full((C, T), 0.5e-7)], sfreq=1, channels=CHANNELS, scale=1e-7)


def test_batches_go_once_through_all_windows(stored):
    path, _ = stored
    store = WindowStore(path)
    everything = store.read(np.arange(N))
    for copy in (False, True):
        seen = []
        for indices, values in store.batches(8, rng=np.random.default_rng(3), copy=copy):
            assert np.array_equal(values, everything[indices])
            seen.extend(indices.tolist())
        assert sorted(seen) == list(range(N))
        assert seen != sorted(seen)
    assert [len(indices) for indices, _ in store.batches(8)] == [8, 8, 8, 8, 5]
    assert [indices.tolist() for indices, _ in store.batches(2, order=[5, 1, 2])] == [[5, 1], [2]]
    assert list(store.batches(2, order=[])) == []


def test_a_batch_is_valid_until_ring_batches_later(stored):
    path, _ = stored
    store = WindowStore(path)
    everything = store.read(np.arange(N))
    for ring in (1, 2, 3):
        held = []
        for indices, values in store.batches(4, ring=ring):
            held = [*held, (indices, values)][-ring:]
            assert all(np.array_equal(v, everything[i]) for i, v in held)
    first, second, third, *_ = store.batches(4, ring=2)
    assert np.shares_memory(first[1], third[1])
    assert not np.shares_memory(first[1], second[1])
    assert not np.array_equal(first[1], everything[first[0]])  # the documented price
    kept = list(store.batches(4, copy=True))
    assert all(np.array_equal(values, everything[indices]) for indices, values in kept)


def test_the_ring_lives_on_through_epochs_and_two_loops_have_one_each(stored):
    path, _ = stored
    store = WindowStore(path)
    everything = store.read(np.arange(N))
    epochs = [[values.__array_interface__["data"][0] for _, values in store.batches(4)] for _ in range(3)]
    assert len({place for epoch in epochs for place in epoch}) == 2
    last = list(store.batches(4, order=np.arange(8)))[-1]
    next(store.batches(4, order=[9]))
    assert np.array_equal(last[1], everything[last[0]])  # one batch later it is still valid
    for (i, a), (j, b) in zip(store.batches(4), store.batches(4, order=np.arange(N)[::-1]), strict=True):
        assert np.array_equal(a, everything[i])
        assert np.array_equal(b, everything[j])


def test_a_caller_can_bring_the_buffers(stored):
    path, _ = stored
    store = WindowStore(path)
    buffers = [np.zeros((8, C, T), np.float32) for _ in range(3)]
    for _, values in store.batches(8, ring=BufferRing(buffers)):
        assert any(np.shares_memory(values, buffer) for buffer in buffers)
    with pytest.raises(DataError, match=r"out must be C-contiguous float32 of at least \(8, 3, 16\)"):
        next(store.batches(8, ring=BufferRing([np.zeros((4, C, T), np.float32)])))
    with pytest.raises(DataError, match="at least one buffer"):
        BufferRing([])


def test_wrong_requests_are_refused(stored):
    store = WindowStore(stored[0])
    for indices in ([N], [-1], [[1]]):
        with pytest.raises(IndexError, match=r"w.h5 has windows 0 to 36; asked for"):
            store.read(indices)
    for out in (np.zeros((2, C, T)), np.zeros((1, C, T), np.float32), np.zeros((2, T, C), np.float32).swapaxes(1, 2)):
        with pytest.raises(DataError, match="out must be"):
            store.read([0, 1], out)
    with pytest.raises(DataError, match="batch_size and ring must be at least 1"):
        store.batches(0)


@pytest.mark.parametrize(
    ("blocks", "more", "error", "match"),
    [
        (
            [np.zeros((C, T)), np.zeros((C, T + 1))],
            {},
            DataError,
            r"window 1 has shape \(3, 17\); all must be \(3, 16\)",
        ),
        ([np.zeros((C + 1, T))], {}, DataError, "window 0 has shape"),
        ([np.zeros((C, T))], {"columns": {"x": np.zeros(2)}}, DataError, "1 windows, but columns of other lengths"),
        ([np.full((C, T), np.nan)], {"dtype": "int16"}, StoreError, "channels a, b, c hold NaN"),
        ([np.zeros((C, T))], {"dtype": "int8"}, StoreError, "float32 or int16; got 'int8'"),
    ],
)
def test_windows_that_do_not_fit_leave_nothing(tmp_path, blocks, more, error, match):
    with pytest.raises(error, match=match):
        save_windows(tmp_path / "w.h5", blocks, sfreq=1, channels=CHANNELS, **more)
    assert not list(tmp_path.iterdir())


def test_no_windows_are_a_store_too(tmp_path):
    save_windows(tmp_path / "w.h5", [], sfreq=1, channels=CHANNELS, dtype="int16")
    assert len(WindowStore(tmp_path / "w.h5").read([])) == 0
    assert verify(tmp_path / "w.h5")


def test_windows_are_not_a_recording(stored):
    with pytest.raises(StoreError, match="holds 'windows', not 'recording'; open it with .*WindowStore"):
        open_recording(stored[0])


def test_int16_windows_take_half_the_room(tmp_path):
    values = np.random.default_rng(0).normal(size=(20, 16, 500)).astype(np.float32)
    sizes = []
    for dtype in ("float32", "int16"):
        save_windows(tmp_path / dtype, values, sfreq=1, channels=Channels.of([str(i) for i in range(16)]), dtype=dtype)
        sizes.append((tmp_path / dtype).stat().st_size)
    assert sizes[1] <= 0.55 * sizes[0]
