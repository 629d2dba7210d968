"""Training an activity model on worms, with a stretch of each held back to know when to stop."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from neurokit_fm import Batch, Loss, Model, Recording, TimeSeries
from neurokit_fm.batch.collate import collate
from neurokit_fm.errors import DataError


@runtime_checkable
class Fittable(Protocol):
    """A model that is fitted in closed form as a whole."""

    def fit(self, recordings: Sequence[Recording], *, seed: int = 0) -> object:
        """Fit in place."""
        ...


@runtime_checkable
class Scored(Protocol):
    """A model with an objective."""

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Objective on a batch."""
        ...


@runtime_checkable
class Startable(Protocol):
    """A model with a part that is fitted in closed form before the rest is trained."""

    def start(self, recordings: Sequence[Recording]) -> None:
        """Fit that part."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How a model is trained by gradient steps.

    Attributes
    ----------
    steps : int
        At most.
    window : int
        Samples of a window.
    batch : int
        Windows of a step.
    lr, weight_decay : float
        AdamW.
    held_back : float
        Share of each recording, at its end, that is not trained on but says when to stop.
    every : int
        Steps between two looks at it.
    patience : int
        Looks without gain after which training ends.
    limit_s : float, seconds
        The search for the number of steps ends after half of it; training again takes no longer.
    """

    steps: int = 400
    window: int = 32
    batch: int = 4
    lr: float = 3e-4
    weight_decay: float = 0.05
    held_back: float = 0.2
    every: int = 10
    patience: int = 5
    limit_s: float = 110.0


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How training went.

    Attributes
    ----------
    steps : ndarray, shape (K,)
    train, held_back : ndarray, shape (K,)
        Loss at these steps: mean since the last look, and on what was held back.
    best_step : int
    seconds : float
    """

    steps: npt.NDArray[np.int64]
    train: npt.NDArray[np.float64]
    held_back: npt.NDArray[np.float64]
    best_step: int
    seconds: float


def train(model: Model, recordings: Sequence[Recording], plan: TrainingPlan | None = None, *, seed: int = 0) -> Trained:
    """Train a model in place; a model that is fitted in closed form is fitted to everything.

    What is held back decides for how many steps; then training is done again from the start, for as many steps, on
    everything. A best step of 0 leaves the linear part alone.

    Parameters
    ----------
    model : Model
        Of this package.
    recordings : sequence of Recording
        In the model's units, at one rate.
    plan : TrainingPlan, optional
    seed : int
        Of windows, and neurons hidden. Weights were drawn when the model was built.

    Raises
    ------
    DataError
        If no stretch is as long as a window.
    """
    plan, started = plan or TrainingPlan(), time.monotonic()
    nothing = np.zeros(0)
    if isinstance(model, Fittable):
        model.fit(recordings, seed=seed)
    if isinstance(model, Fittable) or not any(p.requires_grad for p in model.parameters()):
        return Trained(steps=nothing.astype(np.int64), train=nothing, held_back=nothing, best_step=0, seconds=time.monotonic() - started)  # fmt: skip
    assert isinstance(model, Scored)
    parts = [_divided(recording, plan) for recording in recordings]
    early, late = [part for part, _ in parts], [part for _, part in parts if part is not None]
    fresh = copy.deepcopy(model.state_dict())
    watched = windows_of(late or early, plan.window)
    at, seen, shown = _steps(model, early, plan, plan.steps, seed, watched, started)
    best_step = at[int(np.argmin(shown))]
    if late:  # once more from the start, for as long, on everything
        model.load_state_dict(fresh)
        _steps(model, recordings, plan, best_step, seed)
    model.eval()
    return Trained(
        steps=np.array(at),
        train=np.array(seen),
        held_back=np.array(shown),
        best_step=best_step,
        seconds=time.monotonic() - started,
    )


def _steps(
    model: Model,
    recordings: Sequence[Recording],
    plan: TrainingPlan,
    steps: int,
    seed: int,
    watched: Sequence[Batch] = (),
    started: float = float("inf"),
) -> tuple[list[int], list[float], list[float]]:
    """Train for at most so many steps of the plan's schedule, looking at `watched` on the way; steps and losses."""
    assert isinstance(model, Scored)
    if isinstance(model, Startable):
        model.start(recordings)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.lr, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.lr, total_steps=plan.steps, pct_start=0.1)
    at, seen = [0], [float("nan")]
    shown = [watch(model, watched)] if watched else []
    recent: list[float] = []
    weights = np.array([_series(recording).n_samples for recording in recordings], dtype=float)
    for step in range(1, steps + 1):
        model.train()
        chosen = rng.choice(len(recordings), size=plan.batch, p=weights / weights.sum())
        batch = collate([_window(recordings[i], plan.window, rng) for i in chosen])
        loss = model.loss(batch, generator=generator)
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent.append(float(loss.total.detach()))
        over = time.monotonic() - started > plan.limit_s / 2
        if watched and (step % plan.every == 0 or step == steps or over):
            at.append(step)
            seen.append(float(np.mean(recent)))
            shown.append(watch(model, watched))
            recent = []
            if over or len(shown) - 1 - int(np.argmin(shown)) >= plan.patience:
                break
    return at, seen, shown


def windows_of(recordings: Sequence[Recording], window: int) -> list[Batch]:
    """Consecutive windows of each recording, in batches of one recording each."""
    batches = []
    for recording in recordings:
        series = _series(recording)
        starts = range(0, max(1, series.n_samples - window + 1), window)
        parts = [_slice(recording, start, min(window, series.n_samples)) for start in starts]
        batches.append(collate(parts))
    return batches


@torch.no_grad()
def watch(model: Model, batches: Sequence[Batch]) -> float:
    """Mean loss over batches, in evaluation mode."""
    assert isinstance(model, Scored)
    model.eval()
    return float(np.mean([float(model.loss(batch).parts["error"]) for batch in batches]))


def _divided(recording: Recording, plan: TrainingPlan) -> tuple[Recording, Recording | None]:
    n = _series(recording).n_samples
    if n < plan.window:
        raise DataError(f"{recording.title}: {n} samples; the minimum is one window of {plan.window}")
    cut = round(n * (1 - plan.held_back))
    if plan.held_back == 0 or n - cut < 4 or cut < plan.window:
        return recording, None
    return _slice(recording, 0, cut), _slice(recording, cut, n - cut)


def _window(recording: Recording, window: int, rng: np.random.Generator) -> Recording:
    n = _series(recording).n_samples
    return _slice(recording, int(rng.integers(0, n - window + 1)), window)


def _slice(recording: Recording, first: int, length: int) -> Recording:
    """Samples [first, first + length) of the traces alone."""
    series = _series(recording)
    half = 0.5 / series.sfreq
    start = series.start + first / series.sfreq
    return Recording(signals={"calcium": series.crop(start - half, start + length / series.sfreq - half)})


def _series(recording: Recording) -> TimeSeries:
    _, series = recording.series("calcium")
    return series
