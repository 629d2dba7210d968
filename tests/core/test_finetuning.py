"""Fine-tuning: every method learns what can be learned, only what it says is trained, and what is saved predicts the same."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.cli.main import cli
from neurokit_fm.config import read_config
from neurokit_fm.data.events import Events
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.finetuning import Epoch, FinetuneConfig, Finetuning, TaskTrainable, finetune, predict
from neurokit_fm.finetuning.adapters import add_adapters, blocks, parameter_groups
from neurokit_fm.finetuning.data import Target, hold_out, labelled_trials, mix
from neurokit_fm.probing import Protocol, evaluate

NAMES = ["Fz", "Cz", "Pz", "Oz"]
FAST = {"epochs": 6, "head_epochs": 6, "batch": 16, "lr": 3e-3, "head_lr": 1e-2, "dropout": 0.0, "rank": 4}
ADAPTERS = ("lora", "dora", "ia3", "adalora", "oft")


def small(depth: int = 2) -> nkfm.Model:
    cls = nkfm.models.load("mae")
    encoder = {
        "tokenizer": {"name": "patch", "length_s": 0.25, "hop_s": 0.25},
        "transformer": {"width": 16, "depth": depth, "heads": 2, "head_dim": 8},
    }
    contract = nkfm.SeriesContract(
        sfreq=100.0, min_sfreq=50.0, window_s=0.5, min_window_s=0.25, normalise="none", unit_scale=1e5, frame="template"
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nkfm.Model = cls(read_config(cls.config_class, {"encoder": encoder}), contract)
    return model.eval()


def data(seed: int = 0, n: int = 20, subjects: int = 3, effect: float = 4.0, target: str = "") -> nkfm.Dataset:
    """Half-second trials; the last channel is higher by `effect`, or by the speed, in one class."""

    def open_row(row: int) -> nkfm.Recording:
        rng = np.random.default_rng((seed, row))
        said = rng.permutation(["a", "b"] * (n // 2))
        speed = rng.normal(size=n) + 5
        x = 1e-5 * rng.normal(size=(n, 4, 50))
        x[:, 3] += 1e-5 * (effect * (speed - 5) if target else effect * (said == "b"))[:, None]
        both = np.empty(n, dtype=object)
        both[:] = [["x"] * (s == "b") + ["y"] * bool(i % 2) or ["z"] for i, s in enumerate(said)]
        events = Events.of(np.arange(n) * 0.5, said, 0.5, {"speed": speed, "both": both})
        return nkfm.from_array(x, sfreq=100.0, names=NAMES, events=events, subject=f"s{row}")

    table = [{"subject": f"s{row}", "part": "test" if row == subjects - 1 else "train"} for row in range(subjects)]
    return nkfm.Dataset(
        name="made-up", table=table, open=open_row, licence="CC0", citation="nobody", label_of={"a": "a", "b": "b"},
        target=target,
    )  # fmt: skip


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("two-stage", "dora", "adalora", "oft", "ia3")]


@pytest.mark.parametrize("method", ["full", "head", "lora", *SLOW])
def test_each_method_learns_and_what_is_saved_predicts_the_same(method: str, tmp_path: Path) -> None:
    if method in ADAPTERS:
        pytest.importorskip("peft")
    model, train, test = small(), data(), data(seed=1, subjects=1)
    before = {name: p.clone() for name, p in model.state_dict().items()}
    random = torch.get_rng_state()
    pool = "flat" if method == "head" else "mean"
    tuned = finetune(model, train, method, settings={**FAST, "pool": pool}, seed=0)  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert model.head is None
    said = predict(tuned, test)
    truth = np.concatenate([list(rec.events.label) for rec in test])
    assert (np.array(said.names)[said.decision.argmax(1)] == truth).mean() > 0.9
    encoder = {name: p for name, p in tuned.state_dict().items() if not name.startswith("head.")}
    assert set(encoder) == set(before)  # adapters are merged and gone
    changed = {name for name, p in encoder.items() if not torch.equal(p, before[name])}
    if method == "head":
        assert not changed
    elif method in ADAPTERS:
        assert changed
        assert all(name.startswith("encoder.") and "." + "blocks." in name for name in changed)
    else:
        assert any("tokenizer" in name for name in changed)
    tuned.save_pretrained(tmp_path / "tuned")
    again = nkfm.load_model(tmp_path / "tuned")
    assert again.head is not None
    assert again.head.config.labels == ("a", "b")
    assert np.allclose(predict(again, test).decision, said.decision, atol=1e-6)


def test_the_same_seed_gives_the_same_model() -> None:
    settings = {**FAST, "epochs": 2, "mixup": 1.0, "dropout": 0.3}
    one, two, other = (finetune(small(), data(), settings=settings, seed=s).state_dict() for s in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.linear.weight"], other["head.linear.weight"])


def test_quantities_come_out_in_their_own_unit_and_labels_side_by_side() -> None:
    train, test = data(target="speed"), data(seed=1, subjects=1, target="speed")
    tuned = finetune(small(), train, settings={**FAST, "epochs": 12})
    said = predict(tuned, test, "quantity").decision[:, 0]
    truth = np.concatenate([rec.events.columns["speed"] for rec in test])
    assert abs(said.mean() - 5) < 0.5
    assert np.corrcoef(said, truth)[0, 1] > 0.7
    tuned = finetune(small(), data(target="both"), settings=FAST)
    assert tuned.head is not None
    assert tuned.head.config.labels == ("x", "y", "z")
    assert predict(tuned, test, "labels").decision.shape == (20, 3)


def test_fine_tuning_is_a_method_beside_probes() -> None:
    found = evaluate(
        [Finetuning(small(), "full", FAST, name="small")], data(subjects=4), Protocol(by="cross-subject", n_folds=2)
    )
    (one,) = found.scores
    assert one.method == "small, fine-tuned (full)"
    assert one.value > 0.9
    assert one.n_test == 80


def test_the_best_epoch_on_held_out_groups_is_kept_and_training_stops_early() -> None:
    epochs: list[Epoch] = []
    settings = {**FAST, "epochs": 40, "patience": 2}
    tuned = finetune(small(), data(), settings=settings, on_epoch=epochs.append)
    assert len(epochs) < 40
    best = max(i for i, epoch in enumerate(epochs) if epoch.best)
    assert len(epochs) == best + 3
    assert epochs[best].valid == max(epoch.valid for epoch in epochs if epoch.valid is not None)
    trials = labelled_trials(tuned, data())
    _, held = hold_out(trials, 0.2, 0)
    assert held is not None
    assert len(set(held.groups)) == 1
    assert len(held) == 20


@dataclass(frozen=True)
class NoConfig:
    pass


class Counting(nkfm.Model):
    """Means of the channels; its own term in the loss of a task is a hundred, and it counts how often that was asked for."""

    name = "counting"
    config_class = NoConfig
    accepts = (SeriesStream,)

    def __init__(self, contract: nkfm.SeriesContract):
        super().__init__(NoConfig(), contract)
        self.scale = torch.nn.Parameter(torch.ones(8))
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, batch: nkfm.Batch) -> nkfm.Features:
        """One token a channel, the width of which is eight times its mean."""
        stream = batch.the(SeriesStream)
        tokens = stream.values.mean(-1, keepdim=True) * self.scale
        return nkfm.Features(
            tokens=tokens, mask=stream.channel_mask, coords=tokens.new_zeros(*tokens.shape[:2], 4),
            index=torch.zeros(*tokens.shape[:2], 2, dtype=torch.int64),
        )  # fmt: skip

    def task_loss(
        self,
        batch: nkfm.Batch,
        target: torch.Tensor,
        *,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        generator: torch.Generator | None = None,
    ) -> nkfm.Loss:
        """A hundred more."""
        self.asked += 1
        return nkfm.Loss(loss(self.predict(batch).float(), target) + 100)


def test_a_models_own_loss_of_a_task_is_what_is_minimised_wherever_the_model_learns() -> None:
    model = Counting(small().contract)
    assert isinstance(model, TaskTrainable)
    assert not isinstance(small(), TaskTrainable)
    for target in ("", "speed", "both"):
        epochs: list[Epoch] = []
        settings = {**FAST, "epochs": 3, "head_epochs": 2}
        tuned = finetune(model, data(target=target), "two-stage", settings=settings, on_epoch=epochs.append)
        assert {epoch.stage: epoch.loss > 100 for epoch in epochs} == {"head": False, "all": True}
        best = max(i for i, epoch in enumerate(epochs) if epoch.best) - 1  # epochs of the second stage
        assert (
            float(tuned.asked) == best * 3
        )  # what the model counted belongs to the epoch that is kept: 40 trials in 16s


def test_trials_are_held_out_by_group_else_at_the_end() -> None:
    trials = labelled_trials(small(), data(subjects=5))
    kept, held = hold_out(trials, 0.4, seed=1)
    assert held is not None
    assert not set(kept.groups) & set(held.groups)
    assert len(set(held.groups)) == 2
    kept, held = hold_out(labelled_trials(small(), data(subjects=1)), 0.25, seed=1)
    assert held is not None
    assert max(cut.first for cut in kept.cuts) < min(cut.first for cut in held.cuts)
    assert len(held) == 5
    assert hold_out(trials, 0.0, 0) == (trials, None)


def test_rates_fall_with_depth() -> None:
    model = small(depth=3)
    model.attach_head(read_config(type(_config()), {"width": 16, "n_outputs": 2}))
    groups = parameter_groups(model, FinetuneConfig(layer_decay=0.5, lr=1.0, head_lr=7.0))
    peak = {id(p): group["peak"] for group in groups for p in group["params"]}
    found = {name: peak[id(p)] for name, p in model.named_parameters()}
    assert found["head.linear.weight"] == 7.0
    where, stack = blocks(model)
    assert len(stack) == 3
    for depth in range(3):
        inside = {rate for name, rate in found.items() if name.startswith(f"{where}.{depth}.")}
        assert inside == {0.5 ** (3 - depth)}
    assert {rate for name, rate in found.items() if name.startswith("encoder.tokenizer")} == {0.5**4}
    flat = parameter_groups(model, FinetuneConfig(lr=1.0))
    assert [group["peak"] for group in flat] == [1e-3, 1.0]


def _config():
    from neurokit_fm.heads import HeadConfig

    return HeadConfig(width=16, n_outputs=2)


@pytest.mark.parametrize("method", ["lora", "ia3", *SLOW[1:4]])
def test_adapters_change_nothing_at_first_and_only_they_learn(method: str) -> None:
    pytest.importorskip("peft")
    model = small()
    batch = labelled_trials(model, data()).batch([0, 1, 2], "eeg", torch.device("cpu"))
    with torch.no_grad():
        before = model(batch).tokens
    config = FinetuneConfig(method=method, rank=4)  # type: ignore[arg-type]
    tuner = add_adapters(model, config, steps=100)
    model.eval()
    with torch.no_grad():
        assert torch.allclose(model(batch).tokens, before, atol=1e-4)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learning
    assert all(any(part.startswith(("lora_", "ia3_", "oft_")) for part in name.split(".")) for name in learning)
    if method == "lora":
        linear = [m for m in blocks(small())[1].modules() if isinstance(m, torch.nn.Linear)]
        wanted = sum(4 * (m.in_features + m.out_features) for m in linear)  # r (in + out)
        assert sum(p.numel() for p in model.parameters() if p.requires_grad) == wanted
    tuner.merge_and_unload()
    with torch.no_grad():
        assert torch.allclose(model(batch).tokens, before, atol=1e-4)
    with pytest.raises(ConfigError, match="no linear map of mae is called value; there are"):
        add_adapters(small(), replace(config, targets=("value",)), steps=10)


def test_mixup_mixes_only_trials_of_one_montage() -> None:
    values = torch.arange(4.0)[:, None, None].expand(4, 2, 3).clone()
    places = torch.zeros(4, 2, 3)
    places[2:] = 0.05
    stream = SeriesStream.from_arrays(values, sfreq=100.0, positions=places, frame="template")
    wanted = torch.eye(4)
    rng = np.random.default_rng(0)
    shares = set()
    for _ in range(20):
        mixed, target = mix(stream, wanted, 1.0, rng)
        assert torch.allclose(target.sum(1), torch.ones(4))
        assert torch.allclose(mixed.values[:, 0, 0], target @ torch.arange(4.0), atol=1e-6)  # both by the same share
        assert not target[:2, 2:].any()
        assert not target[2:, :2].any()
        shares.add(round(float(target[0, 0]), 3))
    assert len(shares) > 5


def test_rare_classes_weigh_more() -> None:
    trials = labelled_trials(small(), data(subjects=1))
    few = trials.take(np.concatenate([np.flatnonzero(trials.y == "a"), np.flatnonzero(trials.y == "b")[:3]]))
    target = Target(few, balance=True, smoothing=0.0)
    out = torch.zeros(len(few), 2)
    wanted = target.encode(few.y)
    assert target.loss(out, wanted) == pytest.approx(np.log(2))
    out[:, 0] = 20.0  # always the frequent class: half of the weight is wrong
    assert target.loss(out, wanted) == pytest.approx(10.0, rel=1e-4)
    assert Target(few, balance=False, smoothing=0.0).loss(out, wanted) == pytest.approx(20 * 3 / 13, rel=1e-4)
    smooth = Target(few, balance=False, smoothing=0.1)
    out = torch.tensor([[2.0, -1.0]]).expand(len(few), 2)
    expected = torch.nn.functional.cross_entropy(out, wanted.argmax(1), label_smoothing=0.1)
    assert torch.allclose(smooth.loss(out, wanted), expected)


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(ConfigError, match="method must be one of 'full', 'head'.*; got 'luck'"):
        finetune(small(), data(), "luck")  # type: ignore[arg-type]  # the test
    with pytest.raises(ConfigError, match="FinetuneConfig has no setting 'epoch'. Did you mean 'epochs'"):
        finetune(small(), data(), settings={"epoch": 3})
    with pytest.raises(ConfigError, match=r"layer_decay must lie in \(0, 1\]; got 2; dropout must lie"):
        FinetuneConfig(layer_decay=2, dropout=1.0)
    with pytest.raises(DataError, match="there is no labelled trial"):
        finetune(small(), replace(data(), label_of={"c": "c"}))
    with pytest.raises(DataError, match="needs two classes; the training part has only a"):
        finetune(small(), replace(data(), label_of={"a": "a"}))


def test_the_command_saves_a_model_and_prints_its_score(tmp_path: Path) -> None:
    small().save_pretrained(tmp_path / "plain")
    line = ["finetune", str(tmp_path / "plain"), "--data", "finger-movements", "--method", "head", "--no-plain",
            "--tune", "head_epochs=2", "--tune", "pool=attention", "-o", str(tmp_path / "tuned"), "--json"]  # fmt: skip
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    values = json.loads(done.output)
    assert values["scores"][0]["method"] == "plain, fine-tuned (head)"
    assert values["scores"][0]["n_test"] == 100
    assert len(values["epochs"]) == 2
    model = nkfm.load_model(tmp_path / "tuned")
    assert model.head is not None
    assert model.head.config.labels == ("left", "right")
