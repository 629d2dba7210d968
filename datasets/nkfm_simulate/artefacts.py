"""What sensors pick up besides the brain: blinks, muscles, mains, drifts, noise, and channels that are broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurokit_fm import Channels
from nkfm_simulate.config import ArtefactConfig
from nkfm_simulate.noise import Rows, white_hop
from nkfm_simulate.schedule import MUSCLE_S, Schedule, Times, superpose

_MUSCLE = 1  # key of its random stream


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Usual sizes of what is not brain, in the unit of a sensor type.

    Attributes
    ----------
    noise_density : float, unit / sqrt(Hz)
    line, drift, broken : float
        Amplitude of the mains, standard deviation of the drift and of a noisy channel.
    """

    noise_density: float
    line: float
    drift: float
    broken: float


USUAL = {
    "eeg": Usual(noise_density=80e-9, line=1e-6, drift=8e-6, broken=150e-6),
    "mag": Usual(noise_density=3.5e-15, line=50e-15, drift=100e-15, broken=5e-12),
    "grad_planar": Usual(noise_density=3.5e-13, line=5e-13, drift=1e-12, broken=5e-10),
    "grad_axial": Usual(noise_density=5e-15, line=15e-15, drift=50e-15, broken=5e-12),
}
"""By sensor type: scalp EEG (electrode and muscle noise), Neuromag, CTF and KIT at their usual noise levels."""

BLINK_AM = 120e-9
"""Moment of each eye's dipole at the height of a blink, A m; about 0.1 mV at the forehead."""
HARMONICS = (1.0, 0.3, 0.15)
MUSCLE_V, MUSCLE_M = 20e-6, 0.03
"""Standard deviation of a burst of muscle activity in the lowest electrode, and the height over which it falls to 1/e."""
DRIFTS, SLOWEST_HZ, FASTEST_HZ = 5, 0.01, 0.1


def blink(t: Times) -> Times:
    """Course of a blink: up in 0.1 s, down more slowly, over after 0.4 s."""
    return np.asarray(np.sin(np.pi * np.clip(t / 0.4, 0, 1) ** 0.6) ** 2)


def burst(t: Times) -> Times:
    """Course of a burst of muscle activity: it sets in and ends within a quarter of a second."""
    return np.asarray(np.clip(t / 0.25, 0, 1) * np.clip((MUSCLE_S - t) / 0.25, 0, 1))


def draw_broken(channels: Channels, config: ArtefactConfig, rng: np.random.Generator) -> tuple[Channels, list[str]]:
    """Choose the broken channels; the table gets a column ``condition`` of ``good``, ``noisy`` and ``flat``."""
    n, wrong = len(channels), config.noisy_channels + config.flat_channels
    broken = rng.permutation(n)[: min(wrong, max(0, n - 2))]
    condition = np.full(n, "good", dtype="<U5")
    condition[broken] = "noisy"
    condition[broken[config.noisy_channels :]] = "flat"
    columns = {**channels.columns, "condition": condition}
    bad = channels.bad | (condition != "good") if config.mark_bad else channels.bad
    fields = {name: getattr(channels, name) for name in ("kind", "sensor_type", "unit", "position", "orientation")}
    return Channels.of(channels.name, **fields, frame=channels.frame, bad=bad, columns=columns), condition.tolist()


class Disturbance:
    """Mains, drift, muscles and noise of one signal.

    Parameters
    ----------
    sensor_type, condition : sequence of str, length C
    config : ArtefactConfig
    schedule : Schedule
        When muscles are tense.
    position : ndarray, shape (C, 3), metres
    sfreq : float, Hz
    hop : int, samples
    seed, key :
        Of the noise.
    """

    def __init__(
        self,
        sensor_type: tuple[str, ...],
        condition: list[str],
        config: ArtefactConfig,
        *,
        schedule: Schedule,
        position: Times,
        sfreq: float,
        hop: int,
        seed: int,
        key: tuple[int, ...],
        rng: np.random.Generator,
    ):
        self.sfreq, self.hop, self.seed, self.key, self.schedule = sfreq, hop, seed, key, schedule
        usual = [USUAL[kind] for kind in sensor_type]
        n = len(usual)
        mains = [(config.line_hz * (i + 1), size) for i, size in enumerate(HARMONICS)]
        mains = [(hz, size) for hz, size in mains if 0 < hz < sfreq / 2]
        slow = np.exp(rng.uniform(np.log(SLOWEST_HZ), np.log(FASTEST_HZ), DRIFTS))
        self.frequency = np.array([*(hz for hz, _ in mains), *slow])  # (F,)
        line = config.line * np.array([u.line for u in usual])[:, None] * np.array([size for _, size in mains])
        line = line * np.exp(0.5 * rng.standard_normal((n, 1)))  # some electrodes pick up more
        drift = config.drift * np.array([u.drift for u in usual])[:, None] * rng.standard_normal((n, DRIFTS))
        size = np.concatenate([line.reshape(n, len(mains)), drift * np.sqrt(2 / DRIFTS)], axis=1)  # (C, F)
        phase = np.concatenate(
            [
                rng.uniform(0, 2 * np.pi, len(mains)) + rng.uniform(0, 0.6, (n, len(mains))),
                rng.uniform(0, 2 * np.pi, (n, DRIFTS)),
            ],
            axis=1,
        )
        self.mixing = np.concatenate([size * np.cos(phase), size * np.sin(phase)], axis=1).astype(np.float32)  # (C, 2F)
        deviation = config.noise * np.array([u.noise_density for u in usual]) * np.sqrt(sfreq / 2)
        noisy = np.array([word == "noisy" for word in condition])
        self.deviation = np.where(noisy, [u.broken for u in usual], deviation).astype(np.float32)[:, None]  # (C, 1)

        height = position[:, 2] - np.nanmin(position[:, 2])
        scalp = np.array([kind == "eeg" for kind in sensor_type])
        self.muscle = np.where(scalp, MUSCLE_V * np.exp(-height / MUSCLE_M), 0.0)[:, None]  # (C, 1)

    def waves(self, number: int) -> Rows:
        """Mains and drifts of a hop, (2F, H), to be mixed by `mixing`."""
        times = np.arange(number * self.hop, (number + 1) * self.hop) / self.sfreq
        angle = 2 * np.pi * self.frequency[:, None] * times[None]
        return np.concatenate([np.sin(angle), np.cos(angle)]).astype(np.float32)

    def noise(self, number: int) -> Rows:
        """Noise of a hop, (C, H)."""
        noise = white_hop(len(self.deviation), self.hop, self.seed, self.key, number)
        noise *= self.deviation
        if len(self.schedule.muscle):
            times = np.arange(number * self.hop, (number + 1) * self.hop) / self.sfreq
            tension = superpose(times, self.schedule.muscle, self.schedule.tension[:, None], burst, MUSCLE_S)  # (1, H)
            if tension.any():
                white = white_hop(len(noise), self.hop + 1, self.seed, (*self.key, _MUSCLE), number)
                noise += (self.muscle * tension * np.diff(white, axis=1) / np.sqrt(2)).astype(np.float32)
        return noise
