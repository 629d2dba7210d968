import json
import pickle
import shutil
import warnings
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm import Recording, TimeSeries
from neurokit_fm.data.channels import SENSOR_TYPES
from neurokit_fm.errors import MissingDependency
from neurokit_fm.plugins import plugins
from nkfm_mne.reader import from_mne

LABELS = ["EEG Fp1-REF", "CZ", "T3", "HEOG", "STI 014"]


def samples(n: int = 3000, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(len(LABELS), n)) * 1e-5  # (5, n) volts
    x[4] = 0
    x[4, 500:510], x[4, 900] = 3, 7
    return x


def raw_array(n: int = 3000, first_samp: int = 250) -> mne.io.BaseRaw:
    info = mne.create_info(LABELS, 100.0, ["eeg"] * 4 + ["stim"])
    return mne.io.RawArray(samples(n), info, first_samp=first_samp, verbose="ERROR")


def series(recording: Recording, name: str) -> TimeSeries:
    signal = recording[name]
    assert isinstance(signal, TimeSeries)
    return signal


# --- real files ---------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_eeglab_has_its_electrodes_positions_and_events(shared: Path) -> None:
    path = shared / "data/eeg/eeglab_data.set"
    recording, raw = nkfm.read(path), mne.io.read_raw_eeglab(path, verbose="ERROR")
    eeg = series(recording, "eeg")
    assert list(recording) == ["eeg", "eog"]
    assert eeg.data.shape == (30, 30504)
    assert eeg.channels.frame == "head"
    assert eeg.channels.has_position.all()
    rows = [raw.ch_names.index(str(name)) for name in eeg.channels.columns["original_name"]]
    np.testing.assert_array_equal(eeg.read(1000, 1300), raw.get_data(rows, 1000, 1300))
    np.testing.assert_array_equal(eeg.channels.position, [raw.info["chs"][i]["loc"][:3] for i in rows])
    assert series(recording, "eog").channels.name == ("EOG1", "EOG2")
    assert "typed EOG1, EOG2 as eog by their names" in recording.info.steps
    assert recording.events.counts() == {"square": 80, "rt": 74}
    np.testing.assert_allclose(recording.events.onset[:2], raw.annotations.onset[:2])


@pytest.mark.shared
def test_edf_names_are_cleaned_and_positions_stay_unknown(shared: Path) -> None:
    path = shared / "data/eeg/eeglab_test_16ch.edf"
    recording, raw = nkfm.read(path), mne.io.read_raw_edf(path, verbose="ERROR")
    eeg = series(recording, "eeg")
    assert eeg.channels.name[:4] == ("Fp1", "Fp2", "T3", "T4")
    assert eeg.channels.columns["original_name"][0] == "EEG Fp1"
    assert not eeg.channels.has_position.any()
    assert eeg.channels.frame == "unknown"
    assert (eeg.sfreq, eeg.duration) == (256.0, 60.0)
    np.testing.assert_array_equal(eeg.read(), raw.get_data())
    found = plugins().manager.hook.find_positions(names=eeg.channels.name, modality="eeg", frame="template")
    assert np.isfinite(found).all()


@pytest.mark.shared
@pytest.mark.parametrize("ending", ["vhdr", "eeg"])
def test_brainvision_from_its_header_or_its_samples(shared: Path, ending: str) -> None:
    recording = nkfm.read(shared / f"data/eeg/test.{ending}")
    raw = mne.io.read_raw_brainvision(shared / "data/eeg/test.vhdr", verbose="ERROR")
    assert [len(series(recording, name).channels) for name in recording] == [26, 6]
    np.testing.assert_array_equal(series(recording, "eeg").read(), raw.get_data("eeg"))
    np.testing.assert_array_equal(series(recording, "aux").read(), raw.get_data("misc"))
    assert recording.events.counts()["Stimulus/S255"] == 5
    assert recording.info.facts["meas_date"] == "2013-11-13T16:14:03.794232+00:00"


