from pathlib import Path

import pytest

import neurokit_fm.plugins
import neurokit_fm.reading
from neurokit_fm import Recording, read
from neurokit_fm.errors import DataError, NkfmError
from neurokit_fm.hooks import Entry
from neurokit_fm.reading import reader_for
from neurokit_fm.testing import fake_recording


class Readers:
    """Stands in for the registry of readers."""

    def __init__(self) -> None:
        self.known = {
            "text": Entry(name="text", target="", summary="plain text", suffixes=(".txt", ".gz")),
            "epochs": Entry(name="epochs", target="", summary="MNE epochs", suffixes=("-epo.txt",)),
        }

    def entries(self) -> list[Entry]:
        return list(self.known.values())

    def load(self, name: str):
        return {"text": self.text, "epochs": lambda path: fake_recording(seed=1)}[name]

    def text(self, path: Path) -> Recording:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: empty")
        raise UnicodeDecodeError("ascii", b"\xff", 0, 1, "not ASCII")


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    made = Readers()
    monkeypatch.setattr(neurokit_fm.reading, "readers", made)
    return made


@pytest.mark.usefixtures("readers")
def test_the_longest_ending_decides_and_case_does_not() -> None:
    assert reader_for("sub-1-epo.txt").name == "epochs"
    assert reader_for("SUB-1.TXT").name == "text"
    assert reader_for("sub-1.vhdr") is None


@pytest.mark.usefixtures("readers")
def test_reading_hands_the_path_to_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "a-epo.txt"
    path.touch()
    assert read(str(path)).info.source == "fake series, seed 1"


@pytest.mark.usefixtures("readers")
def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no such file: nowhere.txt"):
        read("nowhere.txt")


@pytest.mark.usefixtures("readers")
def test_an_unknown_ending_offers_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.tx"
    path.touch()
    with pytest.raises(
        DataError, match=r"a.tx: no reader for files ending in '.tx'. Did you mean '.txt'\? Known: -epo"
    ):
        read(path)


@pytest.mark.usefixtures("readers")
def test_an_unknown_ending_mentions_broken_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.edf"
    path.touch()
    found = neurokit_fm.plugins.Plugins(neurokit_fm.plugins._new_manager(), {"nkfm_mne": "ImportError: no mne"})
    monkeypatch.setattr(neurokit_fm.reading, "plugins", lambda: found)
    with pytest.raises(DataError, match="Broken plugins: nkfm_mne"):
        read(path)


@pytest.mark.usefixtures("readers")
def test_whatever_a_reader_raises_names_the_file_and_the_format(tmp_path: Path) -> None:
    path = tmp_path / "broken.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"broken.txt: cannot be read as plain text \(UnicodeDecodeError: ") as caught:
        read(path)
    assert isinstance(caught.value, NkfmError)
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


@pytest.mark.usefixtures("readers")
def test_what_a_reader_says_on_purpose_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    with pytest.raises(DataError, match="empty.txt: empty$"):
        read(path)
