"""The sample data sets hold what they say, and equal the published originals."""

import os
from pathlib import Path

import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.data.store import verify
from neurokit_fm.positions import known_positions
from nkfm_samples.dataset import DATA

NAMES = ("eeglab-attention", "finger-movements", "kit-meg", "songbird-spikes")


@pytest.fixture
def shared():
    folder = Path(os.environ.get("NKFM_SHARED", Path(__file__).parents[3] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no folder of real recordings at {folder}; set NKFM_SHARED")
    return folder


def load(name):
    return nkfm.datasets.load(name)()


def test_the_files_are_small_and_intact():
    files = sorted(DATA.iterdir())
    assert len(files) == 5
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) < 2_000_000
    assert sum(sizes) < 4_000_000
    for file in files:
        verify(file)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_says_where_it_comes_from(name):
    data = load(name)
    entry = nkfm.datasets[name]
    assert entry.plugin == "nkfm_samples"
    assert data.licence.startswith(entry.licence)
    assert data.citation
    for row, recording in zip(data.table, data, strict=True):
        assert recording.info.facts["provenance"]
        assert recording.info.facts["sha256_of_originals"]
        assert recording.info.licence == data.licence
        assert recording.info.citation == data.citation
        assert recording.info.subject == row["subject"]


def test_eeglab_attention_holds_thirty_electrodes_two_eog_and_its_events():
    recording = load("eeglab-attention")[0]
    eeg, eog = recording["eeg"], recording["eog"]
    assert eeg.data.shape == (30, 30504)
    assert eog.data.shape == (2, 30504)
    assert eog.channels.name == ("EOG1", "EOG2")
    assert set(eog.channels.kind) == {"eog"}
    assert set(eeg.channels.kind) == set(eeg.channels.sensor_type) == {"eeg"}
    assert set(eeg.channels.unit) == {"V"}
    assert eeg.channels.frame == "head"
    assert eeg.channels.has_position.all()
    assert eeg.sfreq == 128
    assert recording.events.counts() == {"square": 80, "rt": 74}
    low, high = nkfm.modalities.load("eeg").plausible("eeg")
    assert ((low < eeg.read().std(axis=1)) & (eeg.read().std(axis=1) < high)).all()
    assert np.median(recording["eeg"].read().std(axis=1)) == pytest.approx(24e-6, rel=0.1)


def test_finger_movements_hold_the_given_split():
    data = load("finger-movements")
    assert [row["part"] for row in data.table] == ["train", "test"]
    assert data.label_of == {"left": "left", "right": "right"}
    counts = [{"left": 159, "right": 157}, {"left": 49, "right": 51}]
    for recording, count in zip(data, counts, strict=True):
        eeg = recording["eeg"]
        trials = sum(count.values())
        assert eeg.data.shape == (28, trials * 50)
        assert eeg.sfreq == 100
        assert eeg.runs() == [(50 * i, 50 * i + 50) for i in range(trials)]
        assert recording.events.counts() == count
        assert np.allclose(recording.events.onset * 100, np.arange(trials) * 50)
        assert (recording.events.duration == 0.5).all()
        assert not eeg.channels.has_position.any()
        assert 20e-6 < eeg.read().std() < 80e-6


def test_finger_movements_carry_what_others_report_and_their_repair_does_not():
    data = load("finger-movements")
    assert [p.accuracy for p in data.published] == sorted((p.accuracy for p in data.published), reverse=True)
    assert {p.n_test for p in data.published} == {100}
    assert all("arXiv:" in p.source or "doi " in p.source for p in data.published)
    assert len({p.method for p in data.published}) == len(data.published) == 11
    assert not load("finger-movements-repaired").published
    assert not data.take([1]).published


def test_rows_of_the_published_finger_movements_overlap_and_are_put_back_in_order():
    """The proof that the published file is damaged, and that what is made of it is electrodes."""
    for damaged, mended in zip(load("finger-movements"), load("finger-movements-repaired"), strict=True):
        rows = damaged["eeg"].read().reshape(28, -1, 50)
        assert np.array_equal(rows[1:, :, :22], rows[:-1, :, 28:])
        eeg = mended["eeg"]
        assert eeg.channels.name == damaged["eeg"].channels.name[:16]
        assert eeg.runs() == damaged["eeg"].runs()
        x = eeg.read().reshape(16, -1, 50)
        assert np.array_equal(x[0], rows[0])
        assert np.array_equal(x[1, :, 6:], rows[2, :, :44])  # sample 56 of the sequence
        x = (x - x.mean(axis=2, keepdims=True)).reshape(16, -1)
        alike = np.corrcoef(x) - 2 * np.eye(16)
        places = known_positions(eeg.channels.name, "eeg", "head")
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        assert (apart[np.arange(16), alike.argmax(axis=1)] < 0.04).sum() >= 15  # F4 is most like F3 in the test part
        assert alike.max(axis=1).min() > 0.85


def test_kit_meg_has_the_geometry_of_157_gradiometers():
    recording = load("kit-meg")[0]
    meg, aux = recording["meg"], recording["aux"]
    assert meg.data.shape == (157, 2000)
    assert set(meg.channels.kind) == {"meg"}
    assert set(meg.channels.sensor_type) == {"grad_axial"}
    assert meg.channels.frame == "device"
    assert meg.channels.has_position.all()
    assert np.allclose(np.linalg.norm(meg.channels.orientation, axis=1), 1)
    assert meg.channels.columns["coil_type"].dtype == np.int32
    assert set(meg.channels.columns["coil_type"]) == {6001}
    assert aux.channels.kind == ("ref_meg",) * 3 + ("stim",)
    assert set(aux.read(rows=[3]).ravel()) == {254, 255}
    assert np.allclose(recording.events.onset, [0.281, 1.564])
    assert np.median(meg.read().std(axis=1)) == pytest.approx(3.7e-13, rel=0.05)


def test_songbird_spikes_lie_on_their_grid():
    spikes = load("songbird-spikes")[0]["spikes"]
    assert len(spikes.times) == 3336
    assert spikes.channels.name == tuple(map(str, range(1, 76)))
    assert len(set(spikes.source.tolist())) == 74
    assert np.abs(spikes.times * 30 - np.rint(spikes.times * 30)).max() < 1e-9
    counts = spikes.counts(1 / 30)
    assert counts.shape == (75, 666)
    assert counts.sum() == 3336
    assert counts.max() == 1
    assert spikes.duration == pytest.approx(22.2)


@pytest.mark.shared
def test_finger_movements_equal_the_published_text(shared):
    for part, recording in zip(("TRAIN", "TEST"), load("finger-movements"), strict=True):
        path = shared / "data" / "eeg" / "FingerMovements" / f"FingerMovements_{part}.ts"
        lines = path.read_text(encoding="utf8", errors="replace").partition("@data")[2].split("\n")[1:]
        trials = [line.strip().split(":") for line in lines if line.strip()]
        values = np.array([[row.split(",") for row in rows] for *rows, _ in trials]).astype(float)  # microvolts
        eeg = recording["eeg"].read().reshape(28, -1, 50).swapaxes(0, 1)  # (trials, C, T) volts
        assert np.array_equal(eeg, (np.rint(values * 10) * 1e-7).astype(np.float32))
        assert recording.events.label == tuple(label for *_, label in trials)


@pytest.mark.shared
def test_eeglab_attention_is_within_half_a_step_of_the_original(shared):
    microvolts = np.fromfile(shared / "data" / "eeg" / "eeglab_data.fdt", "<f4").reshape(-1, 32).T
    original = microvolts.astype(np.float64) * 1e-6
    recording = load("eeglab-attention")[0]
    eog = [1, 5]
    for name, rows in (("eog", eog), ("eeg", [i for i in range(32) if i not in eog])):
        scale = recording[name].data.scale
        assert (np.abs(recording[name].read() - original[rows]) <= 0.503 * scale[:, None]).all()  # 0.002: float32
        assert scale.max() < 17e-9


@pytest.mark.shared
def test_songbird_spikes_equal_the_published_table(shared):
    ids, times = np.loadtxt(shared / "data" / "spikes" / "songbird_spikes.txt").T
    spikes = load("songbird-spikes")[0]["spikes"]
    assert sorted(zip(times, ids - 1, strict=True)) == list(zip(spikes.times, spikes.source, strict=True))


@pytest.mark.shared
def test_building_again_gives_the_same_files(shared, tmp_path):
    pytest.importorskip("pymatreader")
    from nkfm_samples.build import build

    build(shared / "data", tmp_path)
    for file in sorted(DATA.iterdir()):
        assert verify(tmp_path / file.name) == verify(file)
