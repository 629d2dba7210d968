"""Labelled trials of a data set: as windows, as raw arrays, as features of a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.model import Model
from neurokit_fm.registry import modalities
from neurokit_fm.tokens import Features
from neurokit_fm.training.sampling import Budget, Cut

logger = logging.getLogger(__name__)

Kind = Literal["channels", "pooled", "tokens"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """Labelled trials as arrays.

    Attributes
    ----------
    x : ndarray, shape (N, D) or (N, C, T), float32
    y : ndarray, shape (N,), str
        Class names.
    groups : ndarray, shape (N,), str
        Subject of each trial; its recording where all trials are of one subject.
    channels : tuple of str
        Channels along `x`; empty where `x` does not depend on which they are.
    sfreq : float, Hz
        Of raw trials, else of the model's input.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    channels: tuple[str, ...]
    sfreq: float

    def must_match(self, other: Trials) -> None:
        """Check that features of two sets mean the same.

        Raises
        ------
        DataError
            If channels, shape or rate differ, naming what does.
        """
        if self.channels != other.channels:
            odd = sorted(set(self.channels) ^ set(other.channels))
            raise DataError(
                f"trials have different channels ({', '.join(odd) or 'the same in another order'} differ); "
                "choose the same channels in each recording, or use features='pooled'"
            )
        if self.x.shape[1:] != other.x.shape[1:] or self.sfreq != other.sfreq:
            raise DataError(
                f"trials differ in shape or rate: {self.x.shape[1:]} at {self.sfreq:g} Hz and {other.x.shape[1:]} at "
                f"{other.sfreq:g} Hz; use features='pooled'"
            )


