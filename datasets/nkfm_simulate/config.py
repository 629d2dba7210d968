"""What is simulated: sizes, sensors, activity and artefacts. Numbers only; the physics is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ActivityConfig:
    """What the brain does.

    Attributes
    ----------
    background_sources : int
        Dipoles besides the named ones, anywhere in the brain, pointing anywhere.
    background_nam : float, nA m
        Standard deviation of the 1/f moment of every dipole.
    slope : float
        Power of the background falls as ``1 / f**slope``, down to a quarter of a hertz.
    alpha_hz, mu_hz, beta_hz : float, Hz
        Peak frequencies: alpha at the back of the head, mu and beta over both hands.
    alpha_nam, mu_nam, beta_nam : float, nA m
        Standard deviation of these oscillations in the middle of their range.
    bandwidth_hz : float, Hz
        Standard deviation of the spectral peak; beta is twice as wide.
    burstiness : float
        Standard deviation of the logarithm of an oscillation's slow envelope; 0 = plain filtered noise.
    frequency_jitter_hz : float, Hz
        How much peak frequencies differ between subjects (standard deviation).
    evoked_nam : float, nA m
        Peak moment of the responses to a trial's cue (N1 and P2 in both auditory cortices).
    states : int
        Number of states between which the brain switches; each scales oscillations and regions in its own way.
    state_s : float, seconds
        Mean time in one state.
    seizures_per_hour : float
        Seizure-like discharges: spikes and waves that begin in one of the named sources and reach all of them.
    seizure_s : float, seconds
        Their length.
    seizure_hz : float, Hz
        Spikes a second in the middle of a discharge; some more at its beginning, fewer at its end.
    seizure_nam : float, nA m
        Height of a spike in the source where the discharge began; `SPREAD` of it in the other named ones.
    """

    background_sources: int = 60
    background_nam: float = 9.0
    slope: float = 1.0
    alpha_hz: float = 10.0
    mu_hz: float = 11.0
    beta_hz: float = 21.0
    alpha_nam: float = 22.0
    mu_nam: float = 18.0
    beta_nam: float = 8.0
    bandwidth_hz: float = 0.8
    burstiness: float = 0.6
    frequency_jitter_hz: float = 0.5
    evoked_nam: float = 40.0
    states: int = 3
    state_s: float = 4.0
    seizures_per_hour: float = 0.0
    seizure_s: float = 15.0
    seizure_hz: float = 3.0
    seizure_nam: float = 250.0

    def __post_init__(self) -> None:
        problems = _negative(self) + [
            f"{name} must be positive"
            for name in ("state_s", "bandwidth_hz", "seizure_s", "seizure_hz")
            if getattr(self, name) <= 0
        ]
        if self.states < 1:
            problems.append(f"states must be at least 1; got {self.states}")
        _refuse(problems)


@dataclass(frozen=True, kw_only=True)
class ArtefactConfig:
    """What is not brain. Sizes are multiples of what is usual for a sensor type, see `artefacts.USUAL`.

    Attributes
    ----------
    noise : float
        Sensor noise, white and independent.
    line, line_hz : float, Hz
        Mains interference with two harmonics.
    drift : float
        Slow drifts below 0.1 Hz.
    blinks_per_minute : float
    muscle_per_minute : float
        Bursts of muscle activity of a second or two, strongest in the lowest electrodes; MEG has none.
    noisy_channels, flat_channels : int
        Broken channels of each signal.
    mark_bad : bool
        Whether the broken channels are marked bad; the truth is in the column ``condition`` either way.
    """

    noise: float = 1.0
    line: float = 1.0
    line_hz: float = 50.0
    drift: float = 1.0
    blinks_per_minute: float = 8.0
    muscle_per_minute: float = 0.0
    noisy_channels: int = 0
    flat_channels: int = 0
    mark_bad: bool = True

    def __post_init__(self) -> None:
        _refuse(_negative(self))


@dataclass(frozen=True, kw_only=True)
class SimulationConfig:
    """A data set of simulated recordings.

    Attributes
    ----------
    subjects, sessions : int
    test_subjects : int
        The last ones are ``part`` ``"test"``.
    montages : tuple of str
        Subject ``i`` wears cap ``i`` modulo their number: ``"10-20"``, ``"10-10"``, ``"10-05"`` or the name of any
        electrode montage of MNE. Empty = no EEG.
    meg : tuple of str
        Likewise ``"neuromag306"``, ``"ctf275"``, ``"ctf151"``, ``"kit157"``. Empty = no MEG.
    sfreq : float, Hz
    duration_s : float, seconds
        Of a recording; nothing is computed before it is read, so hours cost nothing.
    task : {"motor", "rest"}
        Cued movements of the left or right hand, labelled ``left`` and ``right``; or nothing.
    trial_s, gap_s : float, seconds
        Length of a trial; shortest pause between two (the longest is twice that).
    effect : float
        How much the hands differ, 0 (not at all) to 1: contralateral loss of mu and beta, and a lateralised potential.
    reference : {"average", "infinity"}
        Of the EEG; the average is over the good channels.
    head_jitter : float
        Standard deviation of the head's size between subjects, relative; no head is more than 4 % off.
    electrode_jitter_m : float, metres
        Standard deviation of electrode places between sessions; the stored positions are the true ones.
    activity, artefacts :
        See there.
    """

    subjects: int = 6
    sessions: int = 2
    test_subjects: int = 2
    montages: tuple[str, ...] = ("10-20",)
    meg: tuple[str, ...] = ()
    sfreq: float = 250.0
    duration_s: float = 60.0
    task: Literal["motor", "rest"] = "motor"
    trial_s: float = 2.0
    gap_s: float = 0.8
    effect: float = 1.0
    reference: Literal["average", "infinity"] = "average"
    head_jitter: float = 0.03
    electrode_jitter_m: float = 0.002
    activity: ActivityConfig = field(default_factory=ActivityConfig)
    artefacts: ArtefactConfig = field(default_factory=ArtefactConfig)

    def __post_init__(self) -> None:
        problems = _negative(self)
        if self.subjects < 1 or self.sessions < 1 or self.test_subjects > self.subjects:
            problems.append(
                "there must be a subject, a session, and no more test_subjects than subjects; got "
                f"{self.subjects}, {self.sessions} and {self.test_subjects}"
            )
        if not self.montages and not self.meg:
            problems.append("name at least one montage or MEG system")
        if self.sfreq < 64:
            problems.append(f"sfreq must be at least 64 Hz to hold the beta rhythm; got {self.sfreq:g}")
        problems += [f"{name} must be positive" for name in ("duration_s", "trial_s") if getattr(self, name) <= 0]
        if self.task not in ("motor", "rest"):
            problems.append(f"task must be 'motor' or 'rest'; got {self.task!r}")
        if self.effect > 1:
            problems.append(f"effect must lie in [0, 1]; got {self.effect:g}")
        if self.reference not in ("average", "infinity"):
            problems.append(f"reference must be 'average' or 'infinity'; got {self.reference!r}")
        _refuse(problems)


def _negative(config: object) -> list[str]:
    numbers = {name: value for name, value in vars(config).items() if isinstance(value, int | float)}
    return [f"{name} must not be negative; got {value:g}" for name, value in numbers.items() if not value >= 0]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError("; ".join(problems))
