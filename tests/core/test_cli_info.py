import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

import neurokit_fm.reading
from neurokit_fm import Dataset
from neurokit_fm.cli import info as module
from neurokit_fm.cli.info import count_parameters, info
from neurokit_fm.errors import UnknownName, WeightsError
from neurokit_fm.hooks import Entry
from neurokit_fm.registry import KINDS
from neurokit_fm.testing import fake_recording

CONFIG = {
    "neurokit_fm": {"format": 1, "model": "mae", "plugin": "nkfm_mae", "saved_with": "0.1.0"},
    "config": {"width": 64, "tokenizer": {"name": "patch", "length_s": 1.0}},
    "contract": {"modality": "eeg", "sfreq": 200.0},
    "head": None,
}


def run(*line: str) -> str:
    result = CliRunner().invoke(info, line, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    tensors = {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float16), "c": np.zeros((), np.float32)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_a_modality_shows_its_entry_and_its_value() -> None:
    (found,) = json.loads(run("meg", "--json"))
    assert found["kind"] == "modalities"
    assert found["summary"] == "Magnetoencephalography"
    assert found["layout"] == "series"
    assert "layout: series" in run("meg")


def test_an_unknown_name_offers_the_closest_of_every_kind() -> None:
    with pytest.raises(UnknownName, match="nothing is called 'egg'. Did you mean '.*eg'"):
        run("egg")


def test_a_path_that_is_not_there_says_so() -> None:
    with pytest.raises(UnknownName, match="sub-01.edf: no such file or folder"):
        run("sub-01.edf")
    with pytest.raises(UnknownName, match="no such model in the local Hub cache"):
        run("owner/name@abc")


def test_a_recording_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.edf"
    path.touch()
    entry = Entry(name="edf", target="x:y", summary="EDF", suffixes=(".edf",))
    monkeypatch.setattr(neurokit_fm.reading, "reader_for", lambda path: entry)
    monkeypatch.setattr(neurokit_fm.reading, "read", lambda path: fake_recording(subject="07"))
    (found,) = json.loads(run(str(path), "--json"))
    assert found["reader"] == "edf"
    assert found["subject"] == "07"
    assert "eeg: 8 channels" in found["holds"]


def test_a_model_folder_shows_config_contract_and_parameters(model_folder: Path) -> None:
    (found,) = json.loads(run(str(model_folder), "--json"))
    assert found["parameters"] == 3 * 4 + 5 + 1
    assert found["model"] == "mae"
    assert found["config"] == CONFIG["config"]
    assert found["contract"] == CONFIG["contract"]
    text = run(str(model_folder))
    assert "parameters: 18" in text
    assert "  sfreq: 200.0" in text


def test_a_model_in_the_hub_cache_is_shown_without_a_download(model_folder: Path, monkeypatch) -> None:
    import huggingface_hub

    cached = {("lab/mine", "v2"): str(model_folder / "config.json")}
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda repo, file, revision: cached.get((repo, revision))
    )
    (found,) = json.loads(run("lab/mine@v2", "--json"))
    assert (found["name"], found["parameters"]) == ("lab/mine@v2", 18)
    with pytest.raises(UnknownName, match="lab/mine: no such file or folder"):
        run("lab/mine")


@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "bert"}'])
def test_a_folder_of_something_else_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsError, match="is not JSON|holds no model of ours"):
        run(str(tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"123", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]", b"\x07\0\0\0\0\0\0\0" + b'{"a":1}']
)
def test_a_broken_weights_file_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="model.safetensors is not a safetensors file"):
        count_parameters(path)


def test_a_dataset_shows_licence_citation_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    class Datasets:
        def entries(self) -> list[Entry]:
            return [Entry(name="made-up", target="x:y", summary="Made up", plugin="nkfm-made-up")]

        def load(self, name: str):
            return lambda: Dataset(
                name="made-up", table=[{"subject": "1"}] * 3, open=lambda i: fake_recording(), licence="CC0-1.0",
                citation="Nobody (2020)", label_of={"a": "left"},
            )  # fmt: skip

    monkeypatch.setattr(module, "KINDS", {"datasets": Datasets()})
    (found,) = json.loads(run("made-up", "--json"))
    assert found["licence"] == "CC0-1.0"
    assert found["citation"] == "Nobody (2020)"
    assert found["recordings"] == 3
    assert found["table"] == "subject"
    assert found["plugin"] == "nkfm-made-up"
    assert "citation: Nobody (2020)" in run("made-up")


@pytest.mark.parametrize("name", KINDS["datasets"])
def test_every_dataset_says_where_it_comes_from_and_on_what_terms(name: str) -> None:
    (found,) = json.loads(run(name, "--json"))
    assert found["licence"]
    assert found["summary"] == KINDS["datasets"][name].summary
    if "takes" in found:  # files of the user's own
        assert "Parameters" in found["about"]
        return
    assert found["citation"]
    assert found.get("provenance") or "download" in found["not here"]
