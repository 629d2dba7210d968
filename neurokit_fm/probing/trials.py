"""Labelled trials of a data set: as windows, as raw arrays, as features of a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.events import Events
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.evaluation.outcome import Kind
from neurokit_fm.model import Model
from neurokit_fm.probing.cache import FeatureCache, model_digest
from neurokit_fm.registry import modalities
from neurokit_fm.tokens import Features
from neurokit_fm.training.sampling import Budget, Cut
from neurokit_fm.windows import fixed_windows

logger = logging.getLogger(__name__)

RAW_WINDOW_S = 4.0
"""Length of the raw trials of recordings that have one target each."""

Summary = Literal["channels", "pooled", "tokens"]
"""How the tokens of a trial become one vector, see `trial_features`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """Labelled trials as arrays.

    Attributes
    ----------
    x : ndarray, shape (N, D) or (N, C, T), float32
    y : ndarray, shape (N,), str or float64
        Class names, numbers, or joined labels such as ``"a|b"``.
    groups : ndarray, shape (N,), str
        Subject of each trial; its recording where all trials are of one subject; the column ``group`` of the table where
        there is one.
    channels : tuple of str
        Channels along `x`; empty where `x` does not depend on which they are.
    sfreq : float, Hz
        Of raw trials, else of the model's input.
    kind : {"classes", "quantity", "labels"}
        What `y` holds.
    units : ndarray, shape (N,), str, optional
        Recording of each trial; default: its group.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[Any]
    groups: npt.NDArray[np.str_]
    channels: tuple[str, ...]
    sfreq: float
    kind: Kind = "classes"
    units: npt.NDArray[np.str_] | None = None

    @property
    def inner_groups(self) -> npt.NDArray[np.str_]:
        """What a penalty is chosen by: groups where there are several, else recordings."""
        return self.groups if self.units is None or len(np.unique(self.groups)) > 1 else self.units

    @classmethod
    def join(cls, parts: Sequence[Trials]) -> Trials:
        """Put trials together.

        Raises
        ------
        DataError
            If there are none, or they do not mean the same.
        """
        if not parts:
            raise DataError("there is no labelled trial; do the event labels match label_of?")
        for part in parts[1:]:
            parts[0].must_match(part)
        return replace(
            parts[0],
            x=np.concatenate([part.x for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
            units=np.concatenate([part.groups if part.units is None else part.units for part in parts]),
        )

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
        if self.kind != other.kind:
            raise DataError(f"some trials are to be told by {self.kind}, others by {other.kind}; give all the same")


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
    bounds, events = _event_bounds(recording, label_of, series, min_s)
    return bounds, [label_of[label] for label in events.label]


def target_windows(
    dataset: Dataset, row: int, recording: Recording, series: TimeSeries, window_s: float, min_s: float = 0.0
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Return where the trials of a recording lie in a signal, and what is to be predicted of each.

    Parameters
    ----------
    dataset : Dataset
        Says what the trials are, see its `label_of` and `target`.
    row : int
        Number of the recording in it.
    recording, series, min_s :
        As `labelled_windows`.
    window_s : float, seconds
        Of the windows side by side that stand for a recording with one target; 0 = the whole of each run.

    Returns
    -------
    bounds : ndarray, shape (W, 2), int64
    values : list
        W class names, numbers, or lists of labels.

    Raises
    ------
    DataError
        If there is nothing to predict, or the named column is missing.
    """
    if dataset.label_of:
        if not dataset.target:
            return labelled_windows(recording, dataset.label_of, series, min_s)
        bounds, events = _event_bounds(recording, dataset.label_of, series, min_s)
        if dataset.target not in events.columns:
            have = ", ".join(events.columns) or "none"
            raise DataError(f"{recording.title}: its events have no column {dataset.target!r}; columns: {have}")
        return bounds, events.columns[dataset.target].tolist()
    if not dataset.target:
        raise DataError(
            f"dataset {dataset.name!r} has no labels; give it label_of, from event labels to class names, or a target"
        )
    known = dataset.table[row]
    if known.get(dataset.target) in (None, ""):
        raise DataError(
            f"dataset {dataset.name!r}: row {row} has no {dataset.target!r}; columns: {', '.join(known)}. Leave it out, or "
            "fill it in"
        )
    bounds = fixed_windows(series, window_s, None, min_s or None) if window_s else np.array(series.runs())
    return bounds, [known[dataset.target]] * len(bounds)


def _event_bounds(
    recording: Recording, label_of: Mapping[str, str], series: TimeSeries, min_s: float
) -> tuple[npt.NDArray[np.int64], Events]:
    """First and one-past-last sample of each labelled event that fits, and those events."""
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
    return np.stack([first, first + length], axis=1)[fits], events.take(fits)


