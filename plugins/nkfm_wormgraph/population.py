"""What the activity models share: who is who in a batch, the past of each neuron, the forecast and its score.

A forecast lies in ``features["prediction"]``, (B, C, T): entry t is the value expected `horizon` steps after t, made of
samples up to t. Neurons are told by their names; a trace of an unknown neuron is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from neurokit_fm import Batch, Channels, Features, Graph, Loss, datasets
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from nkfm_wormgraph.config import ForecastConfig

SLOTS = 300


@cache
def graph_of(annotation: str) -> Graph:
    """A connectome over the 300 neurons, from the data set ``celegans-connectomes``."""
    recording = datasets.load("celegans-connectomes")((annotation,))[0]
    graph = recording["connectome"]
    assert isinstance(graph, Graph)
    return graph


@cache
def neurons() -> Channels:
    """The 300 neurons in slot order, with class, type, transmitter and soma position."""
    return graph_of("white1986_whole").channels.take(range(SLOTS))


@cache
def slot_by_name() -> Mapping[str, int]:
    """Slot of each canonical name."""
    return {name: slot for slot, name in enumerate(neurons().name)}


@dataclass(frozen=True, eq=False)
class Population:
    """A batch of traces, with what is real and who they are.

    Attributes
    ----------
    x : Tensor, shape (B, C, T)
        0 where nothing is real.
    real : Tensor, shape (B, C, T), bool
    slot : Tensor, shape (B, C), int64
        `SLOTS` for unknown neurons and padding.
    known : Tensor, shape (B, C), bool
    time_mask : Tensor, shape (B, T), bool
    stream : SeriesStream
    """

    x: Tensor
    real: Tensor
    slot: Tensor
    known: Tensor
    time_mask: Tensor
    stream: SeriesStream

    @classmethod
    def of(cls, batch: Batch, *, hidden: Tensor | None = None, unlabelled: bool = False) -> Population:
        """Read a batch; `hidden` (B, C) hides neurons, `unlabelled` keeps traces of unknown ones real."""
        stream = batch.the(SeriesStream)
        if stream.names is None:
            raise DataError("these models tell neurons by their names; give the stream its channel names")
        where, width = slot_by_name(), stream.values.shape[1]
        rows = [[where.get(n, SLOTS) for n in names] + [SLOTS] * (width - len(names)) for names in stream.names]
        slot = torch.tensor(rows, dtype=torch.int64, device=stream.values.device)[:, :width]
        slot = slot.masked_fill(~stream.channel_mask, SLOTS)
        known = slot < SLOTS
        seen = stream.channel_mask if unlabelled else known
        if hidden is not None:
            seen = seen & ~hidden
        real = seen[:, :, None] & stream.time_mask[:, None]  # (B, C, T)
        return cls(stream.values.masked_fill(~real, 0), real, slot, known, stream.time_mask, stream)

    def spread(self, values: Tensor) -> Tensor:
        """Put traces (B, C, ...) into slots (B, SLOTS, ...), 0 in empty ones."""
        out = values.new_zeros((len(values), SLOTS + 1, *values.shape[2:]))
        index = self.slot.view(*self.slot.shape, *[1] * (values.ndim - 2)).expand_as(values)
        return out.scatter(1, index, values)[:, :SLOTS]

    def gather(self, values: Tensor) -> Tensor:
        """Take traces (B, C, ...) back out of slots (B, SLOTS, ...); unknown neurons get slot 0's, to be masked."""
        index = self.slot.clamp(max=SLOTS - 1).view(*self.slot.shape, *[1] * (values.ndim - 2))
        return values.gather(1, index.expand(*self.slot.shape, *values.shape[2:]))


def past(x: Tensor, order: int) -> Tensor:
    """The last samples of each trace, (..., T) to (..., T, order): the sample itself, then earlier minus it.

    Before its first sample a trace is taken to have been constant, so that nothing but zeros is added.
    """
    padded = torch.cat([x[..., :1].expand(*x.shape[:-1], order - 1), x], dim=-1)
    window = padded.unfold(-1, order, 1).flip(-1)  # (..., T, order), newest first
    return torch.cat([window[..., :1], window[..., 1:] - window[..., :1]], dim=-1)


def draw_hidden(batch: Batch, share: float, generator: torch.Generator | None) -> Tensor | None:
    """Neurons to hide in each window, (B, C), or None; nothing is drawn without a generator."""
    if share == 0 or generator is None:
        return None
    mask = batch.the(SeriesStream).channel_mask
    hidden = torch.rand(mask.shape, generator=generator).to(mask.device) < share
    return hidden & ~(mask & ~hidden).sum(1, keepdim=True).eq(0)  # never all of them


def score(features: Features, batch: Batch, config: ForecastConfig, hidden: Tensor | None = None) -> Loss:
    """Error of the forecast over known, shown neurons.

    Parts: ``error``.

    Raises
    ------
    DataError
        If windows are too short for the horizon, or no trace belongs to a known neuron.
    """
    seen = Population.of(batch, hidden=hidden)
    target, found = seen.x.float(), features["prediction"].float()
    h = config.horizon
    if target.shape[2] <= h:
        raise DataError(
            f"windows of {target.shape[2]} samples hold no target {h} steps ahead; the minimum is {h + 1} samples"
        )
    if not target.is_meta and not bool(seen.known.any()):
        names = (seen.stream.names or ((),))[0]
        raise DataError(f"no trace belongs to a known neuron; names begin {', '.join(names[:5])}")
    real = seen.real[..., :-h] & seen.real[..., h:]  # (B, C, T - h)
    error = _error(found[..., :-h], target[..., h:], real, config)
    return Loss(error, {"error": error})


def _error(found: Tensor, target: Tensor, real: Tensor, config: ForecastConfig) -> Tensor:
    count = real.sum().clamp(min=1)
    if config.loss == "mse":
        each = (found - target).square()
    elif config.loss == "huber":
        each = F.huber_loss(found, target, reduction="none")
    else:
        each = (found - target).abs()
    if config.loss == "mase":
        step = (target[..., 1:] - target[..., :-1]).abs()
        both = real[..., 1:] & real[..., :-1]
        usual = step.masked_fill(~both, 0).sum(-1) / both.sum(-1).clamp(min=1)  # (B, C)
        each = each / usual.clamp(min=1e-6)[..., None]
    return each.masked_fill(~real, 0).sum() / count


def penalty(model: torch.nn.Module, config: ForecastConfig) -> Tensor | None:
    """``l1_reg`` times the sum over parameters of their mean magnitude, or None."""
    if not config.l1_reg:
        return None
    return config.l1_reg * torch.stack([p.abs().mean() for p in model.parameters() if p.requires_grad]).sum()


def with_penalty(loss: Loss, model: torch.nn.Module, config: ForecastConfig) -> Loss:
    """Add the penalty to a loss, as a part of its own."""
    extra = penalty(model, config)
    return loss if extra is None else Loss(loss.total + extra, {**loss.parts, "l1": extra})


def over_time(states: Tensor, population: Population, prediction: Tensor) -> Features:
    """Features of the population: one token a step, (B, T, D)."""
    b, t = population.time_mask.shape
    steps = torch.arange(t, device=states.device)
    coords = states.new_full((b, t, 4), torch.nan, dtype=torch.float32)
    coords[..., 3] = steps / population.stream.sfreq
    index = torch.stack([torch.zeros_like(steps), steps], dim=-1).expand(b, -1, -1)
    mask = population.time_mask & population.known.any(1)[:, None]
    return Features(tokens=states, mask=mask, coords=coords, index=index, extras={"prediction": prediction})
