"""Seizure-like discharges and muscle bursts: where, when, how large, and that nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch

from neurokit_fm.errors import ConfigError
from nkfm_simulate.activity import SPREAD, spikes_and_waves
from nkfm_simulate.config import ActivityConfig, ArtefactConfig, SimulationConfig
from nkfm_simulate.dataset import simulate
from nkfm_simulate.schedule import MUSCLE_S
from nkfm_simulate.sources import NAMED

REST = SimulationConfig(duration_s=120, task="rest", activity=ActivityConfig(states=1), montages=("biosemi32",))
SICK = replace(REST, activity=replace(REST.activity, seizures_per_hour=90, seizure_s=8.0))
TENSE = replace(REST, artefacts=replace(REST.artefacts, muscle_per_minute=10))


def during(recording, label: str) -> np.ndarray:
    """Samples of the EEG that lie in events."""
    eeg, events = recording["eeg"], recording.events.labelled(label)
    t = np.arange(eeg.n_samples) / eeg.sfreq
    return ((t[:, None] >= events.onset) & (t[:, None] < events.onset + events.duration)).any(axis=1)


def test_discharges_begin_in_one_named_source_and_reach_the_others_at_half_the_size():
    plain, sick = simulate(REST, seed=2), simulate(SICK, seed=2)
    inside = during(sick, "seizure")
    assert 8.0 <= inside.mean() * 120 <= 48.0
    added = sick["sources"].read() - plain["sources"].read()  # all else is the same, sample by sample
    assert np.abs(added[:, ~inside]).max() == 0
    assert np.abs(added[len(NAMED) :]).max() == 0
    first = sick.events.labelled("seizure").onset[0]
    part = added[: len(NAMED), round(first * 250) : round((first + 8.0) * 250)]
    peaks = np.sort(np.abs(part).max(axis=1))
    assert peaks[-1] == pytest.approx(250e-9, rel=0.1)
    assert peaks[:-1] == pytest.approx(np.full(len(NAMED) - 1, SPREAD * peaks[-1]), rel=1e-3)


def test_a_discharge_slows_down_and_breaks_off():
    t = np.arange(0, 10, 1 / 500)
    course = spikes_and_waves(t, 10.0, 3.0)
    spikes = t[1:-1][(course[1:-1] > course[:-2]) & (course[1:-1] > course[2:]) & (course[1:-1] > 0.1)]
    gaps = np.diff(spikes)
    assert 1 / gaps[:3].mean() == pytest.approx(3.6, rel=0.05)
    assert 1 / gaps[-3:].mean() == pytest.approx(2.4, rel=0.05)
    assert course[-1] == pytest.approx(0, abs=0.05)
    assert course.max() == pytest.approx(1.0, abs=0.01)


def test_muscle_bursts_are_fast_and_strongest_in_the_lowest_electrodes():
    plain, tense = simulate(REST, seed=2), simulate(TENSE, seed=2)
    events = tense.events.labelled("muscle")
    assert len(events) >= 8
    assert (events.duration == MUSCLE_S).all()
    inside = during(tense, "muscle")
    added = tense["eeg"].read().astype(np.float64) - plain["eeg"].read()
    assert np.abs(added[:, ~inside]).max() < 1e-12
    size = added[:, inside].std(axis=1)
    height = tense["eeg"].channels.position[:, 2]
    low, high = size[height < np.quantile(height, 0.2)].mean(), size[height > np.quantile(height, 0.8)].mean()
    assert low > 4 * high  # the reference brings a little to the vertex
    hz, power = welch(added[np.argmin(height)], 250, nperseg=256)
    assert power[hz > 60].mean() > 5 * power[(hz > 0) & (hz < 20)].mean()


@pytest.mark.parametrize("config", [SICK, TENSE])
def test_any_stretch_equals_that_of_the_whole(config):
    eeg = simulate(config, seed=2)["eeg"]
    whole = eeg.read()
    for start in (0, 5_003, 17_777):
        assert np.array_equal(eeg.read(start, start + 3_001), whole[:, start : start + 3_001])


def test_meg_has_no_muscles_and_impossible_discharges_are_refused():
    plain, tense = (simulate(replace(c, meg=("neuromag306",), duration_s=20), seed=2) for c in (REST, TENSE))
    assert np.array_equal(plain["meg"].read(), tense["meg"].read())
    with pytest.raises(ConfigError, match="seizure_hz must be positive"):
        ActivityConfig(seizure_hz=0.0)
    with pytest.raises(ConfigError, match="muscle_per_minute must not be negative"):
        ArtefactConfig(muscle_per_minute=-1.0)
