import numpy as np
import pytest

from neurokit_fm import Events, Recording, TimeSeries, from_array
from neurokit_fm.errors import ConfigError, DataError, UnknownName
from neurokit_fm.testing import fake_recording

LAYOUTS = {"series": "eeg", "points": "spikes", "volume": "mri", "graph": "connectome"}


def two_signals() -> Recording:
    """Ten seconds of EEG and four seconds of spikes on one clock."""
    return fake_recording(n_channels=3).with_signal("spikes", fake_recording("points", duration_s=4.0)["spikes"])


@pytest.mark.parametrize(("layout", "modality"), LAYOUTS.items())
def test_fake_recordings_of_every_layout_are_deterministic(layout: str, modality: str) -> None:
    first, again, other = (fake_recording(layout, seed=seed, n_channels=3) for seed in (1, 1, 2))
    assert list(first) == [modality]
    assert first[modality].layout == layout
    assert first[modality].modality == modality
    assert first[modality].channels == again[modality].channels

    values = {"points": "times", "graph": "weight"}.get(layout, "data")
    one, same, another = (getattr(recording[modality], values) for recording in (first, again, other))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, another)


def test_fake_eeg_is_as_large_as_eeg_and_falls_with_frequency() -> None:
    eeg = fake_recording(n_channels=8, duration_s=20.0)["eeg"]
    data = eeg.read()
    assert data.dtype == np.float32
    assert data.std() == pytest.approx(20e-6, rel=0.1)
    power = (np.abs(np.fft.rfft(data)) ** 2).mean(0)  # 0.05 Hz a bin
    assert power[20:200].mean() > 3 * power[1000:2000].mean(), "1 to 10 Hz over 50 to 100 Hz"
    assert np.corrcoef(data)[np.triu_indices(8, 1)].mean() > 0.1, "neighbours share a part"
    assert eeg.channels.has_position.all()


def test_fake_channels_beyond_the_table_have_no_position() -> None:
    channels = fake_recording(n_channels=35)["eeg"].channels
    assert channels.has_position.sum() == 32
    assert not fake_recording(known_positions=False)["eeg"].channels.has_position.any()


def test_fake_left_is_left_and_front_is_front() -> None:
    channels = fake_recording(n_channels=32)["eeg"].channels
    x, y, z = channels.position.T
    where = {name: i for i, name in enumerate(channels.name)}
    assert x[where["C3"]] < 0 < x[where["C4"]]
    assert y[where["Oz"]] < y[where["Cz"]] < y[where["Fp1"]]
    assert z.argmax() == where["Cz"]


def test_a_fake_of_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no layout called 'serie'. Did you mean 'series'. Known: series, points"):
        fake_recording("serie")
    with pytest.raises(ConfigError, match="no fake 'egg' series. Did you mean 'meg"):
        fake_recording(modality="egg")
    with pytest.raises(ConfigError, match="n_channels must be positive; got 0"):
        fake_recording(n_channels=0)


def test_an_unknown_signal_names_the_ones_there_are() -> None:
    with pytest.raises(UnknownName, match="fake series, seed 0 has no signal 'egg'; it holds eeg, spikes. Did you"):
        two_signals()["egg"]
    assert "eeg" in two_signals()
    assert "meg" not in two_signals()


def test_the_recording_spans_all_its_signals() -> None:
    assert two_signals().start == 0.0
    assert two_signals().stop == 10.0
    assert Recording(signals={}).stop == 0.0


def test_crop_cuts_signals_and_events_together() -> None:
    part = two_signals().crop(2.0, 4.0)
    assert part["eeg"].duration == pytest.approx(2.0)
    assert part["spikes"].times.min() >= 2.0
    assert part.events.onset.tolist() == [2.0]
    assert part.info == two_signals().info


def test_series_finds_the_one_of_a_modality() -> None:
    name, signal = two_signals().series("eeg")
    assert name == "eeg"
    assert isinstance(signal, TimeSeries)
    with pytest.raises(UnknownName, match=r"has no meg time series; it holds eeg \(eeg\), spikes \(spikes\)"):
        two_signals().series("meg")


def test_a_replaced_signal_notes_what_was_done_and_leaves_the_original() -> None:
    before = fake_recording()
    after = before.with_signal("eeg", before["eeg"].take([0]), "kept channel 1")
    assert after.info.steps == ("kept channel 1",)
    assert before.info.steps == ()
    assert len(before["eeg"].channels) == 8


def test_describe_says_what_is_there() -> None:
    text = two_signals().describe()
    assert "eeg: 3 channels x 2,000 samples at 200 Hz = 10.0 s; 3/3 positions (template)" in text
    assert "events in 4.0 s" in text
    assert "events: a x3, b x2" in text
    assert "grid (2, 12, 10, 8)" in fake_recording("volume", n_channels=2).describe()
    assert "24 edges (chemical, gap-junction)" in fake_recording("graph").describe()


def test_from_array_keeps_the_values_it_is_given() -> None:
    x = np.arange(6.0).reshape(2, 3) * 1e-6
    recording = from_array(x, sfreq=100, names=["Fz", "Cz"], subject="7")
    assert np.array_equal(recording["eeg"].read(), x)
    assert recording.info.subject == "7"
    assert recording["eeg"].channels.unit == ("V", "V")


def test_trials_are_joined_with_a_break_and_an_event_each() -> None:
    x = np.arange(12.0).reshape(2, 2, 3)
    recording = from_array(x, sfreq=3, names=["Fz", "Cz"])
    assert recording["eeg"].read().tolist() == [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]
    assert recording["eeg"].runs() == [(0, 3), (3, 6)]
    assert recording.events == Events.of([0.0, 1.0], ["trial", "trial"], 1.0)


def test_from_array_says_what_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"is the array \(samples, channels\)"):
        from_array(np.zeros((100, 2)), sfreq=100, names=["Fz", "Cz"])
    with pytest.raises(DataError, match="samples must be numbers; got dtype <U1"):
        from_array([["a"]], sfreq=100, names=["Fz"])
    with pytest.raises(DataError, match="without a coordinate frame"):
        from_array(np.zeros((1, 5)), sfreq=100, names=["Fz"], positions=[[0, 0, 0.1]])
