"""simulate: one recording; simulated: a data set of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurokit_fm import Channels, Dataset, Info, Recording, TimeSeries
from neurokit_fm.config import read_config, write_config
from neurokit_fm.errors import DataError
from nkfm_simulate.activity import Activity, peaks
from nkfm_simulate.artefacts import Disturbance, draw_broken
from nkfm_simulate.config import SimulationConfig
from nkfm_simulate.forward import Head, eeg_gain, meg_gain
from nkfm_simulate.montages import cap, channel_tables, meg_coils, put_on, sensors
from nkfm_simulate.noise import generator
from nkfm_simulate.samples import Measurement, SimulatedSamples
from nkfm_simulate.schedule import HANDS, draw_schedule
from nkfm_simulate.sources import Vectors, draw_sources

LICENCE = "CC0 (made by a program)"
CITATION = (
    "Simulated by neurokit_fm. Spherical forward models of MNE: Gramfort et al. (2013), Front. Neurosci. 7:267, doi "
    "10.3389/fnins.2013.00267; Berg & Scherg (1994); Sarvas (1987)"
)
HEAD_CENTRE_M, HEAD_RADIUS_M = (0.0, 0.0, 0.04), 0.095
"""The head under a MEG helmet where there is no cap to fit it to, head frame."""
LARGEST = 0.04
"""Relative deviation of a head's size beyond which it would not fit into a helmet."""
_BODY, _DAY, _NOISE, _SENSORS, _RARE = 1, 2, 3, 4, 5
_SIGNALS = ("eeg", "meg")


def simulated(config: SimulationConfig | Mapping[str, Any] | None = None, *, seed: int = 0) -> Dataset:
    """Simulated EEG and MEG of known sources: cued hand movements, or rest, on any montage, as much as is wanted.

    Several subjects with heads, sources and rhythms of their own, and sessions in which caps sit a little differently.
    Table: ``subject, session, part, montage, meg``. Each recording holds ``eeg``, ``meg`` or both, and the ground truth:
    ``sources`` (moments of all dipoles, their places and directions) and events (``left``, ``right``; ``state-1`` ...;
    ``blink``; ``seizure`` and ``muscle`` if asked for). What a recording holds is computed when it is read, the same each time.

    Parameters
    ----------
    config : SimulationConfig or mapping, optional
        A mapping is read strictly, as from a recipe.
    seed : int

    Notes
    -----
    Physics: current dipoles in concentric spheres. Not in it: the folds of the cortex, its extended patches, connections
    between regions and heartbeat. A method that fails here has no excuse; one that succeeds has proved little.
    """
    config = config if isinstance(config, SimulationConfig) else read_config(SimulationConfig, config or {})
    for montage in config.montages:
        cap(montage)
    for system in config.meg:
        meg_coils(system)
    rows = [(subject, session) for subject in range(config.subjects) for session in range(config.sessions)]

    def open_row(row: int) -> Recording:
        subject, session = rows[row]
        return simulate(config, seed=seed, subject=subject, session=session)

    return Dataset(
        name="simulated",
        table=[
            {
                "subject": _subject(subject),
                "session": str(session + 1),
                "part": "train" if subject < config.subjects - config.test_subjects else "test",
                "montage": _turn(config.montages, subject) or "",
                "meg": _turn(config.meg, subject) or "",
            }
            for subject, session in rows
        ],
        open=open_row,
        licence=LICENCE,
        citation=CITATION,
        summary="simulated EEG and MEG of known sources",
        label_of={hand: hand for hand in HANDS} if config.task == "motor" else None,
    )


