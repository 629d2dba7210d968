"""Labelled trials as batches: where they lie, what is to be said of them, and the loss of saying something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.contract import SeriesContract
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.evaluation.outcome import Kind, label_matrix, split_labels
from neurokit_fm.model import Loss, Model
from neurokit_fm.probing.trials import encode, group_names, target_windows
from neurokit_fm.training.sampling import Cut

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Trials in model units with their targets.

    Attributes
    ----------
    cuts : tuple of Cut
    y : ndarray, shape (N,)
        As `Trials.y`.
    kind : {"classes", "quantity", "labels"}
    groups, units : ndarray, shape (N,), str
    """

    cuts: tuple[Cut, ...]
    y: Array
    kind: Kind
    groups: Array
    units: Array

    def __len__(self) -> int:
        return len(self.cuts)

    def take(self, rows: Array) -> Labelled:
        """Return some trials."""
        return Labelled(tuple(self.cuts[i] for i in rows), self.y[rows], self.kind, self.groups[rows], self.units[rows])

    def batch(self, rows: Sequence[int], modality: str, device: torch.device) -> Batch:
        """Read trials into one padded batch."""
        return Batch(streams={modality: collate_series([self.cuts[i].read() for i in rows])}).to(device)


def labelled_trials(model: Model, dataset: Dataset) -> Labelled:
    """Apply a model's contract to every recording and find the labelled trials.

    Raises
    ------
    ContractError
        If a recording does not fit the model.
    DataError
        If there is no labelled trial.
    """
    contract = model.contract
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"fine-tuning takes models of sampled signals; {model.name} has a {contract.layout} contract")
    cuts: list[Cut] = []
    values: list[Any] = []
    groups: list[str] = []
    units: list[str] = []
    for row, (recording, group) in enumerate(zip(dataset, group_names(dataset), strict=True)):
        _, series = contract.apply(recording).series(contract.modality)
        series = replace(series, data=series.read())
        bounds, found = target_windows(dataset, row, recording, series, contract.window_s, contract.min_window_s)
        cuts += [Cut(series, int(a), int(b)) for a, b in bounds]
        values += found
        groups += [group] * len(found)
        units += [str(dataset.table[row].get("unit") or f"recording {row}")] * len(found)
    if not cuts:
        raise DataError("there is no labelled trial; do the event labels match label_of?")
    y, kind = encode(values)
    return Labelled(tuple(cuts), y, kind, np.array(groups), np.array(units))


def hold_out(data: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled | None]:
    """Split trials for choosing the best epoch: whole groups where there are several, else the last trials of each recording."""
    if not share:
        return data, None
    for key in (data.groups, data.units):
        names = np.unique(key)
        if len(names) > 1:
            n = min(max(1, round(share * len(names))), len(names) - 1)
            held = np.isin(key, np.random.default_rng(seed).permutation(names)[:n])
            kept = np.unique(data.y[~held])
            if data.kind != "classes" or len(kept) == len(np.unique(data.y)):
                return data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))
    held = np.zeros(len(data), dtype=bool)
    for name in np.unique(data.units):
        rows = np.flatnonzero(data.units == name)
        held[rows[len(rows) - round(share * len(rows)) :]] = True
    if not held.any() or held.all():
        raise DataError(f"{len(data)} trials are too few to hold out a share of {share:g}; set valid_share to 0")
    return data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))


