"""What the dipoles do: 1/f background, bursts of rhythms, evoked responses, states; moments in A m, hop by hop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nkfm_simulate.artefacts import BLINK_AM, blink
from nkfm_simulate.config import ActivityConfig, SimulationConfig
from nkfm_simulate.noise import Rows, ShapedNoise, generator, hop_length
from nkfm_simulate.schedule import BLINK_S, HANDS, Schedule, Times, superpose
from nkfm_simulate.sources import EYES, NAMED, Sources

RHYTHMS = {
    "occipital-left": "alpha",
    "occipital-right": "alpha",
    "parietal": "alpha",
    "motor-left": "mu beta",
    "motor-right": "mu beta",
}
"""Which source has which rhythms."""

SHARED_LOSS, LATERAL_LOSS = 0.3, 0.6
"""Share of mu and beta that a movement takes away on both sides, and on the opposite side only at effect 1."""
READINESS_AM = 20e-9
"""Peak moment of the lateralised potential at effect 1, A m."""
ENVELOPE_HZ = 0.5
"""Bandwidth of the slow envelope of a rhythm."""
REGION_GAIN, RHYTHM_GAIN = 0.3, 0.5
"""How much states differ (standard deviation of the logarithm), for the background and for rhythms."""
SPREAD = 0.5
"""How much of a discharge the other named sources show."""
_STATES = 7  # key of their random stream

_HAND_AREAS = ("motor-right", "motor-left")
"""Opposite to the hands, in the order of `HANDS`."""


class Activity:
    """Moments of all dipoles of one recording.

    Parameters
    ----------
    config : SimulationConfig
    sources : Sources
    schedule : Schedule
    frequencies : mapping of str to float, Hz
        Peak of each rhythm in this subject.
    seed : int
    key : tuple of int
        Tells recordings of one seed apart.
    """

    def __init__(
        self,
        config: SimulationConfig,
        sources: Sources,
        schedule: Schedule,
        frequencies: dict[str, float],
        *,
        seed: int,
        key: tuple[int, ...],
    ):
        self.config, self.schedule, self.sources = config, schedule, sources
        self.hop = hop_length(config.sfreq)
        where = {name: row for row, name in enumerate(sources.name)}
        self.brain = len(sources.name) - len(EYES)  # the eyes are last
        rhythms = [(where[name], kind) for name, kinds in RHYTHMS.items() for kind in kinds.split()]
        self.rhythm_of = np.array([row for row, _ in rhythms])
        self.kinds = [kind for _, kind in rhythms]
        frequency = np.arange(self.hop + 1) * config.sfreq / (2 * self.hop)
        self.noise = ShapedNoise(_spectra(frequency, config.activity, self.brain, self.kinds, frequencies), seed, key)
        self.scale = _sizes(config.activity, self.brain, self.kinds)  # (R, 1) A m
        self.gain = _state_gains(config.activity.states, sources.position[: self.brain], len(rhythms), seed)  # (R, K)
        self.auditory = [where["auditory-left"], where["auditory-right"]]
        self.hand_areas = [where[name] for name in _HAND_AREAS]
        moved = schedule.hand[:, None] == np.arange(len(HANDS))[None]  # (N, 2) hand area
        self.lateral = (config.effect * moved).astype(np.float64)
        mobile = np.array([kind in ("mu", "beta") for kind in self.kinds])
        self.loses = [np.flatnonzero(mobile & (self.rhythm_of == row)) for row in self.hand_areas]

    def hops(self, first: int, last: int) -> Iterator[Rows]:
        """Yield hops [first, last), each (S, H) float32, A m."""
        for number, noise in zip(range(first, last), self.noise.hops(first, last), strict=True):
            times = np.arange(number * self.hop, (number + 1) * self.hop) / self.config.sfreq  # (H,)
            yield self._moments(times, noise)

    def _moments(self, times: Times, noise: Rows) -> Rows:
        count = self.brain + len(self.kinds)
        noise[:count] *= self.scale
        if self.config.activity.states > 1:
            noise[:count] *= self.gain @ self.schedule.in_state(times, self.config.activity.states)
        rhythm = noise[self.brain : count] * _envelope(noise[count:], self.config.activity.burstiness)
        self._lose(rhythm, times)
        moments = np.zeros((len(self.sources.name), len(times)), dtype=np.float32)
        moments[: self.brain] = noise[: self.brain]
        np.add.at(moments, self.rhythm_of, rhythm)
        self._evoke(moments, times)
        return moments

    def _lose(self, rhythm: Rows, times: Times) -> None:
        """Take mu and beta away while a hand moves, more so opposite to it."""
        trial_s = self.config.trial_s
        depth = SHARED_LOSS + LATERAL_LOSS * self.lateral  # (N, 2)
        loss = superpose(times, self.schedule.trial, depth, lambda t: movement(t, trial_s), trial_s + 0.5)
        for side, rows in enumerate(self.loses):
            rhythm[rows] *= np.maximum(1 - loss[side], 0.05)

    def _evoke(self, moments: Rows, times: Times) -> None:
        evoked, vigour = 1e-9 * self.config.activity.evoked_nam, self.schedule.vigour[:, None]
        cue = superpose(times, self.schedule.trial, vigour * [[evoked, evoked]], n1_p2, 0.6)
        moments[self.auditory] += cue
        lateral = superpose(times, self.schedule.trial, vigour * READINESS_AM * self.lateral, readiness, 1.2)
        moments[self.hand_areas] += lateral
        lids = np.repeat(self.schedule.lid[:, None] * BLINK_AM, len(EYES), axis=1)
        self._discharge(moments, times)
        moments[self.brain :] = superpose(times, self.schedule.blink, lids, blink, BLINK_S)

    def _discharge(self, moments: Rows, times: Times) -> None:
        """Add the seizure-like discharges to the named sources."""
        config, focus = self.config.activity, self.schedule.focus
        if not len(focus):
            return
        here = np.arange(len(NAMED)) == focus[:, None]  # (J, named)
        weight = 1e-9 * config.seizure_nam * np.where(here, 1.0, SPREAD)
        moments[: len(NAMED)] += superpose(
            times,
            self.schedule.seizure,
            weight,
            lambda t: spikes_and_waves(t, config.seizure_s, config.seizure_hz),
            config.seizure_s,
        )


def n1_p2(t: Times) -> Times:
    """Response to a sound: negative at 100 ms, positive at 200 ms (upward dipoles, so also at the vertex)."""
    return np.asarray(0.7 * np.exp(-0.5 * ((t - 0.2) / 0.035) ** 2) - np.exp(-0.5 * ((t - 0.1) / 0.02) ** 2))


def readiness(t: Times) -> Times:
    """Slow negativity from 0.2 s to 1.2 s after the cue."""
    return np.asarray(-(np.sin(np.pi * np.clip(t - 0.2, 0, 1)) ** 2))


def movement(t: Times, trial_s: float) -> Times:
    """How far a movement has set in: 0 at 0.1 s, 1 from 0.4 s until the end of the trial, 0 again 0.4 s after."""
    rise, fall = np.clip((t - 0.1) / 0.3, 0, 1), np.clip((trial_s + 0.4 - t) / 0.4, 0, 1)
    return np.asarray(np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2)


def spikes_and_waves(t: Times, length_s: float, hz: float) -> Times:
    """Discharge of a seizure: a spike of 70 ms and a slow wave, over and over, growing, slowing down, breaking off.

    Rate falls from 1.2 to 0.8 times `hz`; the height of a spike is 1.
    """
    part = np.clip(t / length_s, 0, 1)
    cycle = hz * length_s * (1.2 * part - 0.2 * part**2) % 1.0  # where in a cycle, 0 to 1
    spike = np.exp(-0.5 * ((cycle - 0.15) / (0.015 * hz)) ** 2)  # standard deviation 15 ms
    wave = -0.6 * np.sin(np.pi * np.clip((cycle - 0.3) / 0.65, 0, 1)) ** 2
    grown = np.clip(t / (0.3 * length_s), 0.2, 1) * np.clip((length_s - t) / 0.2, 0, 1)
    return np.asarray(grown * (spike + wave))


def _envelope(slow: Rows, burstiness: float) -> Rows:
    """Log-normal with a mean square of 1, so that bursts change the shape of a rhythm, not its power."""
    return np.asarray(np.exp(burstiness * slow - np.float32(burstiness**2)))


def _spectra(frequency: Times, config: ActivityConfig, brain: int, kinds: list[str], peaks: dict[str, float]) -> Times:
    """Amplitude spectra of the background rows, of the rhythms and of their envelopes, (R, H + 1)."""
    background = np.zeros_like(frequency)
    background[1:] = frequency[1:] ** (-config.slope / 2)
    width = [config.bandwidth_hz * (2 if kind == "beta" else 1) for kind in kinds]
    rhythm = [
        np.exp(-0.25 * ((frequency - peaks[kind]) / sd) ** 2) for kind, sd in zip(kinds, width, strict=True)
    ]  # power with standard deviation sd
    slow = np.exp(-0.25 * (frequency / ENVELOPE_HZ) ** 2)
    return np.stack([background] * brain + rhythm + [slow] * len(kinds))


def _sizes(config: ActivityConfig, brain: int, kinds: list[str]) -> Rows:
    size = {"alpha": config.alpha_nam, "mu": config.mu_nam, "beta": config.beta_nam}
    nam = [config.background_nam] * brain + [size[kind] for kind in kinds]
    return (1e-9 * np.array(nam)[:, None]).astype(np.float32)


def _state_gains(states: int, position: Times, rhythms: int, seed: int) -> Rows:
    """Gain of every row in every state, (R, K); the same in all recordings of a seed, so that states mean the same."""
    rng = generator(seed, _STATES)
    slope = rng.standard_normal((3, states))
    slope /= np.linalg.norm(slope, axis=0)
    region = np.exp(REGION_GAIN * (position @ slope) / 0.35)  # a gradient across the brain
    return np.concatenate([region, np.exp(RHYTHM_GAIN * rng.standard_normal((rhythms, states)))]).astype(np.float32)


def peaks(config: ActivityConfig, rng: np.random.Generator) -> dict[str, float]:
    """Draw a subject's peak frequencies."""
    usual = {"alpha": config.alpha_hz, "mu": config.mu_hz, "beta": config.beta_hz}
    return {kind: hz + config.frequency_jitter_hz * rng.standard_normal() for kind, hz in usual.items()}
