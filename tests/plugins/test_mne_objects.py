"""MNE objects as recordings: signals, sensors, events and breaks."""

import json

import mne
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError
from nkfm_mne.sensors import sensor_type

from .test_mne_reader import LABELS, raw_array, samples, series


def test_a_raw_starts_at_zero_whatever_its_first_sample_is() -> None:
    raw = raw_array(first_samp=250)
    raw.set_annotations(mne.Annotations([1.0, 4.0], [0.5, 0], ["BAD blink", "go"]))
    recording = nkfm.from_mne(raw)
    assert series(recording, "eeg").start == 0
    assert recording.events.label == ("BAD blink", "go")
    np.testing.assert_allclose(recording.events.onset, [1.0, 4.0])
    np.testing.assert_allclose(recording.events.duration, [0.5, 0])


def test_stimulus_codes_are_events_where_nothing_else_is_marked() -> None:
    raw = raw_array()
    assert nkfm.from_mne(raw).events.label == ("stim/3", "stim/7")
    np.testing.assert_allclose(nkfm.from_mne(raw).events.onset, [5.0, 9.0])
    raw.set_annotations(mne.Annotations([1.0], [0.5], ["BAD blink"]))
    assert nkfm.from_mne(raw).events.label == ("BAD blink", "stim/3", "stim/7")


def test_a_stimulus_channel_that_is_a_signal_gives_no_events() -> None:
    x = samples()
    x[4] = np.random.default_rng(0).integers(0, 1000, 3000)
    info = mne.create_info(LABELS, 100.0, ["eeg"] * 4 + ["stim"])
    recording = nkfm.from_mne(mne.io.RawArray(x, info, verbose="ERROR"))
    assert len(recording.events) == 0
    assert any("look like a signal, not codes" in step for step in recording.info.steps)


def test_joined_recordings_break_where_they_were_joined() -> None:
    raw = mne.concatenate_raws([raw_array(), raw_array()], verbose="ERROR")
    assert series(nkfm.from_mne(raw), "eeg").breaks == (3000,)


def test_eeglab_boundaries_half_a_sample_early_break_at_the_next_sample() -> None:
    raw = raw_array().set_annotations(mne.Annotations([9.995, 0.0], [0, 0], ["boundary", "New Segment/"]))
    assert series(nkfm.from_mne(raw), "eeg").breaks == (1000,)


def test_signals_are_split_by_modality_and_nothing_is_lost() -> None:
    kinds = [
        "eeg",
        "seeg",
        "dbs",
        "ecog",
        "ecg",
        "emg",
        "eog",
        "stim",
        "misc",
        "mag",
        "grad",
        "ref_meg",
        "hbo",
        "resp",
        "csd",
    ]
    info = mne.create_info([f"{kind}_channel" for kind in kinds], 100.0, kinds)
    recording = nkfm.from_mne(mne.io.RawArray(np.zeros((15, 50)), info, verbose="ERROR"))
    assert {name: series(recording, name).channels.kind for name in recording} == {
        "eeg": ("eeg",),
        "meg": ("meg", "meg"),
        "ieeg": ("seeg", "dbs", "ecog"),
        "fnirs": ("fnirs",),
        "eog": ("eog",),
        "ecg": ("ecg",),
        "emg": ("emg",),
        "aux": ("stim", "misc", "ref_meg", "resp", "csd"),
    }
    assert series(recording, "fnirs").channels.sensor_type == ("hbo",)


def test_magnes_gradiometers_are_mag_with_a_note() -> None:
    info = mne.create_info(["A1", "A2"], 100.0, "mag")
    info["chs"][0]["coil_type"], info["chs"][1]["coil_type"] = 4002, 4001
    recording = nkfm.from_mne(mne.io.RawArray(np.zeros((2, 50)), info, verbose="ERROR"))
    assert recording["meg"].channels.sensor_type == ("mag", "mag")
    assert recording["meg"].channels.columns["coil_type"].tolist() == [4002, 4001]
    assert any("4002" in step for step in recording.info.steps)