def simulate(config: SimulationConfig | None = None, *, seed: int = 0, subject: int = 0, session: int = 0) -> Recording:
    """Simulate one recording.

    Parameters
    ----------
    config : SimulationConfig, optional
    seed : int
        With `subject` and `session` it fixes every sample.
    subject : int
        Whose head, sources and rhythms; also which of the montages.
    session : int
        Which day: trials, states, noise, and how cap and helmet sit.

    Returns
    -------
    Recording
        Signals ``eeg`` (volts, places in the head frame), ``meg`` (tesla and tesla per metre, places and directions in the
        device frame; ``dev_head_t`` in ``info.facts``) and ``sources`` (A m, head frame), all float32 and lazy.

    Raises
    ------
    UnknownName
        If there is no such montage or MEG system.
    DataError
        If subject or session is outside the data set.

    Examples
    --------
    >>> print(simulate(SimulationConfig(duration_s=10)).describe())
    simulated, seed 0, subject 1, session 1
      eeg: 19 channels x 2,500 samples at 250 Hz = 10.0 s; 19/19 positions (head)
      sources: 69 channels x 2,500 samples at 250 Hz = 10.0 s; 69/69 positions (head)
      events: ...
    """
    config = config or SimulationConfig()
    if not (0 <= subject < config.subjects and 0 <= session < config.sessions):
        raise DataError(
            f"the simulation has {config.subjects} subjects of {config.sessions} sessions, counted from 0; asked for "
            f"subject {subject}, session {session}"
        )
    body = generator(seed, _BODY, subject)
    sources = draw_sources(body, config.activity.background_sources)
    frequencies = peaks(config.activity, body)
    scale = 1 + float(np.clip(config.head_jitter * body.standard_normal(), -LARGEST, LARGEST))
    day = generator(seed, _DAY, subject, session)
    schedule = draw_schedule(config, day, generator(seed, _RARE, subject, session))
    activity = Activity(config, sources, schedule, frequencies, seed=seed, key=(_NOISE, subject, session))
    montage, system = _turn(config.montages, subject), _turn(config.meg, subject)
    worn, head = None, Head(centre=scale * np.array(HEAD_CENTRE_M), radius=scale * HEAD_RADIUS_M)
    if montage is not None:
        worn, head = put_on(cap(montage), scale, config.electrode_jitter_m, day)
    info = sensors(worn, system, head, config.sfreq, day)
    tables, facts = channel_tables(info)
    gains = {} if worn is None else {"eeg": eeg_gain(worn.position, head, sources)}
    gains |= {} if system is None else {"meg": meg_gain(info, head, sources)}
    shape = round(config.duration_s * config.sfreq)
    truth = sources.channels(head.centre, head.radius)
    signals = {
        name: _measure(config, activity, gains[name], tables[name], name, shape, seed, (subject, session))
        for name in gains
    }
    signals["sources"] = TimeSeries(
        data=SimulatedSamples(activity, (len(truth), shape)), sfreq=config.sfreq, channels=truth, modality="sources"
    )
    about = {
        "provenance": "made by nkfm_simulate: dipoles in a spherical head, nothing recorded",
        "simulation": write_config(config),
        "seed": seed,
        "peaks_hz": frequencies,
        "line_freq": config.artefacts.line_hz,
    }
    about |= {"head_centre": head.centre.tolist(), "head_radius": head.radius, "montage": montage, "meg": system}
    return Recording(
        signals=signals,
        events=schedule.events(config.trial_s, config.duration_s, config.activity.seizure_s),
        info=Info(
            source=f"simulated, seed {seed}, subject {subject + 1}, session {session + 1}",
            subject=_subject(subject),
            session=str(session + 1),
            task=config.task,
            licence=LICENCE,
            citation=CITATION,
            facts={**facts, **about},
        ),
    )


def _measure(
    config: SimulationConfig,
    activity: Activity,
    gain: Vectors,
    channels: Channels,
    name: str,
    n_samples: int,
    seed: int,
    who: tuple[int, int],
) -> TimeSeries:
    key = (_SENSORS, _SIGNALS.index(name), *who)
    rng = generator(seed, *key)
    channels, condition = draw_broken(channels, config.artefacts, rng)
    disturbance = Disturbance(
        channels.sensor_type,
        condition,
        config.artefacts,
        schedule=activity.schedule,
        position=channels.position,
        sfreq=config.sfreq,
        hop=activity.hop,
        seed=seed,
        key=(*key, 0),
        rng=rng,
    )
    words: Any = np.array(condition)
    average = name == "eeg" and config.reference == "average"
    measurement = Measurement(
        activity, gain, disturbance, reference=words == "good" if average else None, flat=words == "flat"
    )
    return TimeSeries(
        data=SimulatedSamples(measurement, (len(channels), n_samples)),
        sfreq=config.sfreq,
        channels=channels,
        modality=name,
    )


def _turn(names: tuple[str, ...], subject: int) -> str | None:
    return names[subject % len(names)] if names else None


def _subject(number: int) -> str:
    return f"sim-{number + 1:02d}"
