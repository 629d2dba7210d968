"""One worm from raw traces to the homogenised form: derivative, smoothing, an even grid, normalisation, 300 slots.

Source: arXiv:2411.12091 and its preprocessing code. Defects of the published code are mended unless
``PipelineConfig(reference=True)`` asks for them: times were cut to float32 before the start was subtracted (the median
step of Dag et al. came out as 0.625 instead of 0.600 s), and everything was stored as float16 (steps of 0.5 s in time,
overflow of fluorescence above 65504). Unlabelled traces got a random slot; here they have none (-1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import ConfigError, DataError
from nkfm_celegans import smoothing
from nkfm_celegans.labels import Labels
from nkfm_celegans.neurons import canonical_neurons, slot_of
from nkfm_celegans.resampling import check_times, resample

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """How a worm is preprocessed; the defaults made the files on the Hub.

    Attributes
    ----------
    resample_dt_s : float, seconds
    smooth : {"moving", "gaussian", "exponential", "none"}
    window_size : int
        Samples, moving average; see `smoothing.moving_average` for what it means.
    sigma : float
        Samples, Gaussian.
    alpha : float
        Exponential.
    normalise : {"standard", "causal", "none"}
        Of the smoothed, resampled traces. ``"standard"`` uses the whole recording, so that a later part leaks into an
        earlier one; ``"causal"`` uses the past only.
    min_samples : int
        Shorter recordings are an error.
    fill : {"linear", "iterative"}
        How gaps (NaN) in a trace are filled: linearly in time, or from the other traces by scikit-learn's
        IterativeImputer as published (slow).
    reference : bool
        Times and results with the published loss of digits.
    """

    resample_dt_s: float = 0.333
    smooth: Literal["moving", "gaussian", "exponential", "none"] = "moving"
    window_size: int = 15
    sigma: float = 5.0
    alpha: float = 0.5
    normalise: Literal["standard", "causal", "none"] = "standard"
    min_samples: int = 600
    fill: Literal["linear", "iterative"] = "linear"
    reference: bool = False

    def __post_init__(self) -> None:
        if self.smooth not in ("moving", "gaussian", "exponential", "none"):
            raise ConfigError(f"smooth must be 'moving', 'gaussian', 'exponential' or 'none'; got {self.smooth!r}")
        if self.normalise not in ("standard", "causal", "none") or self.fill not in ("linear", "iterative"):
            raise ConfigError(
                f"normalise must be 'standard', 'causal' or 'none' and fill 'linear' or 'iterative'; got "
                f"{self.normalise!r} and {self.fill!r}"
            )
        if not self.resample_dt_s > 0 or self.min_samples < 2:
            raise ConfigError(
                f"resample_dt_s must be positive and min_samples at least 2; got {self.resample_dt_s:g}, {self.min_samples}"
            )

    def smoothed(self, x: npt.ArrayLike) -> smoothing.Array:
        """Smooth traces (T, N) as configured."""
        if self.smooth == "moving":
            return smoothing.moving_average(x, self.window_size)
        if self.smooth == "gaussian":
            return smoothing.gaussian_average(x, self.sigma)
        if self.smooth == "exponential":
            return smoothing.exponential_average(x, self.alpha)
        return np.array(x, dtype=np.float64)

    def words(self) -> tuple[str, ...]:
        """What is done, a line a step."""
        how = {
            "moving": f"moving average, window {self.window_size} (past half)",
            "gaussian": f"one-sided Gaussian average, sigma {self.sigma:g} samples",
            "exponential": f"exponential average, alpha {self.alpha:g}",
        }
        scale = {"standard": "z-score over the whole recording", "causal": "z-score by the past of each sample"}
        return (
            *([how[self.smooth]] if self.smooth != "none" else []),
            f"resampled to steps of {self.resample_dt_s:g} s",
            *([scale[self.normalise]] if self.normalise != "none" else []),
            *(["published loss of digits kept (reference mode)"] if self.reference else []),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RawWorm:
    """A worm as its lab published it.

    Attributes
    ----------
    time : ndarray, shape (T,), seconds
    traces : ndarray, shape (T, N)
        Fluorescence, ratio or dF/F, as published.
    labels : Labels
        Clean names, one a trace.
    source_dataset, worm : str
        Unique together.
    file, citation : str
    onsets : mapping of str to ndarray, seconds on the clock of `time`
        What happened, by name.
    """

    time: npt.NDArray[Any]
    traces: npt.NDArray[Any]
    labels: Labels
    source_dataset: str
    worm: str = "worm0"
    file: str = ""
    citation: str = ""
    onsets: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        t, n = self.traces.shape if self.traces.ndim == 2 else (0, 0)
        if self.traces.ndim != 2 or len(self.time) != t or len(self.labels.names) != n:
            raise DataError(
                f"{self.title}: {len(self.time)} times and {len(self.labels.names)} labels for traces of shape "
                f"{self.traces.shape}; they are (time, neuron)"
            )

    @property
    def title(self) -> str:
        """How to call it in a message."""
        return self.file or f"{self.source_dataset} {self.worm}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Worm:
    """A homogenised worm; arrays are (time, neuron), float32, times float64.

    Attributes
    ----------
    names : tuple of str
        N traces: canonical names, numbers for unlabelled ones.
    slots : ndarray, shape (N,), int64
        -1 for unlabelled traces.
    time_in_seconds : ndarray, shape (M,), float64
    calcium_data : ndarray, shape (M, N)
        Smoothed, resampled, normalised.
    smooth_calcium_data, residual_calcium, smooth_residual_calcium : ndarray, shape (M, N)
        Resampled, not normalised.
    resampled_calcium_data : ndarray, shape (M, N)
        Resampled only.
    original_time_in_seconds : ndarray, shape (T,), float64
    original_calcium_data, original_smooth_calcium_data, original_residual_calcium, original_smooth_residual_calcium :
        ndarray, shape (T, N)
    cumulative_mean, cumulative_std : ndarray, shape (M, N), or None
        With causal normalisation: ``calcium_data * cumulative_std + cumulative_mean`` undoes it.
    source_dataset, worm, file, citation : str
    steps : tuple of str
        Everything done, repairs included.
    onsets : mapping of str to ndarray, seconds on the clock of `time_in_seconds`
    """

    names: tuple[str, ...]
    slots: npt.NDArray[np.int64]
    time_in_seconds: npt.NDArray[np.float64]
    calcium_data: Array
    smooth_calcium_data: Array
    residual_calcium: Array
    smooth_residual_calcium: Array
    resampled_calcium_data: Array
    original_time_in_seconds: npt.NDArray[np.float64]
    original_calcium_data: Array
    original_smooth_calcium_data: Array
    original_residual_calcium: Array
    original_smooth_residual_calcium: Array
    cumulative_mean: Array | None
    cumulative_std: Array | None
    source_dataset: str
    worm: str
    file: str
    citation: str
    steps: tuple[str, ...]
    onsets: Mapping[str, npt.NDArray[np.float64]]

    @property
    def is_labeled(self) -> npt.NDArray[np.bool_]:
        """True for traces of identified neurons, (N,)."""
        return np.asarray(self.slots >= 0)

    @property
    def median_dt(self) -> float:
        """Of the resampled times, seconds."""
        return float(np.median(np.diff(self.time_in_seconds)))

    @property
    def original_median_dt(self) -> float:
        """Of the recorded times, seconds."""
        return float(np.median(np.diff(self.original_time_in_seconds)))

    def in_slots(self, field_name: str = "calcium_data") -> tuple[Array, npt.NDArray[np.bool_]]:
        """Identified neurons of one field in the 300 slots, (T, 300) with 0 in empty ones, and the mask (300,)."""
        values = getattr(self, field_name)
        dense = np.zeros((len(values), len(canonical_neurons())), dtype=np.float32)
        dense[:, self.slots[self.is_labeled]] = values[:, self.is_labeled]
        mask = np.zeros(dense.shape[1], dtype=bool)
        mask[self.slots[self.is_labeled]] = True
        return dense, mask


def preprocess(raw: RawWorm, config: PipelineConfig | None = None) -> Worm:
    """Homogenise one worm.

    In this order: traces without any value are dropped and gaps filled, time starts at 0, derivative, smoothing of trace
    and derivative, all four on an even grid, normalisation of the smoothed trace.

    Raises
    ------
    DataError
        If it is shorter than `min_samples`, no trace belongs to an identified neuron, or times do not ascend.
    """
    config = config or PipelineConfig()
    if len(raw.traces) < config.min_samples:
        raise DataError(
            f"{raw.title}: {len(raw.traces)} samples; the minimum is {config.min_samples} "
            "(set PipelineConfig(min_samples=...) to take shorter recordings)"
        )
    try:
        recorded = np.asarray(raw.time, dtype=np.float32 if config.reference else np.float64)
        time = check_times(recorded)
    except DataError as err:
        raise DataError(f"{raw.title}: {err}") from err
    traces, names, repairs = _repaired(raw, config)
    slots = np.array([slot_of(name) for name in names], dtype=np.int64)
    if not (slots >= 0).any():
        raise DataError(
            f"{raw.title}: none of {len(names)} traces belongs to an identified neuron; labels begin "
            f"{', '.join(raw.labels.names[:6])}"
        )
    clock = time - time[0]
    originals = {"calcium_data": traces, "residual_calcium": smoothing.residual(clock, traces)}
    originals |= {f"smooth_{k}": config.smoothed(v) for k, v in originals.items()}
    even, grid = {}, clock
    for key, values in originals.items():
        grid, even[key] = resample(clock, values, config.resample_dt_s)
    off = abs(float(np.median(np.diff(grid))) - config.resample_dt_s) if len(grid) > 1 else 0.0
    if off > 0.01:
        raise DataError(f"{raw.title}: resampled to steps {off:g} s away from {config.resample_dt_s:g} s")
    causal = smoothing.standardise_causally(even["smooth_calcium_data"]) if config.normalise == "causal" else None
    if causal is not None:
        scaled = causal.values
    else:
        smooth = even["smooth_calcium_data"]
        scaled = smoothing.standardise(smooth) if config.normalise == "standard" else smooth

    def stored(x: npt.NDArray[Any] | None) -> Any:
        if x is None:
            return None
        with np.errstate(over="ignore"):
            return x.astype(np.float16).astype(np.float32) if config.reference else x.astype(np.float32)

    def times(t: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.asarray(t.astype(np.float16) if config.reference else t, dtype=np.float64)

    return Worm(
        names=names,
        slots=slots,
        time_in_seconds=times(grid),
        calcium_data=stored(scaled),
        smooth_calcium_data=stored(even["smooth_calcium_data"]),
        residual_calcium=stored(even["residual_calcium"]),
        smooth_residual_calcium=stored(even["smooth_residual_calcium"]),
        resampled_calcium_data=stored(even["calcium_data"]),
        original_time_in_seconds=times(clock),
        original_calcium_data=stored(traces),
        original_smooth_calcium_data=stored(originals["smooth_calcium_data"]),
        original_residual_calcium=stored(originals["residual_calcium"]),
        original_smooth_residual_calcium=stored(originals["smooth_residual_calcium"]),
        cumulative_mean=stored(causal.mean if causal else None),
        cumulative_std=stored(causal.std if causal else None),
        source_dataset=raw.source_dataset,
        worm=raw.worm,
        file=raw.file,
        citation=raw.citation,
        steps=(*raw.labels.repairs, *repairs, *config.words()),
        onsets={name: np.asarray(when, dtype=np.float64) - float(time[0]) for name, when in raw.onsets.items()},
    )


def _repaired(raw: RawWorm, config: PipelineConfig) -> tuple[npt.NDArray[np.float64], tuple[str, ...], list[str]]:
    """Traces without gaps, their names, and what was done for it."""
    traces = np.array(raw.traces, dtype=np.float64)
    traces[~np.isfinite(traces)] = np.nan
    gaps = np.isnan(traces)
    empty: npt.NDArray[np.bool_] = np.asarray(gaps.all(axis=0))
    repairs: list[str] = []
    if empty.any():
        gone = [name for name, drop in zip(raw.labels.names, empty, strict=True) if drop]
        repairs.append(f"{len(gone)} traces without any value dropped: {_some(gone)}")
    traces, gaps = traces[:, ~empty], gaps[:, ~empty]
    names = tuple(name for name, drop in zip(raw.labels.names, empty, strict=True) if not drop)
    if gaps.any():
        holed = [name for name, gap in zip(names, np.asarray(gaps.any(axis=0)), strict=True) if gap]
        how = "linearly in time" if config.fill == "linear" else "from the other traces (IterativeImputer)"
        repairs.append(f"{int(gaps.sum())} missing samples of {len(holed)} traces filled {how}: {_some(holed)}")
        traces = smoothing.fill_gaps(traces) if config.fill == "linear" else _impute(traces)
    return traces, names, repairs


def _impute(traces: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # scikit-learn's switch
    from sklearn.impute import IterativeImputer

    imputer = IterativeImputer(random_state=0, n_nearest_features=min(10, traces.shape[1]), skip_complete=False)
    return np.asarray(imputer.fit_transform(traces), dtype=np.float64)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
