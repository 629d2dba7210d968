"""Reading the codes of recordings: sequences over time and channels, and what each pattern of codes stands for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from neurokit_fm import Batch, Channels, Dataset, Events, Recording, TimeSeries
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.data.series import carry
from neurokit_fm.data.store_file import opened, read_array, write_array, writing
from neurokit_fm.data.store_tables import read_channels, write_channels
from neurokit_fm.errors import DataError
from neurokit_fm.nn.quantize import code_use
from nkfm_eegformer.model import EEGFormer
from nkfm_eegformer.ngrams import places

SCORES = ("reconstruction", "quantisation")
"""What is kept of each window and channel besides the codes."""

AT_ONCE = 256
"""Channels of windows that go through the model together: few enough to stay in the cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeSequences:
    """The codes of windows of recordings.

    Attributes
    ----------
    codes : ndarray, shape (W, C, M), int64
        For each window and channel its patches in order: segment by segment, piece by piece, from low to high frequency.
    times : ndarray, shape (W, 2), float64, seconds
        Start and stop of each window on its recording's clock.
    scores : dict of str to ndarray, shape (W, C), float32
        ``reconstruction`` and ``quantisation``; see `EEGFormer.anomaly_scores`.
    channels : Channels
    hz : ndarray, shape (M, P)
        Frequency of each spectral bin of each patch.
    n_codes : int
        Size of the codebook.
    labels : ndarray, shape (W,), str, or None
        Class of each window, where they are trials.
    spectra : ndarray, shape (W, C, M, P), float16, or None
        Normalised spectra, where they were asked for.
    """

    codes: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    scores: dict[str, npt.NDArray[np.float32]]
    channels: Channels
    hz: npt.NDArray[np.float64]
    n_codes: int
    labels: npt.NDArray[np.str_] | None = None
    spectra: npt.NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: npt.ArrayLike) -> CodeSequences:
        """Return some windows (mask or indices)."""
        index = np.asarray(rows)
        return replace(
            self,
            codes=self.codes[index],
            times=self.times[index],
            scores={name: values[index] for name, values in self.scores.items()},
            labels=None if self.labels is None else self.labels[index],
            spectra=None if self.spectra is None else self.spectra[index],
        )

    def save(self, path: str | os.PathLike[str], *, source: str = "", model: str = "") -> None:
        """Write codes, times, scores and channels into one HDF5 file of the store's format, whole or not at all."""
        about: dict[str, str | int | float] = {"source": source, "model": model, "n_codes": self.n_codes}
        needed = self.codes.nbytes + self.times.nbytes + self.hz.nbytes
        with writing(path, "codes", needed=needed, attributes=about) as file:
            for name in ("codes", "times", "hz"):
                write_array(file, name, getattr(self, name))
            for name, values in self.scores.items():
                write_array(file, name, values)
            write_channels(file, self.channels)
            if self.labels is not None:
                write_array(file, "labels", self.labels)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CodeSequences:
        """Read a file that `save` wrote; its content is compared with its checksum.

        Raises
        ------
        StoreError
            If it is something else, damaged, or written by a later version.
        """
        with opened(path, "codes", verify=True) as file:
            return cls(
                codes=read_array(file["codes"]),
                times=read_array(file["times"]),
                scores={name: read_array(file[name]) for name in SCORES},
                channels=read_channels(file),
                hz=read_array(file["hz"]),
                n_codes=int(file.attrs["n_codes"]),
                labels=read_array(file["labels"]) if "labels" in file else None,
            )

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each code occurs, (K,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=self.n_codes)

    def rarity(self, reference: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Mean of -log p(code) of each window and channel, (W, C), given counts (K,) of normal recordings."""
        counts = np.asarray(reference, dtype=np.float64) + 1
        surprise = -np.log(counts / counts.sum())  # (K,)
        real = self.codes >= 0
        total = np.where(real, surprise[self.codes], 0).sum(-1)
        return np.asarray(total / np.maximum(real.sum(-1), 1))

    def overlapping(self, events: Events, share: float = 0.5) -> npt.NDArray[np.bool_]:
        """Which windows are covered by events for at least this share of their length, (W,)."""
        covered = np.zeros(len(self))
        for onset, duration in zip(events.onset, events.duration, strict=True):
            covered += np.clip(
                np.minimum(self.times[:, 1], onset + duration) - np.maximum(self.times[:, 0], onset), 0, None
            )
        return np.asarray(covered >= share * (self.times[:, 1] - self.times[:, 0]) - 1e-9)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How a codebook is used.

    Attributes
    ----------
    counts : ndarray, shape (K,)
    perplexity : float
        exp(entropy) of the codes, K if all are used alike.
    dead : tuple of int
        Codes that never occur.
    """

    counts: npt.NDArray[np.int64]
    perplexity: float
    dead: tuple[int, ...]

    @property
    def share(self) -> float:
        """Perplexity as a share of the codebook."""
        return self.perplexity / len(self.counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """What an n-gram of codes stands for.

    Attributes
    ----------
    key : tuple of int
        The codes.
    count : int
        Occurrences.
    patch : int
        Where it most often begins; `hz`, `mean` and `usual` are of its occurrences there.
    hz : ndarray, shape (n * P,)
    mean, usual : ndarray, shape (n * P,)
        Mean normalised spectrum of the occurrences, and of all windows and channels at the same place.
    rate : ndarray, shape (C,)
        Occurrences a window in each channel, its scalp map.
    """

    key: tuple[int, ...]
    count: int
    patch: int
    hz: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    usual: npt.NDArray[np.float64]
    rate: npt.NDArray[np.float64]

    @property
    def peak_hz(self) -> float:
        """Frequency at which the mean spectrum is largest."""
        return float(self.hz[np.argmax(self.mean)])


def read_codes(
    model: EEGFormer, recording: Recording, *, hop_s: float | None = None, spectra: bool = False
) -> CodeSequences:
    """Read the codes of a recording, window by window.

    Parameters
    ----------
    model : EEGFormer
        Its contract is checked and applied first; windows are as long as it says and never cross a break.
    recording : Recording
    hop_s : float, seconds, optional
        Step between windows; default: the window length. A shorter one places events more sharply in time.
    spectra : bool
        Keep the normalised spectra; 2 bytes a bin, channel and window.

    Raises
    ------
    ContractError
        If the recording does not fit.
    DataError
        If it has no stretch as long as a window.
    """
    contract = model.contract
    _, recorded = recording.series(contract.modality)
    _, series = contract.apply(recording).series(contract.modality)
    length = round(contract.window_s * series.sfreq)
    hop = length if hop_s is None else round(hop_s * series.sfreq)
    if hop < 1:
        raise DataError(f"hop_s must be at least one sample ({1 / series.sfreq:g} s); got {hop_s:g} s")
    firsts = np.array(
        [a for first, last in series.runs() for a in range(first, last - length + 1, hop)], dtype=np.int64
    )
    if not len(firsts):
        raise DataError(
            f"{recording.title} has no unbroken stretch of {contract.window_s:g} s, the window of this model; "
            "the minimum is one"
        )
    start = carry(series.start + firsts / series.sfreq, series, recorded)
    times = np.stack([start, start + length / series.sfreq], axis=1)
    return _read(model, series, firsts, length, times, None, spectra)


def read_trials(model: EEGFormer, dataset: Dataset, *, spectra: bool = False) -> CodeSequences:
    """Read the codes of all labelled trials of a data set, one window of the contract's length from each onset.

    Parameters
    ----------
    model : EEGFormer
    dataset : Dataset
        With `label_of`, and the same channels in all recordings.
    spectra : bool

    Raises
    ------
    ContractError
        If a recording does not fit.
    DataError
        If there is no labelled trial with room for a window, or channels differ.
    """
    parts: list[CodeSequences] = []
    contract, label_of = model.contract, dataset.label_of or {}
    for recording in dataset:
        ready = contract.apply(recording)
        (_, recorded), (_, series) = (one.series(contract.modality) for one in (recording, ready))
        events = ready.events.labelled(*label_of)
        length = round(contract.window_s * series.sfreq)
        first = np.ceil((events.onset - series.start) * series.sfreq - 1e-6).astype(np.int64)
        fits = np.zeros(len(first), dtype=bool)
        for begin, end in series.runs():
            fits |= (first >= begin) & (first + length <= end)
        if not fits.any():
            continue
        start = carry(events.onset[fits], series, recorded)
        times = np.stack([start, start + length / series.sfreq], axis=1)
        labels = np.array([label_of[label] for label in events.label])[fits]
        parts.append(_read(model, series, first[fits], length, times, labels, spectra))
        if parts[-1].channels.name != parts[0].channels.name:
            odd = set(parts[-1].channels.name) ^ set(parts[0].channels.name)
            raise DataError(f"{recording.title} has other channels than the first recording: {', '.join(sorted(odd))}")
    if not parts:
        raise DataError(
            f"data set {dataset.name!r} has no labelled trial with room for a window of {contract.window_s:g} s"
        )

    def join(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        codes=join("codes"),
        times=join("times"),
        scores={name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores},
        labels=join("labels"),
        spectra=join("spectra") if spectra else None,
    )


def without(recording: Recording, drop: Sequence[str]) -> Recording:
    """Leave channels out of all series of a recording.

    Raises
    ------
    DataError
        If there is no such channel.
    """
    series = {name: signal for name, signal in recording.signals.items() if isinstance(signal, TimeSeries)}
    known = {channel for signal in series.values() for channel in signal.channels.name}
    missing = [name for name in drop if name not in known]
    if missing:
        raise DataError(f"{recording.title} has no channel {', '.join(missing)}; it has {', '.join(sorted(known))}")
    kept = {name: s.take([channel not in drop for channel in s.channels.name]) for name, s in series.items()}
    return replace(recording, signals={**recording.signals, **kept}) if drop else recording


def usage(codes: CodeSequences) -> Usage:
    """How much of the codebook is used, and what never."""
    counts = codes.counts()
    _, perplexity = code_use(torch.from_numpy(codes.codes)[..., None], codes.n_codes)
    dead = tuple(int(code) for code in np.flatnonzero(counts == 0))
    return Usage(counts=counts, perplexity=float(perplexity[0]), dead=dead)


def pattern(codes: CodeSequences, key: Sequence[int]) -> Pattern:
    """Describe an n-gram of codes by its mean spectrum and its scalp map.

    Parameters
    ----------
    codes : CodeSequences
        Read with ``spectra=True``.
    key : sequence of int
        One code, or several that follow each other in a channel.

    Raises
    ------
    DataError
        If it never occurs, or the spectra were not kept.
    """
    if codes.spectra is None:
        raise DataError("mean spectra need the spectra; read the codes with spectra=True")
    found = places(codes.codes, key)  # (M, 3)
    if not len(found):
        raise DataError(f"the pattern {'-'.join(map(str, key))} never occurs")
    first = int(np.bincount(found[:, 2]).argmax())
    here = found[found[:, 2] == first]
    patches = slice(first, first + len(key))
    mean = codes.spectra[here[:, 0], here[:, 1], patches].mean(axis=0, dtype=np.float64)  # (n, P)
    rate = np.bincount(found[:, 1], minlength=codes.codes.shape[1]) / len(codes)
    return Pattern(
        key=tuple(map(int, key)),
        count=len(found),
        patch=first,
        hz=codes.hz[patches].ravel(),
        mean=mean.ravel(),
        usual=codes.spectra[:, :, patches].mean(axis=(0, 1), dtype=np.float64).ravel(),
        rate=rate,
    )


def code_spectra(codes: CodeSequences) -> npt.NDArray[np.float64]:
    """Mean normalised spectrum of the patches of each code, (K, P); NaN for codes that never occur.

    Raises
    ------
    DataError
        If the spectra were not kept.
    """
    if codes.spectra is None:
        raise DataError("mean spectra need the spectra; read the codes with spectra=True")
    total = np.zeros((codes.n_codes, codes.spectra.shape[-1]))
    for window, spectra in zip(codes.codes, codes.spectra, strict=True):
        real = window >= 0
        np.add.at(total, window[real], spectra[real].astype(np.float64))
    counts = codes.counts()[:, None]
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def code_maps(codes: CodeSequences) -> npt.NDArray[np.float64]:
    """Occurrences of each code a window in each channel, (K, C)."""
    channel = np.broadcast_to(np.arange(codes.codes.shape[1])[:, None], codes.codes.shape)
    real = codes.codes >= 0
    total = np.zeros((codes.n_codes, codes.codes.shape[1]))
    np.add.at(total, (codes.codes[real], channel[real]), 1)
    return total / len(codes)


def _read(
    model: EEGFormer,
    series: TimeSeries,
    firsts: npt.NDArray[np.int64],
    length: int,
    times: npt.NDArray[np.float64],
    labels: npt.NDArray[np.str_] | None,
    keep: bool,
) -> CodeSequences:
    """Run the model over windows that begin at some samples."""
    at_once = max(1, AT_ONCE // len(series.channels))
    parts = [_run(model, series, firsts[a : a + at_once], length, keep) for a in range(0, len(firsts), at_once)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    hz = model.tokenizer.frontend.bins_hz().double().numpy()
    return CodeSequences(
        codes=joined["codes"],
        times=times,
        scores={name: joined[name] for name in SCORES},
        channels=series.channels,
        hz=np.tile(hz, (joined["codes"].shape[2] // len(hz), 1)),
        n_codes=model.config.n_codes,
        labels=labels,
        spectra=joined.get("spectra"),
    )


def _run(
    model: EEGFormer, series: TimeSeries, firsts: npt.NDArray[np.int64], length: int, keep: bool
) -> dict[str, npt.NDArray[Any]]:
    cuts = [replace(series, data=series.read(int(a), int(a) + length), breaks=()) for a in firsts]
    batch = Batch(streams={series.modality: collate_series(cuts)}).to(model.position.device)
    model.eval()
    with torch.inference_mode():
        read = model.read(batch)
    found = {"codes": read.codes, **{name: getattr(read, name) for name in SCORES}}
    if keep:
        found["spectra"] = read.patches.half()
    return {name: value.cpu().numpy() for name, value in found.items()}
