"""Saving and loading models: strict, safe, and noticing what is wrong."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

import neurokit_fm as nkfm
from neurokit_fm import fingerprint
from neurokit_fm.errors import ConfigError, StoreError, UnknownName, WeightsError
from neurokit_fm.heads import HeadConfig
from neurokit_fm.hub.folder import load_folder
from nkfm_reve.config import CONTRACT, ReveConfig
from nkfm_reve.model import Reve


def reve() -> Reve:
    torch.manual_seed(0)
    return Reve(ReveConfig(width=32, depth=2, heads=2, head_dim=16, freqs=3), CONTRACT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    reve().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, **values: object) -> None:
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, **values}))


def change_weights(folder: Path, **values: torch.Tensor | None) -> None:
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    tensors = {k: v for k, v in {**tensors, **values}.items() if v is not None}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")


def test_a_model_comes_back_bit_for_bit_with_its_contract_and_head(tmp_path):
    model = reve()
    model.attach_head(HeadConfig(width=32, n_outputs=2, pool="attention", labels=("left", "right")))
    model.save_pretrained(tmp_path)
    back = nkfm.load_model(tmp_path)
    assert back.contract == model.contract
    assert back.head.config.labels == ("left", "right")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), back.state_dict().values(), strict=True))
    batch = fingerprint.example_batch(CONTRACT, seed=5)
    with torch.no_grad():
        assert torch.equal(model.eval().predict(batch), back.predict(batch))
    assert not back.training


def test_the_load_report_says_what_was_loaded(folder):
    report = nkfm.load_model(folder).load_report
    assert report.tensors == len(reve().state_dict())
    assert report.parameters == reve().count_parameters()
    assert report.fingerprint is not None
    assert report.fingerprint < 1e-5
    assert "none missing" in str(report)


def test_the_folder_holds_what_the_design_says(folder):
    described = json.loads((folder / "config.json").read_text())
    assert described["neurokit_fm"]["format"] == 1
    assert described["neurokit_fm"]["model"] == "reve"
    assert described["neurokit_fm"]["plugin"] == "nkfm_reve"
    assert set(described) == {"neurokit_fm", "config", "contract", "head"}
    assert "library_name: neurokit_fm" in (folder / "README.md").read_text()


def test_a_missing_weight_is_named(folder):
    change_weights(folder, **{"pool.query": None})
    with pytest.raises(WeightsError, match=r"missing: pool\.query"):
        nkfm.load_model(folder)


def test_an_extra_weight_is_named(folder):
    change_weights(folder, extra=torch.zeros(1))
    with pytest.raises(WeightsError, match="superfluous: extra"):
        nkfm.load_model(folder)


def test_an_extra_config_key_is_named(folder):
    config = json.loads((folder / "config.json").read_text())["config"]
    change(folder, config={**config, "dpeth": 3})
    with pytest.raises(ConfigError, match="ReveConfig has no setting 'dpeth'. Did you mean 'depth'"):
        nkfm.load_model(folder)


def test_changed_weights_do_not_replay_the_fingerprint(folder):
    change_weights(folder, **{"pool.query": torch.ones(1, 1, 32)})
    with pytest.raises(WeightsError, match="does not reproduce its own fingerprint"):
        nkfm.load_model(folder)


def test_a_pickle_is_never_opened(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match="not a safetensors file; it looks like a pickle"):
        nkfm.load_model(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match=r"missing\. Pickles \(pytorch_model.bin\) can run code"):
        nkfm.load_model(folder)
    assert not (tmp_path / "ran").exists()


def test_folders_of_others_and_of_the_future_are_refused(folder):
    change(folder, neurokit_fm={"format": 2, "model": "reve", "saved_with": "9.0"})
    with pytest.raises(WeightsError, match=r"format 2 \(saved with 9.0\)"):
        load_folder(folder)
    (folder / "config.json").write_text('{"model_type": "reve"}')
    with pytest.raises(WeightsError, match="was not written by neurokit_fm"):
        load_folder(folder)
    (folder / "config.json").write_text("[")
    with pytest.raises(WeightsError, match="not valid JSON"):
        load_folder(folder)
    with pytest.raises(WeightsError, match="is not a model folder: no config.json"):
        load_folder(folder.parent)


def test_an_unknown_reference_gets_the_closest_name():
    with pytest.raises(UnknownName, match="Did you mean 'reve-base'"):
        nkfm.load_model("reve-bse")


@pytest.mark.parametrize("device", ["cuda:99", "banana"])
def test_a_device_that_is_not_there_is_said_before_anything_is_loaded(device):
    with pytest.raises(ConfigError, match=f"the device '{device}' cannot be used here .*'cpu' always can"):
        nkfm.load_model("no-such-model", device=device)


def test_a_full_disk_leaves_the_old_model_in_place(folder, monkeypatch):
    import errno

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(StoreError):
        reve().save_pretrained(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
