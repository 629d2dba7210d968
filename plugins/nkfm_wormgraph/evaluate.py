"""How well a model forecasts: held-out time, other worms, other laboratories; always beside persistence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from neurokit_fm import Model, Recording, SeriesContract, TimeSeries
from neurokit_fm.batch.collate import collate
from neurokit_fm.errors import DataError
from nkfm_wormgraph.population import SLOTS, slot_by_name
from nkfm_wormgraph.training import Trained, TrainingPlan, _series, _slice, train

Array = npt.NDArray[np.float64]


def contract_for(recording: Recording, *, window: int = 32) -> SeriesContract:
    """Describe traces that are in a model's units already: their rate, and windows of so many samples."""
    series = _series(recording)
    return SeriesContract(
        modality="calcium",
        sfreq=series.sfreq,
        min_sfreq=series.sfreq,
        window_s=window / series.sfreq,
        min_window_s=4 / series.sfreq,
        normalise="none",
    )


def known_only(recording: Recording) -> Recording:
    """Leave traces of unknown neurons, bad and constant ones out.

    Raises
    ------
    DataError
        If nothing is left.
    """
    series = _series(recording)
    data = series.read()
    rows = [
        row
        for row, name in enumerate(series.channels.name)
        if name in slot_by_name() and not series.channels.bad[row] and np.ptp(data[row]) != 0  # NaN is not constant
    ]
    broken = [series.channels.name[row] for row in rows if not np.isfinite(data[row]).all()]
    if broken:
        raise DataError(f"{recording.title}: traces of {', '.join(broken[:8])} hold NaN; fill or drop them (nkfm_celegans.pipeline does)")  # fmt: skip
    if not rows:
        raise DataError(
            f"{recording.title}: no trace belongs to a known neuron; names begin {', '.join(series.channels.name[:5])}"
        )
    return Recording(signals={"calcium": series.take(rows)}, info=recording.info)


def split_in_time(recording: Recording, share: float = 0.6) -> tuple[Recording, Recording]:
    """Cut a recording in time, both parts z-scored by the first alone; constant traces of the first part are left out.

    Returns
    -------
    train, test : Recording
        Of known neurons.
    """
    recording = known_only(recording)
    series = _series(recording)
    cut = round(share * series.n_samples)
    if not 8 <= cut <= series.n_samples - 8:
        raise DataError(f"{recording.title}: {share:g} of {series.n_samples} samples leaves fewer than 8 on one side")
    data = series.read().astype(np.float64)
    mean, std = data[:, :cut].mean(1, keepdims=True), data[:, :cut].std(1, keepdims=True)
    rows = np.flatnonzero(std[:, 0] > 0)
    scaled = ((data[rows] - mean[rows]) / std[rows]).astype(np.float32)
    whole = replace(series, data=scaled, channels=series.channels.take(rows))
    both = replace(recording, signals={"calcium": whole})
    return (
        replace(_slice(both, 0, cut), info=recording.info),
        replace(_slice(both, cut, series.n_samples - cut), info=recording.info),
    )


def standardised(recording: Recording) -> Recording:
    """Known neurons of a recording, each z-scored over all of it."""
    recording = known_only(recording)
    series = _series(recording)
    data = series.read().astype(np.float64)
    scaled = (data - data.mean(1, keepdims=True)) / data.std(1, keepdims=True)
    return replace(recording, signals={"calcium": replace(series, data=scaled.astype(np.float32))})


@dataclass(frozen=True, kw_only=True, eq=False)
class Errors:
    """Squared errors of a forecast, and of persistence, sample by sample.

    Attributes
    ----------
    names : tuple of str
    model, persistence : ndarray, shape (C, M)
    prediction, target : ndarray, shape (C, M)
        At the same M samples.
    """

    names: tuple[str, ...]
    model: Array
    persistence: Array
    prediction: Array
    target: Array

    @property
    def skill(self) -> float:
        """``1 - MSE / MSE of persistence``: 0 is no better, 1 is perfect."""
        return float(1 - self.model.mean() / self.persistence.mean())

    @property
    def skill_by_neuron(self) -> Array:
        """The same for each neuron, (C,)."""
        return np.asarray(1 - self.model.mean(1) / np.maximum(self.persistence.mean(1), 1e-12))


