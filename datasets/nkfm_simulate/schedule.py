"""What happens when: trials, switches of state and blinks of a whole recording, drawn before anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm import Events
from nkfm_simulate.config import SimulationConfig
from nkfm_simulate.sources import NAMED

Times = npt.NDArray[np.float64]

HANDS = ("left", "right")
BLINK_S, MUSCLE_S = 0.4, 1.5
LEAD_S = 1.0
"""Before the first trial."""
SWITCH_S = 0.1
"""A switch of state takes this long."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Onsets in seconds from the first sample.

    Attributes
    ----------
    trial, hand, vigour : ndarray, shape (N,)
        Onset; index into `HANDS`; size of the response, about 1.
    switch, state : ndarray, shape (M,)
        When a state begins (the first at 0), and which.
    blink, lid : ndarray, shape (L,)
        Onset; size of the blink, about 1.
    seizure, focus : ndarray, shape (J,)
        Onset; the named source where the discharge begins.
    muscle, tension : ndarray, shape (I,)
        Onset; size of the burst, about 1.
    """

    trial: Times
    hand: npt.NDArray[np.int64]
    vigour: Times
    switch: Times
    state: npt.NDArray[np.int64]
    blink: Times
    lid: Times
    seizure: Times
    focus: npt.NDArray[np.int64]
    muscle: Times
    tension: Times

    def events(self, trial_s: float, duration_s: float, seizure_s: float) -> Events:
        """Return all of it as labelled events; states are ``state-1``, ``state-2`` ..."""
        labels = [
            *(HANDS[i] for i in self.hand),
            *(f"state-{i + 1}" for i in self.state),
            *("blink" for _ in self.blink),
            *("seizure" for _ in self.seizure),
            *("muscle" for _ in self.muscle),
        ]
        lengths = np.concatenate(
            [
                np.full(len(self.trial), trial_s),
                np.diff([*self.switch, duration_s]),
                np.full(len(self.blink), BLINK_S),
                np.full(len(self.seizure), seizure_s),
                np.full(len(self.muscle), MUSCLE_S),
            ]
        )
        onsets = [self.trial, self.switch, self.blink, self.seizure, self.muscle]
        return Events.of(np.concatenate(onsets), labels, lengths)

    def in_state(self, times: Times, states: int) -> npt.NDArray[np.float32]:
        """How much each state is on, (K, T): 0 or 1, with ramps of `SWITCH_S` between."""
        on = (self.state[None] == np.arange(states)[:, None]).astype(np.float64)  # (K, M)
        spent = np.concatenate([np.zeros((states, 1)), np.cumsum(on[:, :-1] * np.diff(self.switch), axis=1)], axis=1)

        def until(when: Times) -> Times:
            """Time spent in each state until then, (K, T)."""
            run = np.maximum(np.searchsorted(self.switch, when, side="right") - 1, 0)  # (T,)
            return np.asarray(spent[:, run] + on[:, run] * (when - self.switch[run]))

        half = SWITCH_S / 2
        return ((until(times + half) - until(times - half)) / SWITCH_S).astype(np.float32)


def draw_schedule(config: SimulationConfig, rng: np.random.Generator, rare: np.random.Generator) -> Schedule:
    """Draw a recording's schedule: hands balanced and in random order, everything else at random times.

    Discharges and muscle bursts come from `rare`, so that a recording with them is otherwise the same as without.
    """
    trial = np.zeros(0)
    if config.task == "motor":
        most = int(config.duration_s / (config.trial_s + config.gap_s)) + 1
        pauses = rng.uniform(config.gap_s, 2 * config.gap_s, most)
        trial = LEAD_S + np.concatenate([[0.0], np.cumsum(config.trial_s + pauses)])
        trial = trial[trial + config.trial_s <= config.duration_s]
    hand = np.concatenate([rng.permutation(2) for _ in range(len(trial) // 2 + 1)])[: len(trial)]
    switch, state = _states(config.activity.states, config.activity.state_s, config.duration_s, rng)
    blink = _spaced(config.artefacts.blinks_per_minute / 60, 2 * BLINK_S, config.duration_s - BLINK_S, rng)
    activity, fits = config.activity, config.duration_s - config.activity.seizure_s
    seizure = _spaced(activity.seizures_per_hour / 3600, 2 * activity.seizure_s, fits, rare)
    muscle = _spaced(config.artefacts.muscle_per_minute / 60, 2 * MUSCLE_S, config.duration_s - MUSCLE_S, rare)
    return Schedule(
        trial=trial,
        hand=hand.astype(np.int64),
        vigour=np.exp(0.2 * rng.standard_normal(len(trial))),
        switch=switch,
        state=state,
        blink=blink,
        lid=np.exp(0.2 * rng.standard_normal(len(blink))),
        seizure=seizure,
        focus=rare.integers(len(NAMED), size=len(seizure)),
        muscle=muscle,
        tension=np.exp(0.2 * rare.standard_normal(len(muscle))),
    )


def superpose(
    times: Times, onset: Times, weight: Times, waveform: Callable[[Times], Times], length_s: float
) -> npt.NDArray[np.float32]:
    """Sum of a waveform at each onset, as a function of time.

    Parameters
    ----------
    times : ndarray, shape (T,), seconds, ascending
    onset : ndarray, shape (N,), seconds, ascending
    weight : ndarray, shape (N, R)
    waveform : callable
        Of the time since the onset, 0 outside [0, `length_s`).

    Returns
    -------
    ndarray, shape (R, T), float32
    """
    total = np.zeros((weight.shape[1], len(times)), dtype=np.float32)
    first, last = np.searchsorted(onset, (times[0] - length_s, times[-1]), side="right")
    for number in range(first, last):
        begin, end = np.searchsorted(times, (onset[number], onset[number] + length_s))
        shape = waveform(times[begin:end] - onset[number])
        total[:, begin:end] += (weight[number, :, None] * shape[None]).astype(np.float32)
    return total


def _states(
    states: int, mean_s: float, duration_s: float, rng: np.random.Generator
) -> tuple[Times, npt.NDArray[np.int64]]:
    """Visits of at least a fifth of the mean time, none twice in a row."""
    if states == 1:
        return np.zeros(1), np.zeros(1, dtype=np.int64)
    most = int(5 * duration_s / mean_s) + 2
    visits = 0.2 * mean_s + rng.exponential(0.8 * mean_s, most)
    switch = np.concatenate([[0.0], np.cumsum(visits)])
    steps = rng.integers(1, states, len(switch))
    steps[0] = rng.integers(states)
    keep = switch < duration_s
    return switch[keep], (np.cumsum(steps) % states)[keep]


def _spaced(rate_hz: float, least_s: float, duration_s: float, rng: np.random.Generator) -> Times:
    """Random times at a mean rate, at least so far apart."""
    if rate_hz <= 0 or duration_s <= 0:
        return np.zeros(0)
    mean = max(1 / rate_hz - least_s, 0.05)
    times = np.cumsum(least_s + rng.exponential(mean, int(duration_s / least_s) + 1))
    return np.asarray(times[times < duration_s])
