import shutil
import struct
import sys
from pathlib import Path

import edfio
import h5py
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError, MissingDependency


@pytest.mark.parametrize(
    "ending", [".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", "-epo.fif", ".sqd", ".cnt", ".mat", ".snirf"]
)
@pytest.mark.parametrize(
    "content", [b"", b"time,Fp1,Fp2\n0.0,1.5,2.5\n" * 200, bytes(5000)], ids=["empty", "csv", "zeros"]
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, ending: str, content: bytes, capsys) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        nkfm.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "Is its ending right" in message or "again" in message
    assert "is empty (0 bytes)" in message if not content else "begins with" in message
    assert len(message) < 700
    assert capsys.readouterr().out == ""


def test_a_shortened_edf_says_how_much_is_missing(tmp_path: Path, edf_file) -> None:
    path = edf_file(tmp_path / "a.edf")
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(DataError, match=r"cut off: its header promises 10 records of 1 s .* but it holds \d .*again"):
        nkfm.read(path)


def test_a_running_edf_may_not_know_its_length(tmp_path: Path, edf_file) -> None:
    path = edf_file(tmp_path / "a.edf")
    content = bytearray(path.read_bytes())
    content[236:244] = b"-1      "
    path.write_bytes(content)
    recording = nkfm.read(path)
    assert recording.stop == 10.0
    assert any("does not match the file size" in text for text in recording.info.facts["reader_warnings"])


def test_bdf_called_edf_says_so(tmp_path: Path) -> None:
    edfio.Bdf([edfio.BdfSignal(np.sin(np.arange(1000)), 100, label="A1")]).write(tmp_path / "a.bdf")
    path = (tmp_path / "a.bdf").rename(tmp_path / "a.edf")
    with pytest.raises(DataError, match=r"is a BDF file; rename it to end in \.bdf"):
        nkfm.read(path)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["eeg/hyperscan_S1-epo.fif", "meg/kit/test.sqd", "eeg/eeglab_test_16ch.edf"])
def test_half_a_file_is_an_error_on_reading(shared: Path, tmp_path: Path, name: str) -> None:
    content = (shared / "data" / name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut off|before the last sample"):
        nkfm.read(path)


def make_snirf(path: Path) -> Path:
    """Two sources, one detector, two wavelengths; positions in a frame the file does not name."""
    with h5py.File(path, "w") as file:
        file["formatVersion"] = "1.0"
        nirs = file.create_group("nirs")
        tags = {"SubjectID": "1", "MeasurementDate": "2020-01-01", "MeasurementTime": "10:00:00Z", "LengthUnit": "m"}
        for key, value in {**tags, "TimeUnit": "s", "FrequencyUnit": "Hz"}.items():
            nirs[f"metaDataTags/{key}"] = value
        nirs["data1/time"] = np.arange(100) / 10.0
        nirs["data1/dataTimeSeries"] = np.arange(400.0).reshape(100, 4) + 1
        for i in range(4):
            row = {"sourceIndex": i // 2 + 1, "detectorIndex": 1, "wavelengthIndex": i % 2 + 1, "dataType": 1}
            for key, value in {**row, "dataTypeIndex": 1}.items():
                nirs[f"data1/measurementList{i + 1}/{key}"] = value
        nirs["probe/wavelengths"] = [760.0, 850.0]
        nirs["probe/sourcePos3D"] = [[0, 0.08, 0], [0.01, 0.08, 0]]
        nirs["probe/detectorPos3D"] = [[0.02, 0.08, 0.02]]
        nirs["probe/sourceLabels"], nirs["probe/detectorLabels"] = [b"S1", b"S2"], [b"D1"]
    return path


def test_snirf_has_optodes_and_says_that_its_frame_is_unnamed(tmp_path: Path) -> None:
    recording = nkfm.read(make_snirf(tmp_path / "a.snirf"))
    channels = recording["fnirs"].channels
    assert channels.frame == "native"
    assert channels.columns["wavelength_nm"].tolist() == [760, 850, 760, 850]
    np.testing.assert_allclose(channels.columns["source"][2], [0.01, 0.08, 0])
    np.testing.assert_allclose(channels.position[2], [0.015, 0.08, 0.01])
    assert np.isnan(channels.orientation).all()
    assert any("called native" in step for step in recording.info.steps)
    np.testing.assert_array_equal(recording["fnirs"].read(0, 2)[0], [1, 5])


@pytest.mark.shared
@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_eeglab_without_all_of_its_samples_is_an_error(shared: Path, tmp_path: Path, keep: float) -> None:
    path = Path(shutil.copy(shared / "data/eeg/eeglab_data.set", tmp_path))
    content = (shared / "data/eeg/eeglab_data.fdt").read_bytes()
    if keep:
        (tmp_path / "eeglab_data.fdt").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DataError, match="before the last sample" if keep else r"eeglab_data\.fdt not found"):
        nkfm.read(path)


def test_a_missing_optional_package_comes_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nkfm_mne.eeg_formats import read_eeglab

    (tmp_path / "a.set").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "pymatreader", None)
    with pytest.raises(MissingDependency, match="pip install pymatreader"):
        nkfm.read(tmp_path / "a.set")
    with pytest.raises(MissingDependency, match=r"pip install 'neurokit-fm\[formats\]'"):
        read_eeglab(tmp_path / "a.set")


def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.edff").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no reader for files ending in '.edff'. Did you mean '.edf'"):
        nkfm.read(tmp_path / "a.edff")


def test_a_damaged_edf_header_is_an_error(tmp_path: Path, edf_file) -> None:
    path = edf_file(tmp_path / "a.edf")
    content = bytearray(path.read_bytes())
    content[252:256] = b"abcd"
    path.write_bytes(content)
    with pytest.raises(DataError, match="the EDF header is damaged"):
        nkfm.read(path)


def test_what_mne_calls_truncated_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.nxe").write_bytes(bytes(1000))
    with pytest.raises(DataError, match=r"a\.nxe is cut off: .*truncated. Copy"):
        nkfm.read(tmp_path / "a.nxe")


def test_kit_sizes_are_checked_before_mne_fills_up_with_zeros(tmp_path: Path) -> None:
    directory = [(0, 16, 32, 32), *[(0, 0, 0, 0)] * 8, (160, 2, 1000, 1000)]
    (tmp_path / "a.con").write_bytes(b"".join(struct.pack("<4i", *row) for row in directory) + bytes(100))
    with pytest.raises(DataError, match=r"promises samples up to byte 2,160, but the file has 260"):
        nkfm.read(tmp_path / "a.con")


def test_repeated_channel_names_are_an_error_not_a_silent_renaming(tmp_path: Path) -> None:
    signals = [edfio.EdfSignal(np.arange(200.0), 100, label=label) for label in ("Fp1", "Fp1", "Cz")]
    edfio.Edf(signals).write(tmp_path / "twice.edf")
    with pytest.raises(DataError, match="twice.edf: channel names must be unique; repeated: Fp1"):
        nkfm.read(tmp_path / "twice.edf")
