"""pretrain: it learns, repeats, counts tokens, respects breaks, and says what went wrong."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, ContractError, DataError
from neurokit_fm.testing import fake_recording
from neurokit_fm.training import History, Step, pretrain
from neurokit_fm.training.sampling import Budget, Cut, Sampler, stretches, tile

CONTRACT = nkfm.SeriesContract(window_s=2.0, min_window_s=1.0, clip=15.0)


def masked_autoencoder(seed: int = 0) -> nkfm.Model:
    cls = nkfm.models.load("mae")
    config = {
        "encoder": {"transformer": {"width": 32, "depth": 1, "heads": 2}},
        "decoder": {"width": 32, "depth": 1, "heads": 2},
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cls(read_config(cls.config_class, config), CONTRACT)


@dataclass(frozen=True)
class MeanConfig:
    """Settings of `MeanModel`.

    Attributes
    ----------
    bad_step : int
        Loss number at which something goes wrong.
    what : str
        ``"loss"``, ``"gradient"`` or nothing.
    """

    bad_step: int = -1
    what: str = ""


class MeanModel(nkfm.Model):
    """One parameter that learns the mean square of the signal; one token a channel."""

    name = "mean-model"
    config_class = MeanConfig
    accepts = (SeriesStream,)

    def __init__(self, config: MeanConfig, contract: nkfm.SeriesContract = CONTRACT):
        super().__init__(config, contract)
        self.level = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(0.1)
        self.batches: list[SeriesStream] = []

    def forward(self, batch: nkfm.Batch) -> nkfm.Features:
        stream = batch.the(SeriesStream)
        b, c, _ = stream.values.shape
        return nkfm.Features(
            tokens=stream.values.mean(2, keepdim=True),
            mask=stream.channel_mask,
            coords=torch.zeros(b, c, 4),
            index=torch.zeros(b, c, 2, dtype=torch.int64),
        )

    def loss(self, batch: nkfm.Batch, *, generator: torch.Generator | None = None) -> nkfm.Loss:
        stream = batch.the(SeriesStream)
        real = stream.channel_mask[:, :, None] & stream.time_mask[:, None]
        wanted = (stream.values**2)[real].mean()
        total = (self.level + self.dropout(torch.ones(())) - 1 - wanted) ** 2
        bad = self.training and len(self.batches) == self.config.bad_step
        if self.training:
            self.batches.append(stream)
        if bad and self.config.what == "loss":
            total = total * math.nan
        if bad and self.config.what == "gradient":
            total = total + (0 * self.level).sqrt()  # the gradient of a root at 0
        return nkfm.Loss(total, {"square": total})


def weights(model: nkfm.Model) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def test_a_masked_autoencoder_learns_and_the_seed_repeats_it() -> None:
    recordings = [fake_recording(duration_s=20), fake_recording(seed=1, n_channels=5, duration_s=12)]

    def run(seed: int) -> tuple[History, list[Tensor]]:
        model = masked_autoencoder()
        history = pretrain(model, recordings, steps=30, batch_tokens=192, lr=3e-3, held_out_s=4.0, seed=seed)
        return history, weights(model)

    history, after = run(0)
    assert history.held_out_start is not None
    assert history.held_out_end is not None
    assert history.held_out_end < 0.95 * history.held_out_start
    assert history.total[-5:].mean() < 0.95 * history.total[:5].mean()
    assert history.parts.keys() == {"primary", "secondary"}
    assert np.allclose(history.total, history.parts["primary"] + 0.1 * history.parts["secondary"], atol=1e-6)
    assert history.lr[[0, 3, 26]].tolist() == pytest.approx([3e-5, 3e-3, 3e-3])

    again, same = run(0)
    assert np.array_equal(again.total, history.total)
    assert all(map(torch.equal, after, same))
    other, _ = run(1)
    assert not np.array_equal(other.total, history.total)


def test_the_global_random_state_and_the_mode_are_left_alone() -> None:
    model = MeanModel(MeanConfig()).eval()
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr,index]  # legacy state
    first = pretrain(model, [fake_recording()], steps=2, batch_tokens=16)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # type: ignore[index]  # legacy state
    assert not model.training
    torch.manual_seed(6)
    second = pretrain(MeanModel(MeanConfig()), [fake_recording()], steps=2, batch_tokens=16)
    assert np.array_equal(first.total, second.total)  # dropout too comes from the seed


def test_batches_mix_channel_counts_within_the_token_budget() -> None:
    model = MeanModel(MeanConfig())
    recordings = [fake_recording(n_channels=8), fake_recording(seed=1, n_channels=3)]
    seen: list[Step] = []
    history = pretrain(model, recordings, steps=20, batch_tokens=24, on_step=seen.append)
    assert tuple(seen) == history.steps
    assert all(17 <= step.tokens <= 24 for step in seen)  # the next window, of 3 or 8 tokens, did not fit
    for step, stream in zip(seen, model.batches, strict=True):
        assert step.windows == len(stream)
        assert step.tokens == int(stream.channel_mask.sum())
    counts = [int(n) for stream in model.batches for n in stream.channel_mask.sum(1)]
    assert set(counts) == {3, 8}
    assert any(len(set(stream.channel_mask.sum(1).tolist())) == 2 for stream in model.batches)
    assert 0.35 < np.mean(np.array(counts) == 8) < 0.65  # both recordings last equally long


def test_windows_are_uniform_in_time_and_never_cross_a_break() -> None:
    x = nkfm.from_array(np.arange(300.0)[None], sfreq=10.0, names=["Cz"])
    _, series = x.series("eeg")
    broken = nkfm.TimeSeries(data=series.data, sfreq=10.0, channels=series.channels, breaks=(100, 106, 130))
    pool = stretches(broken, shortest=10)
    assert [(c.first, c.last) for c in pool] == [(0, 100), (106, 130), (130, 300)]  # 6 samples are too short
    sampler = Sampler(pool, 30, np.random.default_rng(0))
    drawn = [sampler.draw() for _ in range(4000)]
    bounds = {(c.first, c.last) for c in drawn}
    assert (106, 130) in bounds  # shorter than a window: whole
    for first, last in bounds - {(106, 130)}:
        assert last - first == 30
        assert last <= 100 or first >= 130
    shares = [np.mean([s.first <= c.first and c.last <= s.last for c in drawn]) for s in pool]
    assert shares == pytest.approx([100 / 294, 24 / 294, 170 / 294], abs=0.03)  # 4 standard errors
    assert drawn[0].read().read().tolist() == [list(range(drawn[0].first, drawn[0].last))]
    assert drawn[0].read().start == drawn[0].first / 10


def test_tiles_lie_side_by_side() -> None:
    _, series = fake_recording(sfreq=100, duration_s=2).series("eeg")
    assert [(c.first, c.last) for c in tile(Cut(series, 10, 75), 30)] == [(10, 40), (40, 70)]
    assert [(c.first, c.last) for c in tile(Cut(series, 10, 25), 30)] == [(10, 25)]
    assert [c.shape for c in tile(Cut(series, 0, 30), 30)] == [(8, 30)]


def test_a_window_larger_than_the_budget_goes_alone() -> None:
    _, series = CONTRACT.apply(fake_recording()).series("eeg")
    budget = Budget(MeanModel(MeanConfig()), "eeg", limit=5)
    assert [len(batch) for batch in budget.split([Cut(series, 0, 200)] * 3)] == [1, 1, 1]


def test_held_out_time_is_never_trained_on() -> None:
    model = MeanModel(MeanConfig())
    history = pretrain(model, [fake_recording(duration_s=10)], steps=30, batch_tokens=64, held_out_s=3.0)
    assert max(float(stream.start.max()) for stream in model.batches) <= 7.0 - 2.0
    assert history.held_out_start is not None
    assert pretrain(MeanModel(MeanConfig()), [fake_recording()], steps=1).held_out_start is None
    with pytest.raises(DataError, match="seed 0: 10 s with held_out_s=9.5 s leave no stretch of 1 s to train on"):
        pretrain(model, [fake_recording(duration_s=10)], steps=1, held_out_s=9.5)
    with pytest.raises(DataError, match="to hold out; hold out more"):
        pretrain(model, [fake_recording(duration_s=10)], steps=1, held_out_s=0.5)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_with_the_last_good_one(what: str) -> None:
    model = MeanModel(MeanConfig(bad_step=3, what=what))
    seen: list[float] = []
    levels: list[float] = []

    def watch(step: Step) -> None:
        seen.append(step.total)
        levels.append(float(model.level.detach()))

    with pytest.raises(ConfigError, match=f"{what} of mean-model is not finite at step 3 .*at step 2.*lower lr") as err:
        pretrain(model, [fake_recording()], steps=10, batch_tokens=16, on_step=watch)
    assert f"the last good loss was {seen[-1]:g}" in str(err.value)
    assert float(model.level.detach()) == levels[-1]


def test_the_gradient_is_clipped() -> None:
    model = MeanModel(MeanConfig())
    history = pretrain(model, [fake_recording()], steps=3, batch_tokens=16, grad_clip=1e-3)
    assert history.steps[0].grad_norm > 0.5  # as it was
    assert model.level.grad is not None
    assert float(model.level.grad.abs()) == pytest.approx(1e-3, rel=1e-2)


def test_frozen_parameters_stay() -> None:
    model = masked_autoencoder()
    model.mask_token.requires_grad_(False)  # type: ignore[union-attr]  # a parameter
    before = model.mask_token.clone()  # type: ignore[operator]  # a parameter
    pretrain(model, [fake_recording()], steps=2, batch_tokens=64)
    assert torch.equal(model.mask_token, before)  # type: ignore[arg-type]  # a parameter


def test_what_cannot_be_trained_is_refused_with_a_reason() -> None:
    model = MeanModel(MeanConfig())
    with pytest.raises(ConfigError, match="must be positive and held_out_s not negative; got 0, 4096, 0.001, 5 and 0"):
        pretrain(model, [fake_recording()], steps=0)
    with pytest.raises(ConfigError, match="window_s=0.5 s is below the 1 s that give a token"):
        pretrain(model, [fake_recording()], steps=1, window_s=0.5)
    with pytest.raises(DataError, match="no recordings to train on"):
        pretrain(model, [], steps=1)
    with pytest.raises(ContractError, match="below the 100 Hz"):
        pretrain(model, [fake_recording(sfreq=50)], steps=1)
    reve = nkfm.models.load("reve")
    config = read_config(reve.config_class, {"width": 32, "depth": 1, "heads": 2})
    with pytest.raises(ConfigError, match="reve has no self-supervised loss"):
        pretrain(reve(config, CONTRACT), [fake_recording()], steps=1)
