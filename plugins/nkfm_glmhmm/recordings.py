"""From recordings and batches to trials: spikes are counted in bins, series taken sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Batch, PointProcess, PointsContract, Recording, SeriesContract, TimeSeries
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.layout import Array

COVARIATES, INPUTS = "covariates", "inputs"
"""Names of the time series of a recording that hold covariates, and inputs of the transitions, where the config asks."""


def contract_for(recording: Recording, *, signal: str = "", bin_s: float = 0.02) -> PointsContract | SeriesContract:
    """Describe the signal of a recording that a model is to be fitted to.

    Parameters
    ----------
    recording : Recording
    signal : str
        Name of the signal; may be left out if there is only one point process or series.
    bin_s : float, seconds
        For point processes.

    Raises
    ------
    DataError
        If there is no such signal, or several and none is named.
    """
    fits = {n: s for n, s in recording.signals.items() if isinstance(s, PointProcess | TimeSeries)}
    fits = {n: s for n, s in fits.items() if n not in (COVARIATES, INPUTS)}
    if signal not in fits and (signal or len(fits) != 1):
        named = f"no signal {signal!r}" if signal else f"{len(fits)} signals to choose from"
        raise DataError(f"{recording.title} holds {named}; name one of: {', '.join(fits) or 'nothing'}")
    chosen = fits[signal or next(iter(fits))]
    if isinstance(chosen, PointProcess):
        return PointsContract(modality=chosen.modality, bin_s=bin_s, window_s=max(10.0, bin_s))
    return SeriesContract(
        modality=chosen.modality,
        sfreq=chosen.sfreq,
        min_sfreq=chosen.sfreq,
        window_s=max(10.0, 100 / chosen.sfreq),
        min_window_s=1 / chosen.sfreq,
    )


def bin_width(contract: PointsContract | SeriesContract) -> float:
    """Width of a bin of the model, seconds."""
    return contract.bin_s if isinstance(contract, PointsContract) else 1 / contract.sfreq


def trials_of(
    recordings: Sequence[Recording], contract: PointsContract | SeriesContract, config: GlmHmmConfig
) -> tuple[Trials, list[Array]]:
    """Apply the contract and cut recordings into trials, one for each unbroken stretch.

    Returns
    -------
    Trials
    list of ndarray, shape (T,)
        Start of each bin on its recording's clock, seconds, a list entry a trial.

    Raises
    ------
    ContractError
        If a recording does not fit.
    DataError
        If covariates that the config asks for are missing.
    """
    values: list[Array] = []
    times: list[Array] = []
    more: dict[str, list[Array]] = {COVARIATES: [], INPUTS: []}
    for recording in recordings:
        signal = next(iter(contract.apply(recording).signals.values()))
        width = bin_width(contract)
        for start, x in _stretches(signal, width):
            values.append(x)
            times.append(np.asarray(start + width * np.arange(len(x)), dtype=np.float64))
            for name, wanted in ((COVARIATES, config.n_covariates), (INPUTS, config.n_inputs)):
                if wanted:
                    more[name].append(_sampled(recording, name, wanted, times[-1] + width / 2))
    trials = Trials.of(
        values,
        basis=config.kernels(),
        covariates=more[COVARIATES] or None,
        inputs=more[INPUTS] or None,
    )
    return trials, times


def batch_trials(
    batch: Batch, contract: PointsContract | SeriesContract, config: GlmHmmConfig
) -> tuple[Trials, npt.NDArray[np.int64]]:
    """Trials of a batch, one a sample, and the number of bins of each (B,)."""
    if config.n_covariates or config.n_inputs:
        raise DataError("a batch holds no covariates; use states(recording) with a model that needs them")
    neurons = len(contract.channels)
    if isinstance(contract, PointsContract):
        arrays = [_counts(batch.the(PointStream), b, contract.bin_s, neurons) for b in range(len(batch))]
    else:
        stream = batch.the(SeriesStream)
        _same_number(stream.channel_mask.sum(1).tolist(), neurons)
        arrays = [
            stream.values[b][stream.channel_mask[b]][:, stream.time_mask[b]].double().cpu().numpy().T
            for b in range(len(batch))
        ]
    return Trials.of(arrays, basis=config.kernels()), np.array([len(a) for a in arrays])


def _stretches(signal: Any, width: float) -> list[tuple[float, Array]]:
    if isinstance(signal, PointProcess):
        cut = [(float(a), signal.crop(float(a), float(b))) for a, b in signal.support if b - a >= width * (1 - 1e-6)]
        return [(a, part.counts(width).T.astype(np.float64)) for a, part in cut]
    return [
        (signal.start + a / signal.sfreq, np.asarray(signal.read(a, b), dtype=np.float64).T) for a, b in signal.runs()
    ]


def _sampled(recording: Recording, name: str, wanted: int, at: Array) -> Array:
    """Values of a series at given times, nearest sample, (T, U)."""
    signal = recording.signals.get(name)
    if not isinstance(signal, TimeSeries) or len(signal.channels) != wanted:
        have = ", ".join(recording.signals)
        raise DataError(
            f"{recording.title}: this model needs a time series {name!r} of {wanted} channels; the recording holds {have}"
        )
    index = np.clip(np.floor((at - signal.start) * signal.sfreq + 1e-6).astype(int), 0, signal.n_samples - 1)
    return np.asarray(signal.read(), dtype=np.float64)[:, index].T


def _counts(stream: PointStream, sample: int, bin_s: float, neurons: int) -> Array:
    _same_number([int(stream.channel_mask[sample].sum())], neurons)
    bins = max(1, int(float(stream.duration[sample]) / bin_s + 1e-4))
    real = stream.mask[sample]
    which = np.floor(stream.times[sample][real].double().cpu().numpy() / bin_s + 1e-4).astype(int)
    out = np.zeros((bins, neurons))
    inside = (which >= 0) & (which < bins)
    np.add.at(out, (which[inside], stream.source[sample][real].cpu().numpy()[inside]), 1)
    return out


def _same_number(found: Sequence[int], neurons: int) -> None:
    if any(n != neurons for n in found):
        raise DataError(f"the model has {neurons} channels, this batch {sorted(set(found))}; apply its contract first")