class Target:
    """What a head's outputs mean, learned from the training part.

    Parameters
    ----------
    data : Labelled
        Of the training part.
    balance : bool
        Weigh classes, or labels, by how rare they are.
    smoothing : float
        Of class labels.

    Attributes
    ----------
    names : tuple of str
        Of the outputs; empty for a quantity.
    n_outputs : int
    """

    def __init__(self, data: Labelled, balance: bool, smoothing: float):
        self.kind, self.smoothing = data.kind, smoothing
        self.names: tuple[str, ...] = ()
        self.mean = self.scale = 0.0
        self.weight: Tensor | None = None
        if data.kind == "quantity":
            self.mean, self.scale = float(data.y.mean()), float(data.y.std())
            if not self.scale:
                raise DataError("every training trial has the same value; there is nothing to learn")
        elif data.kind == "classes":
            names, counts = np.unique(data.y, return_counts=True)
            self.names = tuple(map(str, names))
            if len(names) < 2:
                raise DataError(f"fine-tuning needs two classes; the training part has only {', '.join(names)}")
            if balance:
                self.weight = torch.tensor(len(data) / (len(names) * counts), dtype=torch.float32)
        else:
            self.names = tuple(sorted({name for text in data.y for name in split_labels(text)}))
            share = label_matrix(data.y, self.names).mean(0)
            if balance:
                self.weight = torch.tensor((1 - share) / share.clip(1e-6), dtype=torch.float32).clamp(0.01, 100)
        self.n_outputs = max(1, len(self.names))

    def encode(self, y: Array) -> Tensor:
        """Targets (N,) as one row each, (N, n_outputs): one-hot classes, labels, or the standardised quantity."""
        if self.kind == "quantity":
            return torch.tensor((y - self.mean) / self.scale, dtype=torch.float32)[:, None]
        if self.kind == "labels":
            return torch.tensor(label_matrix(y, self.names), dtype=torch.float32)
        unknown = sorted(set(map(str, np.unique(y))) - set(self.names))
        if unknown:
            raise DataError(f"classes {', '.join(unknown)} are not in the training part ({', '.join(self.names)})")
        return torch.tensor(y[:, None] == np.array(self.names), dtype=torch.float32)

    def loss(self, out: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy, binary cross-entropy or squared error of outputs (B, O) for rows of `encode`, possibly mixed."""
        out = out.float()
        if self.kind == "quantity":
            return F.mse_loss(out, wanted)
        weight = None if self.weight is None else self.weight.to(out.device)
        if self.kind == "labels":
            return F.binary_cross_entropy_with_logits(out, wanted, pos_weight=weight)
        k = len(self.names)
        soft = wanted * (1 - self.smoothing) + self.smoothing / k
        each = -(soft * out.log_softmax(1)).sum(1)  # (B,)
        if weight is None:
            return each.mean()
        w = (wanted * weight).sum(1)  # not a product of matrices, which autocast would round
        return (w * each).sum() / w.sum()

    @torch.no_grad()
    def settle(self, linear: torch.nn.Linear) -> None:
        """Put the scale of a quantity into the head, so that it predicts in its own unit."""
        if self.kind == "quantity":
            linear.weight.mul_(self.scale)
            linear.bias.mul_(self.scale).add_(self.mean)


@runtime_checkable
class TaskTrainable(Protocol):
    """A model whose own terms belong to the loss of a task, as those of a codebook do.

    Fine-tuning minimises what it returns wherever more than the head learns.
    """

    def task_loss(
        self,
        batch: Batch,
        target: Tensor,
        *,
        loss: Callable[[Tensor, Tensor], Tensor],
        generator: torch.Generator | None = None,
    ) -> Loss:
        """Return `loss` of the head's outputs (B, O), float32, and the target, with the model's own terms added."""
        ...


def mix(stream: SeriesStream, wanted: Tensor, strength: float, rng: np.random.Generator) -> tuple[SeriesStream, Tensor]:
    """Mixup: each trial and its target move towards another of the same montage and length, all by the same share.

    Notes
    -----
    Zhang et al., arXiv:1710.09412; REVE uses strength 1. A trial is mixed only with one whose sensors and samples are the
    same, because a mean of signals of two places is a signal of none.
    """
    share = float(rng.beta(strength, strength))
    fields = (stream.channel_mask, stream.time_mask, stream.positions, stream.sensor_type)
    parts = torch.cat([f.reshape(len(stream), -1).double().nan_to_num(9e9) for f in fields], dim=1)
    _, kind = torch.unique(parts, dim=0, return_inverse=True)  # (B,)
    partner = torch.arange(len(stream))
    for number in kind.unique():
        rows = torch.nonzero(kind == number).flatten().cpu()
        partner[rows] = rows[torch.from_numpy(rng.permutation(len(rows)))]
    partner = partner.to(stream.values.device)
    values = share * stream.values + (1 - share) * stream.values[partner]
    return replace(stream, values=values), share * wanted + (1 - share) * wanted[partner.to(wanted.device)]
