"""The engine: what accumulates, averages, recomputes and distils gives the numbers it should."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import read_config
from neurokit_fm.errors import DataError, TrainingError
from neurokit_fm.testing import fake_recording
from neurokit_fm.training import Recipe, SelfDistillation, carry_out
from neurokit_fm.training.averaging import Average
from neurokit_fm.training.crew import Alone
from neurokit_fm.training.engine import Engine
from neurokit_fm.training.guard import Guard
from neurokit_fm.training.objective import own_loss
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.recipe import TrainConfig
from neurokit_fm.training.sampling import Budget, Sampler
from neurokit_fm.training.sources import Mixture, WindowSource, endless, pools

CONTRACT = nkfm.SeriesContract(sfreq=100.0, window_s=1.0, min_window_s=1.0, clip=15.0)
RECORDINGS = [fake_recording(seed=0, n_channels=8, duration_s=10, sfreq=100.0)]
MIXED = [*RECORDINGS, fake_recording(seed=1, n_channels=5, duration_s=10, sfreq=100.0)]


class Plain(nkfm.Model):
    """A linear autoencoder of channels, with nothing random: one token a channel."""

    name, config_class, accepts = "plain", TrainConfig, (SeriesStream,)

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TrainConfig(steps=1), CONTRACT)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.down, self.up = nn.Linear(100, 8), nn.Linear(8, 100)

    def forward(self, batch: nkfm.Batch) -> nkfm.Features:
        stream = batch.the(SeriesStream)
        b, c, _ = stream.values.shape
        index = torch.zeros(b, c, 2, dtype=torch.int64)
        return nkfm.Features(
            tokens=self.down(stream.values), mask=stream.channel_mask, coords=torch.zeros(b, c, 4), index=index
        )

    def loss(self, batch: nkfm.Batch, *, generator: torch.Generator | None = None) -> nkfm.Loss:
        stream = batch.the(SeriesStream)
        error = (self.up(self.down(stream.values)) - stream.values)[stream.channel_mask].square().mean()
        return nkfm.Loss(error, {"error": error})


def mae(depth: int = 2) -> nkfm.Model:
    cls = nkfm.models.load("mae")
    size = {"width": 16, "heads": 2, "head_dim": 8, "depth": depth}
    tokenizer = {"name": "patch", "length_s": 0.5, "hop_s": 0.5}
    config = {"encoder": {"tokenizer": tokenizer, "transformer": size}, "decoder": size}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: nkfm.Model = cls(read_config(cls.config_class, config), replace(CONTRACT, frame="template"))
        return made


def source_of(model: nkfm.Model, recordings: list[nkfm.Recording], tokens: int) -> WindowSource:
    assert isinstance(model.contract, nkfm.SeriesContract)
    pool, _ = pools(model.contract, recordings, 1.0)
    return WindowSource(Sampler(pool, 100, np.random.default_rng(0)), Budget(model, "eeg", tokens))


def engine(model: nkfm.Model, recordings: list[nkfm.Recording], loss: Any = own_loss, **settings: Any) -> Engine:
    train = TrainConfig(**{"steps": 10, "batch_tokens": 24, **settings})
    source = source_of(model, recordings, train.batch_tokens)
    crew = Alone(torch.device("cpu"))
    return Engine(model, source, source.budget, train, OptimiserConfig(), lambda _: 1e-2, crew, loss)


def totals(trained: Engine, steps: int = 10) -> list[float]:
    return [step.total for step in trained.run(steps)]


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def test_accumulating_two_batches_is_the_doubled_batch() -> None:
    one, two = Plain(), Plain()
    # float32 sums in another order differ in the last bits, and the optimiser enlarges that
    single = totals(engine(one, RECORDINGS, batch_tokens=48))
    double = totals(engine(two, RECORDINGS, batch_tokens=24, accumulate=2))
    assert double == pytest.approx(single, rel=1e-5)
    for a, b in zip(weights(one), weights(two), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-5)


def test_batches_of_different_size_count_by_their_tokens() -> None:
    model = Plain()
    trained = engine(model, MIXED, batch_tokens=20, accumulate=3)
    state = trained.source.state_dict()
    batches = endless(trained.source)
    parts = [next(batches) for _ in range(3)]
    sizes = [trained.budget.count(batch) for batch in parts]
    assert len(set(sizes)) > 1
    losses = [float(model.loss(batch).total.detach()) for batch in parts]
    trained.source.load_state_dict(dict(state))
    trained.batches = endless(trained.source)
    step = next(trained.run(1))
    assert step.total == pytest.approx(np.average(losses, weights=sizes), rel=1e-6)
    assert step.tokens == sum(sizes)


def test_a_source_goes_on_where_its_state_was_taken() -> None:
    first, second = source_of(Plain(), MIXED, 24), source_of(Plain(), MIXED, 24)
    batches = iter(first)
    for _ in range(3):
        next(batches)
    state = dict(first.state_dict())
    expected = [next(batches).the(SeriesStream).values.clone() for _ in range(3)]
    second.load_state_dict(state)
    assert all(torch.equal(next(iter(second)).the(SeriesStream).values, x) for x in expected)


def test_processes_take_turns_at_the_same_batches() -> None:
    alone = iter(source_of(Plain(), MIXED, 24))
    turns = [source_of(Plain(), MIXED, 24) for _ in range(2)]
    for rank, source in enumerate(turns):
        source.rank, source.world = rank, 2
    pair = [iter(source) for source in turns]
    for _ in range(3):
        for mine in pair:
            assert torch.equal(next(mine).the(SeriesStream).values, next(alone).the(SeriesStream).values)
    assert turns[0].state_dict() == turns[1].state_dict()


def test_a_mixture_keeps_its_shares_and_its_place() -> None:
    def made() -> Mixture:
        return Mixture([source_of(Plain(), [r], 24) for r in MIXED], [1.0, 3.0], seed=0)

    mixture = made()
    batches = iter(mixture)
    channels = [next(batches).the(SeriesStream).values.shape[1] for _ in range(400)]
    assert np.mean(np.array(channels) == 5) == pytest.approx(0.75, abs=0.07)  # 3 standard errors
    state = mixture.state_dict()
    expected = [next(batches).the(SeriesStream).values.clone() for _ in range(3)]
    other = made()
    other.load_state_dict(dict(state))
    again = iter(other)
    assert all(torch.equal(next(again).the(SeriesStream).values, x) for x in expected)


def test_an_empty_source_is_an_error() -> None:
    class Empty:
        def __iter__(self) -> Any:
            return iter(())

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any], /) -> None:
            pass

    with pytest.raises(DataError, match="the data give no batch"):
        next(endless(Empty()))


def test_the_average_follows_its_definition_and_is_lent_to_the_model() -> None:
    model = Plain()
    average = Average(model, 0.5)
    expected = model.down.bias.detach().clone()
    for number in range(6):
        with torch.no_grad():
            model.down.bias.add_(1.0)
        average.update(model, number)
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * model.down.bias.detach()
    assert torch.allclose(average.tensors["down.bias"], expected)
    now = model.down.bias.detach().clone()
    with average.swapped(model):
        assert torch.allclose(model.down.bias, expected)
    assert torch.equal(model.down.bias, now)


def test_bf16_is_finite_and_near_float32_and_weights_stay_float32() -> None:
    model, exact = mae(), mae()
    low, high = totals(engine(model, MIXED, precision="bf16")), totals(engine(exact, MIXED))
    assert np.isfinite(low).all()
    assert low == pytest.approx(high, rel=0.03)  # bf16 keeps 8 bits, 0.4 %
    assert low != high
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own doings
def test_a_compiled_run_has_the_same_losses() -> None:
    compiled, plain = engine(mae(1), RECORDINGS, compile=True), engine(mae(1), RECORDINGS)
    assert totals(compiled, 3) == pytest.approx(totals(plain, 3), rel=1e-4)


def test_distance_to_a_teacher_is_zero_at_its_weights_and_moves_only_the_student() -> None:
    model, teacher = mae(), mae()
    loss = SelfDistillation(teacher, 1.0)
    batch = next(iter(source_of(model, MIXED, 64)))
    model.train()
    at_start = loss(model, batch, torch.Generator().manual_seed(0))
    assert float(at_start.parts["distance"].detach()) == 0.0  # exactly
    with torch.no_grad():
        model.mask_token.add_(1.0)  # type: ignore[operator]  # a parameter
        next(model.parameters()).add_(0.1)
    moved = loss(model, batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = float((model(batch).pooled() - teacher(batch).pooled()).square().sum(1).mean())
    assert float(moved.parts["distance"].detach()) == pytest.approx(expected, rel=1e-6)
    assert float(moved.total.detach()) == pytest.approx(
        float(own_loss(model, batch, torch.Generator().manual_seed(0)).total.detach()) + expected, rel=1e-6
    )
    moved.total.backward()
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert next(model.parameters()).grad is not None


def test_distillation_of_weight_zero_is_plain_pre_training_and_holds_back_otherwise() -> None:
    start, plain, zero, near = mae(), mae(), mae(), mae()
    assert totals(engine(plain, MIXED)) == totals(engine(zero, MIXED, SelfDistillation(mae(), 0.0)))
    assert all(map(torch.equal, weights(plain), weights(zero)))
    list(engine(near, MIXED, SelfDistillation(mae(), 10.0)).run(10))
    batch = next(iter(source_of(start, MIXED, 256)))
    with torch.no_grad():
        first, free, held = (m.eval()(batch).pooled() for m in (start, plain, near))
    assert float((held - first).norm()) < 0.5 * float((free - first).norm())


def test_a_diverging_gradient_stops_the_run_after_some_patience() -> None:
    guard = Guard("m", factor=100.0, patience=3)
    for number in range(30):
        guard.check(number, 1.0, 1.0 + 0.1 * (number % 3), 1e-3)
    guard.check(30, 1.0, 500.0, 1e-3)
    guard.check(31, 1.0, 1.0, 1e-3)  # one burst is no divergence
    assert guard.above == 0
    guard.check(32, 1.0, 500.0, 1e-3)
    other = Guard("m", factor=100.0, patience=3)
    other.load_state_dict(guard.state_dict())
    other.check(33, 1.0, 500.0, 1e-3)
    with pytest.raises(TrainingError, match=r"diverges at step 34 .*above 100 times its median \(1.1\) for 3 steps"):
        other.check(34, 1.0, 500.0, 1e-3)
    with pytest.raises(TrainingError, match="gradient of m is not finite .*last good loss was 1 at step 33"):
        other.check(35, 1.0, math.inf, 1e-3)


@pytest.mark.parametrize("name", ["stable-adamw", "adamw"])
@pytest.mark.parametrize("schedule", ["trapezoid", "wsd", "cosine", "rewarm-cosine", "infinite"])
def test_each_optimiser_and_schedule_resumes_exactly(name: str, schedule: str) -> None:
    from neurokit_fm.training.rates import ScheduleConfig

    rates = ScheduleConfig(name=schedule)  # type: ignore[arg-type]  # the names above

    def made() -> Engine:
        model = Plain()
        source = source_of(model, MIXED, 24)
        settings = TrainConfig(steps=8, batch_tokens=24, ema=0.9)
        return Engine(
            model, source, source.budget, settings, OptimiserConfig(name=name),  # type: ignore[arg-type]  # as above
            lambda step: rates.rate(step, lr=1e-2, steps=8), Alone(torch.device("cpu")),
        )  # fmt: skip

    whole, first, second = made(), made(), made()
    expected = list(whole.run(8))
    list(first.run(3))
    second.restore(first.checkpoint())
    assert list(second.run(8)) == expected[3:]
    assert all(map(torch.equal, weights(whole.model), weights(second.model)))
    assert whole.average is not None
    assert second.average is not None
    assert all(torch.equal(whole.average.tensors[k], v) for k, v in second.average.tensors.items())


SELF = {
    "model": {
        "name": "mae",
        "encoder": {
            "tokenizer": {"name": "patch", "length_s": 0.25, "hop_s": 0.25},
            "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
        },
        "decoder": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    },
    "contract": {"layout": "series", "sfreq": 100.0, "window_s": 0.5, "min_window_s": 0.25, "frame": "head"},
    "data": [{"dataset": "finger-movements", "split": "given"}],
    "train": {"steps": 2, "batch_tokens": 256, "device": "cpu"},
}


def test_a_recipe_probes_further_trains_and_distils(tmp_path: Path) -> None:
    probed = {"dataset": "finger-movements", "split": "given", "every": 2, "features": "pooled"}
    carry_out(Recipe.of(**SELF, out=str(tmp_path / "base"), evaluate=probed))
    log = (tmp_path / "base" / "log.jsonl").read_text()
    assert log.count('"event": "probe"') == 1
    assert '"n_test": 100' in log
    base = str(tmp_path / "base" / "model")
    card = (tmp_path / "base" / "model" / "README.md").read_text()
    assert "type: balanced_accuracy" in card
    assert '"steps": 2' in card
    on = {"data": SELF["data"], "train": SELF["train"], "init": base}
    history = carry_out(Recipe.of(**on, out=str(tmp_path / "student"), distil={"teacher": base}))
    assert history.parts["distance"][0] == 0.0
    assert history.parts["distance"][1] > 0.0
    model = nkfm.load_model(tmp_path / "student" / "model")
    assert model.load_report is not None
    assert model.load_report.fingerprint is not None
    assert str(tmp_path) not in (tmp_path / "student" / "model" / "README.md").read_text()


def test_self_pretraining_never_sees_test_trials_or_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurokit_fm.training import run

    recipe = Recipe.of(**SELF, out="unused")
    opened = []
    apply = nkfm.SeriesContract.apply

    def watch(self: nkfm.SeriesContract, recording: nkfm.Recording) -> nkfm.Recording:
        opened.append(len(recording.events))
        return apply(self, recording)

    monkeypatch.setattr(nkfm.SeriesContract, "apply", watch)
    made = run.build(recipe, Alone(torch.device("cpu")))
    assert opened == [316]  # the training trials
    known = totals(made, 2)

    def without_events(part: Any, seed: int) -> Any:
        (recording,) = nkfm.split(nkfm.datasets.load(part.dataset)(), by="given")[0]
        return [replace(recording, events=recording.events.take([]))]

    monkeypatch.setattr(run, "_recordings", without_events)
    assert totals(run.build(recipe, Alone(torch.device("cpu"))), 2) == known