@pytest.mark.shared
def test_epochs_are_laid_end_to_end_with_breaks_and_events(shared: Path) -> None:
    path = shared / "data/eeg/hyperscan_S1-epo.fif"
    recording, epochs = nkfm.read(path), mne.read_epochs(path, verbose="ERROR")
    eeg = series(recording, "eeg")
    assert eeg.data.shape == (31, 33 * 501)
    assert eeg.breaks == tuple(501 * i for i in range(1, 33))
    np.testing.assert_array_equal(eeg.read(501 * 5, 501 * 6), epochs.get_data()[5])
    np.testing.assert_array_equal(eeg.read(), epochs.get_data().swapaxes(0, 1).reshape(31, -1))
    assert len(recording.events) == 33
    assert recording.events.label[0] == str(epochs.events[0, 2])
    np.testing.assert_array_equal(recording.events.columns["sample"], epochs.events[:, 0])
    np.testing.assert_allclose(recording.events.onset, np.arange(33) * 501 / 500)


@pytest.mark.shared
def test_kit_uses_the_head_position_beside_it(shared: Path) -> None:
    recording = nkfm.read(shared / "data/meg/kit/test.sqd")
    meg, raw = series(recording, "meg"), mne.io.read_raw_kit(shared / "data/meg/kit/test.sqd", verbose="ERROR")
    assert set(meg.channels.sensor_type) == {"grad_axial"}
    assert set(meg.channels.unit) == {"T"}
    assert meg.channels.frame == "device"
    loc = np.array([ch["loc"] for ch in raw.info["chs"][:157]])
    np.testing.assert_array_equal(meg.channels.position, loc[:, :3])
    np.testing.assert_array_equal(meg.channels.orientation, loc[:, 9:12])
    np.testing.assert_array_equal(meg.channels.columns["rot"], loc[:, 3:].reshape(-1, 3, 3))
    np.testing.assert_allclose(np.linalg.norm(meg.channels.orientation, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(meg.read(), raw.get_data(range(157)))
    assert recording.events.label == ("stim/255", "stim/255")
    np.testing.assert_allclose(recording.events.onset, [0.281, 1.564])
    assert "markers test_mrk.sqd" in recording.info.steps[0]
    assert np.shape(recording.info.facts["dev_head_t"]) == (4, 4)
    assert recording.info.facts["n_dig"] == 508


@pytest.mark.shared
def test_kit_alone_has_no_head_position(shared: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(shared / "data/meg/kit/test.sqd", tmp_path))
    assert nkfm.read(path).info.facts["dev_head_t"] is None
    assert nkfm.read(path).info.steps == ()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["sensor_neuromag_eeg", "sensor_kit157", "sensor_eeg_biosemi32"])
def test_sensor_facts_give_the_published_positions_and_types(shared: Path, name: str) -> None:
    from safetensors.numpy import load_file

    golden = load_file(shared / f"goldens/brainomni/{name}.safetensors")
    labels = json.loads((shared / f"goldens/brainomni/{name}.json").read_text())["channel_names"]
    info = mne.create_info(labels, 100.0, "misc")
    for i, ch in enumerate(info["chs"]):
        for key in ("loc", "kind", "coil_type", "unit", "coord_frame"):
            ch[key] = golden[f"input.{key}"][i]
    recording = from_mne(mne.io.RawArray(np.zeros((len(labels), 10)), info, verbose="ERROR"))
    seen = 0
    for signal in map(recording.__getitem__, recording):
        channels = signal.channels
        rows = [labels.index(str(label)) for label in channels.columns["original_name"]]
        ours = np.hstack([channels.position, np.nan_to_num(channels.orientation)])
        np.testing.assert_allclose(ours, golden["output.pos_raw"][rows], atol=2e-6)  # the sidecar's tolerance
        published = {0: {"eeg"}, 1: {"mag"}, 2: {"grad_planar", "grad_axial"}}
        types = golden["output.sensor_type"][rows]
        assert all(t in published[int(p)] for t, p in zip(channels.sensor_type, types, strict=True))
        assert all(t in SENSOR_TYPES for t in channels.sensor_type)
        seen += len(rows)
    assert seen == len(labels)
    if name == "sensor_neuromag_eeg":
        assert set(recording["meg"].channels.unit) == {"T", "T/m"}


# --- laziness -----------------------------------------------------------------------------------------------------


class Spy:
    """Counts what is asked of a `Raw`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.ranges: list[tuple[int, int]] = []
        real = mne.io.BaseRaw.get_data

        def get_data(raw, picks=None, start=0, stop=None, *args, **kwargs):
            self.ranges.append((start, stop))
            return real(raw, picks, start, stop, *args, **kwargs)

        monkeypatch.setattr(mne.io.BaseRaw, "get_data", get_data)


def test_a_crop_reads_only_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edf_file) -> None:
    path = edf_file(tmp_path / "a.edf", seconds=60)
    spy = Spy(monkeypatch)
    recording = nkfm.read(path)
    assert spy.ranges == [(5999, 6000)]  # the probe for a file that is cut off
    series(recording, "eeg").crop(10.0, 12.0)
    assert spy.ranges[1:] == [(1000, 1200)]


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), slice(5, 9)), (1, slice(3, None)), (slice(0, 2), 7), (2, 7), ([2, 0], slice(0, 10, 3)), ([1, 1], [5, 2]),
        (np.array([True, False, True]), slice(-4, None)), (slice(None), slice(5, 5)), ([], slice(0, 3)),
        (slice(None, None, -1), slice(10, 2, -2)), (slice(None),), 1,
    ],
    ids=str,
)  # fmt: skip
def test_any_selection_equals_the_array(index: object) -> None:
    data = series(nkfm.from_mne(raw_array()), "eeg").data
    whole = samples()[:3]
    expected = whole[index]
    if isinstance(index, tuple) and len(index) == 2 and isinstance(index[0], list):
        expected = whole[np.array(index[0], dtype=int)][:, index[1]]  # rows and samples select separately
    np.testing.assert_array_equal(data[index], expected)
    assert data.dtype == np.float64


def test_a_sample_beyond_the_end_is_an_error() -> None:
    data = series(nkfm.from_mne(raw_array()), "eeg").data
    with pytest.raises(IndexError, match="sample 3000 of a signal with 3000"):
        data[:, 3000]


def test_a_recording_from_a_file_can_be_pickled(tmp_path: Path, edf_file) -> None:
    recording = nkfm.read(edf_file(tmp_path / "a.edf"))
    again = pickle.loads(pickle.dumps(recording["eeg"].data))
    np.testing.assert_array_equal(again[:, 10:20], recording["eeg"].data[:, 10:20])


# --- further formats ----------------------------------------------------------------------------------------------


def test_fif_in_parts_is_one_recording(tmp_path: Path) -> None:
    raw = raw_array(120_000)
    raw.save(tmp_path / "sub-07_ses-2_task-rest_run-3_raw.fif", split_size="2MB", fmt="double", verbose="ERROR")
    assert len(list(tmp_path.iterdir())) > 1
    first = next(p for p in sorted(tmp_path.iterdir()) if nkfm.read(p).stop == 1200)
    recording = nkfm.read(first)
    np.testing.assert_array_equal(series(recording, "eeg").read(100_000), samples(120_000)[:3, 100_000:])
    assert (recording.info.subject, recording.info.session) == ("07", "2")
    assert (recording.info.task, recording.info.run) == ("rest", "3")


def test_fif_with_epochs_or_averages_is_recognised_under_any_name(tmp_path: Path) -> None:
    epochs = mne.make_fixed_length_epochs(raw_array(), 1.0, preload=True, verbose="ERROR")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MNE's advice on file names
        epochs.save(tmp_path / "cleaned.fif", verbose="ERROR")
        epochs.average().save(tmp_path / "mean.fif", verbose="ERROR")
        epochs.save(tmp_path / "a_epo.fif.gz", verbose="ERROR")
    assert len(series(nkfm.read(tmp_path / "cleaned.fif"), "eeg").breaks) == 29
    assert len(series(nkfm.read(tmp_path / "a_epo.fif.gz"), "eeg").breaks) == 29
    assert series(nkfm.read(tmp_path / "mean.fif"), "eeg").n_samples == 100
    assert "reader_warnings" not in nkfm.read(tmp_path / "cleaned.fif").info.facts


def test_bdf_and_upper_case_endings(tmp_path: Path, edf_file) -> None:
    bdf = edfio.Bdf([edfio.BdfSignal(np.sin(np.arange(1000) / 9) * 20, 100, label="A1", physical_dimension="uV")])
    bdf.write(tmp_path / "a.bdf")
    np.testing.assert_allclose(
        series(nkfm.read(tmp_path / "a.bdf"), "eeg").read()[0], np.sin(np.arange(1000) / 9) * 20e-6, atol=1e-11
    )
    upper = Path(shutil.copy(edf_file(tmp_path / "a.edf"), tmp_path / "B.EDF"))
    recording = nkfm.read(upper)
    assert series(recording, "eeg").channels.name == ("Fp1", "Fp2")
    assert recording.events.label == ("tone", "key")
    np.testing.assert_allclose(recording.events.onset, [2.5, 7.0])
    np.testing.assert_allclose(recording.events.duration, [1.0, 0.0])


def test_the_status_channel_of_biosemi_gives_events(tmp_path: Path) -> None:
    codes, full = np.zeros(1000), (-8388608, 8388607)
    codes[200:210], codes[700:705] = 5, 1
    status = edfio.BdfSignal(codes, 100, label="Status", physical_range=full, digital_range=full)
    electrode = edfio.BdfSignal(np.sin(np.arange(1000)), 100, label="A1", physical_dimension="uV")
    edfio.Bdf([electrode, status]).write(tmp_path / "a.bdf")
    recording = nkfm.read(tmp_path / "a.bdf")
    assert recording.events.label == ("stim/5", "stim/1")
    np.testing.assert_allclose(recording.events.onset, [2.0, 7.0])
    assert series(recording, "aux").channels.kind == ("stim",)


def test_edf_with_slower_channels_says_that_they_were_resampled(tmp_path: Path, edf_file) -> None:
    recording = nkfm.read(edf_file(tmp_path / "a.edf", sfreqs=(100.0, 100.0, 50.0)))
    assert "resampled to 100 Hz on reading: EOG L (50 Hz)" in recording.info.steps[0]


def test_gaps_of_a_discontinuous_edf_become_breaks(tmp_path: Path, edf_file) -> None:
    path = edf_file(tmp_path / "a.edf")
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    n_signals, header_bytes = int(content[252:256]), int(content[184:192])
    sizes = [int(content[256 + 216 * n_signals + 8 * i :][:8]) for i in range(n_signals)]
    record = 2 * sum(sizes)
    marks = 2 * sum(sizes[: n_signals - 1])
    for i in range(4, 10):  # a pause of 3 s before the fifth record
        at = header_bytes + i * record + marks
        text = bytes(content[at : at + 2 * sizes[-1]]).rstrip(b"\0")
        text = text.replace(b"+%d\x14\x14" % i, b"+%d\x14\x14" % (i + 3), 1).replace(b"+7\x14key", b"+9\x14key")
        content[at : at + 2 * sizes[-1]] = text.ljust(2 * sizes[-1], b"\0")
    path.write_bytes(content)
    recording = nkfm.read(path)
    assert series(recording, "eeg").breaks == (400,)
    assert recording.events.label == ("tone", "key")
    np.testing.assert_allclose(recording.events.onset, [2.5, 6.0])  # 9 s on the clock, 3 s of them not recorded
    assert "joined 2 runs" in recording.info.steps[0]


def test_every_reader_can_be_loaded_or_says_what_to_install() -> None:
    ours = [entry for entry in nkfm.readers.entries() if entry.plugin == "nkfm_mne"]
    assert len(ours) >= 30
    for entry in ours:
        try:
            assert callable(nkfm.readers.load(entry.name))
        except MissingDependency as err:
            assert "pip install" in str(err)  # noqa: PT017 - either outcome is right