@torch.no_grad()
def errors_of(model: Model, recording: Recording, *, window: int = 32, horizon: int = 1) -> Errors:
    """Forecast every sample of a recording that has half a window behind it.

    Windows overlap by half, and only the second half of each counts, so that every model sees the same past.
    A `horizon` beyond the model's own is reached by feeding forecasts back.

    Raises
    ------
    DataError
        If the recording is shorter than a window and the horizon.
    """
    series = _series(recording)
    x = series.read().astype(np.float64)
    own = model.config.forecast.horizon
    rounds = -(-horizon // own)
    half = window // 2
    last = series.n_samples - window - rounds * own
    if last < 0:
        raise DataError(f"{recording.title}: {series.n_samples} samples; the minimum is {window + rounds * own}")
    model.eval()
    starts = list(range(0, last + 1, half if rounds == 1 else max(1, window // 4)))
    if rounds == 1:
        out = model(collate([_slice(recording, a, window) for a in starts]))["prediction"].double().numpy()  # (W, C, T)
        at = np.concatenate([a + np.arange(half, window) for a in starts])
        found = np.concatenate(list(out[:, :, half:]), axis=1)  # (C, M)
        now, then = x[:, at], x[:, at + own]
    else:
        parts = collate([_slice(recording, a, window) for a in starts])
        found = forecast(model, parts, rounds)[..., -1].T  # (C, W)
        at = np.array(starts) + window - 1
        now, then = x[:, at], x[:, at + rounds * own]
    return Errors(
        names=series.channels.name,
        model=(found - then) ** 2,
        persistence=(now - then) ** 2,
        prediction=found,
        target=then,
    )


@torch.no_grad()
def forecast(model: Model, batch: object, rounds: int) -> Array:
    """Continue each window by feeding forecasts back, (B, C, rounds); a model of horizon 1 gives the next samples.

    The window slides: its length stays what it was.
    """
    from neurokit_fm import Batch
    from neurokit_fm.batch.series import SeriesStream

    assert isinstance(batch, Batch)
    (name,) = batch.streams
    stream = batch.the(SeriesStream)
    values, made = stream.values, []
    for _ in range(rounds):
        step = model(Batch(streams={name: replace(stream, values=values)}))["prediction"][..., -1:]  # (B, C, 1)
        made.append(step)
        values = torch.cat([values[..., 1:], step], dim=-1)
    return torch.cat(made, dim=-1).double().numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """Skill of one kind of model over seeds, and how sure that is.

    Attributes
    ----------
    name : str
    per_seed : ndarray, shape (S,)
    interval : (float, float)
        95 %: of the mean over seeds (t), or, of a model without randomness, by resampling blocks of time.
    gain : (float, float, float)
        Difference to the reference model, and its 95 % interval by resampling blocks of time, errors averaged over seeds.
    errors : Errors
        Of the first seed.
    trained : Trained
        Of the first seed.
    horizons : mapping of int to float
        Skill at longer horizons, mean over seeds.
    """

    name: str
    per_seed: Array
    interval: tuple[float, float]
    gain: tuple[float, float, float]
    errors: Errors
    trained: Trained
    horizons: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(self.per_seed.mean())


def compare(
    makers: Mapping[str, Callable[[SeriesContract], Model]],
    train_on: Sequence[Recording],
    test_on: Sequence[Recording],
    *,
    reference: str,
    seeds: Sequence[int] = (0, 1, 2),
    plan: TrainingPlan | None = None,
    horizons: Sequence[int] = (),
) -> list[Skill]:
    """Train each kind of model over seeds and score it on the same held-out samples.

    Parameters
    ----------
    makers : mapping of str to callable
        Builds a fresh model from a contract.
    train_on, test_on : sequence of Recording
        In model units; see `split_in_time` and `standardised`.
    reference : str
        Which of them the others are compared with.
    seeds : sequence of int
        A model without randomness is fitted once.
    plan : TrainingPlan, optional
    horizons : sequence of int
        Further horizons to score, steps.

    Returns
    -------
    list of Skill
        In the order of `makers`.
    """
    plan = plan or TrainingPlan()
    contract = contract_for(train_on[0], window=plan.window)
    runs: dict[str, list[tuple[list[Errors], Trained, dict[int, float]]]] = {}
    for name, make in makers.items():
        runs[name] = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model = make(contract)
            how = train(model, train_on, plan, seed=seed)
            scored = [errors_of(model, recording, window=plan.window) for recording in test_on]
            far = {h: _pooled([errors_of(model, r, window=plan.window, horizon=h) for r in test_on]) for h in horizons}
            runs[name].append((scored, how, far))
            if not any(p.requires_grad for p in model.parameters()):
                break
    base = _by_time(runs[reference])
    results = []
    for name, made in runs.items():
        each = np.array([_pooled(scored) for scored, _, _ in made])
        mine, still = _by_time(made), np.concatenate([e.persistence.mean(0) for e in made[0][0]])
        alone = _blocks(np.stack([still - mine, still]), plan.window)
        results.append(
            Skill(
                name=name,
                per_seed=each,
                interval=_interval(each) if len(each) > 1 else alone[1:],
                gain=_blocks(np.stack([base - mine, still]), plan.window),
                errors=made[0][0][0],
                trained=made[0][1],
                horizons={h: float(np.mean([far[h] for _, _, far in made])) for h in horizons},
            )
        )
    return results


def leave_one_out(
    makers: Mapping[str, Callable[[SeriesContract], Model]],
    recordings: Sequence[Recording],
    groups: Sequence[str],
    *,
    reference: str,
    seeds: Sequence[int] = (0,),
    plan: TrainingPlan | None = None,
) -> dict[str, list[Skill]]:
    """Train on all worms but those of one group (a worm, a laboratory), test on that group; for every group.

    Parameters
    ----------
    recordings : sequence of Recording
        Brought to a common rate before.
    groups : sequence of str
        Of each recording.

    Raises
    ------
    DataError
        If there is a single group, or rates differ.
    """
    if len(set(groups)) < 2 or len(groups) != len(recordings):
        raise DataError(f"leaving one out needs two groups or more, one a recording; got {sorted(set(groups))} for {len(recordings)}")  # fmt: skip
    rates = {round(_series(r).sfreq, 6) for r in recordings}
    if len(rates) > 1:
        raise DataError(f"recordings have rates {sorted(rates)} Hz; resample them first (PipelineConfig.resample_dt_s)")
    ready = [standardised(recording) for recording in recordings]
    return {
        group: compare(
            makers,
            [r for r, g in zip(ready, groups, strict=True) if g != group],
            [r for r, g in zip(ready, groups, strict=True) if g == group],
            reference=reference,
            seeds=seeds,
            plan=plan,
        )
        for group in sorted(set(groups))
    }


def coverage(recordings: Sequence[Recording]) -> npt.NDArray[np.int64]:
    """In how many recordings each of the 300 neurons is, (300,)."""
    count = np.zeros(SLOTS, dtype=np.int64)
    for recording in recordings:
        series: TimeSeries = _series(recording)
        count[[slot_by_name()[n] for n in series.channels.name if n in slot_by_name()]] += 1
    return count


def _pooled(scored: Sequence[Errors]) -> float:
    return float(1 - sum(e.model.sum() for e in scored) / sum(e.persistence.sum() for e in scored))


def _by_time(made: Sequence[tuple[list[Errors], Trained, dict[int, float]]]) -> Array:
    """Squared error of each time, mean over neurons and seeds, recordings end to end."""
    each = np.stack([np.concatenate([e.model.mean(0) for e in scored]) for scored, _, _ in made])
    return np.asarray(each.mean(0))


def _interval(values: Array) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=max(1e-12, stats.sem(values)))
    return float(low), float(high)


def _blocks(parts: Array, block: int, draws: int = 1000) -> tuple[float, float, float]:
    """Ratio of the means of two rows (2, M), and its 95 % interval, blocks of neighbouring times resampled."""
    n, rng = parts.shape[1], np.random.default_rng(0)
    size = min(max(1, block), max(1, n // 4))
    starts = rng.integers(0, max(1, n - size + 1), size=(draws, -(-n // size)))
    index = (starts[..., None] + np.arange(size)).reshape(draws, -1)[:, :n]
    top, bottom = parts[0][index].mean(1), parts[1][index].mean(1)
    low, high = np.quantile(top / bottom, [0.025, 0.975])
    return float(parts[0].mean() / parts[1].mean()), float(low), float(high)