def raw_trials(dataset: Dataset, modality: str = "eeg") -> Trials:
    """Return the labelled trials themselves, as recorded: x (N, C, T) in SI units, usable sensors only.

    Raises
    ------
    DataError
        If there is no trial, or trials differ in channels, length or rate.
    """

    def read(row: int, recording: Recording) -> tuple[Any, list[Any], TimeSeries]:
        _, series = recording.series(modality)
        kinds = modalities.load(series.modality).kinds
        usable = np.array([kind in kinds for kind in series.channels.kind], dtype=bool) & ~series.channels.bad
        series = series.take(usable)
        bounds, values = target_windows(dataset, row, recording, series, RAW_WINDOW_S)
        return [series.read(int(a), int(b)).astype(np.float32) for a, b in bounds], values, series

    return _gather(dataset, read)


def trial_features(
    model: Model,
    dataset: Dataset,
    *,
    features: Summary = "channels",
    batch_tokens: int = 8192,
    cache: FeatureCache | None = None,
) -> Trials:
    """Return a model's features of every labelled trial.

    The contract is applied to each recording as a whole, as in `embed`; then each event whose label is in
    ``dataset.label_of`` is one window, from its onset, as long as the event but at least the contract's shortest window.
    A recording with one target is cut into windows of the contract's length.

    Parameters
    ----------
    model : Model
        With a series contract; runs where it is, in evaluation mode.
    dataset : Dataset
        With `label_of` or a `target`.
    features : {"channels", "pooled", "tokens"}
        Mean over time of each channel, concatenated (C*D): keeps the topography that a mean over all tokens loses. Or
        the model's own summary (D), or all tokens (N*D). The first and the last need the same channels in all trials.
    batch_tokens : int
        Tokens that go through the model at once, at most.
    cache : FeatureCache, optional
        Where features of a recording are looked for before they are computed, and kept.

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
    of_model = "" if cache is None else model_digest(model, features)

    def run(series: TimeSeries, bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        x: list[npt.NDArray[np.float32]] = []
        with torch.inference_mode():
            for cuts in budget.split([Cut(series, int(a), int(b)) for a, b in bounds]):
                x.extend(flatten(model(budget.batch(cuts)), features).float().cpu().numpy())
        widths = {v.shape for v in x}
        if len(widths) > 1:
            raise _differ(widths)
        return np.stack(x)

    def read(row: int, recording: Recording) -> tuple[Any, list[Any], TimeSeries]:
        _, series = contract.apply(recording).series(contract.modality)
        bounds, values = target_windows(dataset, row, recording, series, contract.window_s, contract.min_window_s)
        if not len(bounds):
            return [], values, series
        if cache is None:
            return run(series, bounds), values, series
        key = cache.key(of_model, series, bounds)
        return cache.get(key, lambda: run(series, bounds)), values, series

    return _gather(dataset, read, with_channels=features != "pooled")


def flatten(features: Features, kind: Summary) -> Tensor:
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


def group_names(dataset: Dataset) -> list[str]:
    """What belongs together, one name a row: the subject where there are several, else the recording."""
    given = [str(row.get("group") or "") for row in dataset.table]
    if given and all(given):
        return given
    subjects = [str(row.get("subject") or "") for row in dataset.table]
    several = len(set(subjects)) > 1 and all(subjects)
    return subjects if several else [f"recording {row}" for row in range(len(dataset))]


def _gather(
    dataset: Dataset,
    read: Callable[[int, Recording], tuple[Any, list[Any], TimeSeries]],
    with_channels: bool = True,
) -> Trials:
    """Put the trials of all recordings together."""
    found: list[Trials] = []
    for row, (recording, group) in enumerate(zip(dataset, group_names(dataset), strict=True)):
        x, values, series = read(row, recording)
        if not len(x):
            continue
        shapes = {v.shape for v in x}
        if len(shapes) > 1:
            raise _differ(shapes)
        y, kind = encode(values)
        more = Trials(
            x=np.stack(x) if isinstance(x, list) else x,
            y=y,
            groups=np.full(len(y), group),
            channels=series.channels.name if with_channels else (),
            sfreq=series.sfreq,
            kind=kind,
            units=np.full(len(y), str(dataset.table[row].get("unit") or f"recording {row}")),
        )
        if found:
            found[0].must_match(more)
        found.append(more)
    return Trials.join(found)


def _differ(shapes: set[tuple[int, ...]]) -> DataError:
    return DataError(f"trials of one recording differ in shape ({sorted(shapes)}); give events one duration")


def encode(values: Sequence[Any]) -> tuple[npt.NDArray[Any], Kind]:
    """Class names, numbers or joined labels, and which they are."""
    if all(isinstance(value, str) for value in values):
        return np.array(values), "classes"
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        found = np.array(values, dtype=np.float64)
        if not np.isfinite(found).all():
            raise DataError("a quantity to predict must be finite; leave out the trials without one")
        return found, "quantity"
    if all(isinstance(value, list | tuple) for value in values):
        return np.array(["|".join(map(str, value)) for value in values]), "labels"
    kinds = ", ".join(sorted({type(value).__name__ for value in values}))
    raise DataError(f"what is to be predicted must be all texts, all numbers or all lists of labels; found {kinds}")