@pytest.mark.parametrize(
    ("code", "type_"),
    [(c, "grad_planar") for c in range(3011, 3016)]
    + [(c, "mag") for c in (2000, 3021, 3022, 3023, 3024, 3025, 4001, 4002, 7002, 8001, 8002, 8101, 8201)]
    + [(c, "grad_axial") for c in (2001, 5001, 201609, 6001, 7001, 7501, 9001, 9101, 9102)],
)
def test_the_coil_table_is_that_of_the_specification(code: int, type_: str) -> None:
    assert sensor_type(code, "mag") == type_


def test_an_unlisted_coil_is_what_mne_calls_it() -> None:
    assert (sensor_type(9999, "mag"), sensor_type(9999, "grad")) == ("mag", "grad_axial")


def test_zero_positions_are_unknown_and_bads_and_references_are_kept() -> None:
    raw = raw_array().pick([0, 1, 2])
    raw.info["chs"][0]["loc"][:6] = [0, 0, 0, 0.01, 0.02, 0.03]
    raw.info["chs"][1]["loc"][:6] = [0, 0.1, 0, 0, 0, 0]
    raw.info["bads"] = ["CZ"]
    channels = nkfm.from_mne(raw)["eeg"].channels
    assert channels.has_position.tolist() == [False, True, False]
    assert channels.bad.tolist() == [False, True, False]
    np.testing.assert_array_equal(channels.columns["reference"][0], [0.01, 0.02, 0.03])
    assert np.isnan(channels.columns["reference"][1]).all()
    assert np.isnan(channels.orientation).all()


def test_facts_are_json_and_hold_the_filters() -> None:
    raw = raw_array().set_meas_date(0)
    raw.info["line_freq"] = 50
    facts = nkfm.from_mne(raw).info.facts
    assert json.loads(json.dumps(dict(facts)))["lowpass"] == 50.0
    assert facts["line_freq"] == 50.0
    assert facts["meas_date"] == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("preload", [True, False])
def test_epochs_that_were_never_loaded_can_be_read(preload: bool) -> None:
    events = np.array([[750, 0, 1], [1150, 0, 2], [1350, 0, 1], [3245, 0, 9]])  # the last one is cut short
    make = {"event_id": {"left": 1, "right": 2}, "tmin": -0.1, "tmax": 0.5, "baseline": None, "verbose": "ERROR"}
    epochs = mne.Epochs(raw_array(), events, preload=preload, **make)
    recording = nkfm.from_mne(epochs)
    assert recording.events.label == ("left", "right", "left")
    assert recording.events.columns["sample"].tolist() == [750, 1150, 1350]
    assert recording.events.columns["tmin"][0] == -0.1
    np.testing.assert_array_equal(series(recording, "eeg").read(70, 80, [1]), samples()[1:2, 899:909])
    loaded = mne.Epochs(raw_array(), events, preload=True, **make)
    np.testing.assert_array_equal(
        series(recording, "eeg").read(), loaded.get_data(picks=[0, 1, 2]).swapaxes(0, 1).reshape(3, -1)
    )
    assert len(epochs.drop_log) == 4
    assert epochs.preload == preload


def test_averages_are_laid_end_to_end() -> None:
    events = np.array([[750, 0, 1], [1150, 0, 2], [1350, 0, 1]])
    epochs = mne.Epochs(raw_array(), events, {"a": 1, "b": 2}, 0, 0.5, baseline=None, preload=True, verbose="ERROR")
    both = [epochs["a"].average(), epochs["b"].average()]
    recording = nkfm.from_mne(both)
    assert series(recording, "eeg").breaks == (51,)
    assert recording.events.columns["n_averaged"].tolist() == [2, 1]
    assert nkfm.from_mne(both[0]).title == "MNE Evoked"
    with pytest.raises(DataError, match="different channels"):
        nkfm.from_mne([both[0], both[1].copy().crop(0, 0.2)])


def test_anything_else_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="takes Raw, Epochs or Evoked objects; got ndarray"):
        nkfm.from_mne(np.zeros(3))