def labelled_windows(
    recording: Recording, label_of: Mapping[str, str], series: TimeSeries, min_s: float = 0.0
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return where the labelled events of a recording lie in a signal.

    Parameters
    ----------
    recording : Recording
        As it was read.
    label_of : mapping of str to str
        Event label to class name.
    series : TimeSeries
        The recording's signal, possibly at another rate but with the same runs. Resampling rounds each run to whole
        samples, so an event is found by its run and its place in there, not by the clock.
    min_s : float, seconds
        A window starts at the onset and is as long as the event, or this if the event is shorter.

    Returns
    -------
    bounds : ndarray, shape (W, 2), int64
        First and one-past-last sample. Events whose window does not fit into one run are left out, with a warning in
        the log.
    labels : list of str
        W class names.

    Raises
    ------
    DataError
        If an event has no duration and `min_s` is 0.
    """
    _, before = recording.series(series.modality)
    events = recording.events.labelled(*label_of)
    old, new = np.array(before.runs()), np.array(series.runs())  # (R, 2) each
    at = (events.onset - before.start) * before.sfreq  # (E,) samples
    run = np.maximum(np.searchsorted(old[:, 0], at + 1e-6, side="right") - 1, 0)  # (E,)
    first = new[run, 0] + np.ceil((at - old[run, 0]) * series.sfreq / before.sfreq - 1e-6).astype(np.int64)
    length = np.rint(np.maximum(events.duration, min_s) * series.sfreq).astype(np.int64)  # (E,)
    if len(length) and length.min() < 1:
        raise DataError(f"{recording.title}: events without a duration; give them the length of the trial")
    fits = (at > -1e-6) & (first + length <= new[run, 1])
    if not fits.all():
        logger.warning(
            "%s: %d of %d labelled trials run past a break or the end", recording.title, sum(~fits), len(fits)
        )
    bounds = np.stack([first, first + length], axis=1)[fits]
    return bounds, [label_of[label] for label, keep in zip(events.label, fits, strict=True) if keep]


def raw_trials(dataset: Dataset, modality: str = "eeg") -> Trials:
    """Return the labelled trials themselves, as recorded: x (N, C, T) in SI units, usable sensors only.

    Raises
    ------
    DataError
        If there is no trial, or trials differ in channels, length or rate.
    """

    def read(recording: Recording, label_of: Mapping[str, str]) -> tuple[list[Any], list[str], TimeSeries]:
        _, series = recording.series(modality)
        kinds = modalities.load(series.modality).kinds
        usable = np.array([kind in kinds for kind in series.channels.kind], dtype=bool) & ~series.channels.bad
        series = series.take(usable)
        bounds, labels = labelled_windows(recording, label_of, series)
        return [series.read(int(a), int(b)).astype(np.float32) for a, b in bounds], labels, series

    return _gather((read(recording, label_of), group) for recording, label_of, group in _recordings(dataset))


def trial_features(model: Model, dataset: Dataset, *, features: Kind = "channels", batch_tokens: int = 8192) -> Trials:
    """Return a model's features of every labelled trial.

    The contract is applied to each recording as a whole, as in `embed`; then each event whose label is in
    ``dataset.label_of`` is one window, from its onset, as long as the event but at least the contract's shortest window.

    Parameters
    ----------
    model : Model
        With a series contract; runs where it is, in evaluation mode.
    dataset : Dataset
        With `label_of`.
    features : {"channels", "pooled", "tokens"}
        Mean over time of each channel, concatenated (C*D): keeps the topography that a mean over all tokens loses. Or
        the model's own summary (D), or all tokens (N*D). The first and the last need the same channels in all trials.
    batch_tokens : int
        Tokens that go through the model at once, at most.

    Returns
    -------
    Trials
        x (N, width of the features).

    Raises
    ------
    ContractError
        If a recording does not fit the model.
    DataError
        If there is no labelled trial, or features of different trials would not mean the same.
    """
    contract = model.contract
    if features not in ("channels", "pooled", "tokens"):
        raise ConfigError(f"features must be 'channels', 'pooled' or 'tokens'; got {features!r}")
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"probing takes models of sampled signals; {model.name} has a {contract.layout} contract")
    budget = Budget(model, contract.modality, batch_tokens)
    model.eval()

    def read(recording: Recording, label_of: Mapping[str, str]) -> tuple[list[Any], list[str], TimeSeries]:
        _, series = contract.apply(recording).series(contract.modality)
        bounds, labels = labelled_windows(recording, label_of, series, contract.min_window_s)
        x: list[npt.NDArray[np.float32]] = []
        with torch.inference_mode():
            for cuts in budget.split([Cut(series, int(a), int(b)) for a, b in bounds]):
                x.extend(_flatten(model(budget.batch(cuts)), features).float().cpu().numpy())
        return x, labels, series

    return _gather(
        ((read(recording, label_of), group) for recording, label_of, group in _recordings(dataset)),
        with_channels=features != "pooled",
    )


def _flatten(features: Features, kind: Kind) -> Tensor:
    """One vector a window: (B, D), (B, C*D) or (B, N*D)."""
    if kind == "pooled":
        return features.pooled()
    tokens = features.tokens.masked_fill(~features.mask[..., None], 0)  # (B, N, D)
    if kind == "tokens":
        return tokens.flatten(1)
    row = features.index[..., 0]  # (B, N)
    b, c = len(row), int(row.max()) + 1
    total = tokens.new_zeros((b, c, tokens.shape[2]))
    total.scatter_add_(1, row[..., None].expand_as(tokens), tokens)  # (B, C, D)
    count = tokens.new_zeros((b, c)).scatter_add_(1, row, features.mask.to(tokens.dtype))
    return (total / count.clamp(min=1)[..., None]).flatten(1)


def _recordings(dataset: Dataset) -> Iterator[tuple[Recording, Mapping[str, str], str]]:
    if not dataset.label_of:
        raise DataError(f"dataset {dataset.name!r} has no labels; give it label_of, from event labels to class names")
    subjects = [str(row.get("subject") or "") for row in dataset.table]
    several = len(set(subjects)) > 1 and all(subjects)
    for row, recording in enumerate(dataset):
        yield recording, dataset.label_of, subjects[row] if several else f"recording {row}"


def _gather(parts: Iterator[tuple[tuple[list[Any], list[str], TimeSeries], str]], with_channels: bool = True) -> Trials:
    """Put the trials of all recordings together."""
    found: list[Trials] = []
    for (x, y, series), group in parts:
        if not x:
            continue
        shapes = {v.shape for v in x}
        if len(shapes) > 1:
            raise DataError(f"trials of one recording differ in shape ({sorted(shapes)}); give events one duration")
        channels = series.channels.name if with_channels else ()
        more = Trials(
            x=np.stack(x), y=np.array(y), groups=np.full(len(y), group), channels=channels, sfreq=series.sfreq
        )
        if found:
            found[0].must_match(more)
        found.append(more)
    if not found:
        raise DataError("there is no labelled trial; do the event labels match label_of?")
    return Trials(
        x=np.concatenate([part.x for part in found]),
        y=np.concatenate([part.y for part in found]),
        groups=np.concatenate([part.groups for part in found]),
        channels=found[0].channels,
        sfreq=found[0].sfreq,
    )
