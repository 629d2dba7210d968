"""Published weights and the Hub: what goes wrong is said in the user's terms. Nothing here touches the network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import torch
from huggingface_hub import errors as hub_errors

import neurokit_fm as nkfm
from neurokit_fm import hub
from neurokit_fm.errors import WeightsError
from nkfm_reve.catalogue import BASE
from nkfm_reve.config import CONTRACT, ReveConfig
from nkfm_reve.convert import to_reference
from nkfm_reve.model import Reve

SIZES = {"embed_dim": 32, "depth": 1, "heads": 2, "head_dim": 16, "freqs": 3}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nkfm.PublishedWeights:
    """A tiny checkpoint in the published layout, as if it had been downloaded."""
    torch.manual_seed(0)
    model = Reve(ReveConfig(width=32, depth=1, heads=2, head_dim=16, freqs=3), CONTRACT)
    (tmp_path / "config.json").write_text(json.dumps({**SIZES, "model_type": "reve", "auto_map": {}}))
    safetensors.torch.save_file(to_reference(model), tmp_path / "model.safetensors")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    return replace(BASE, parameters=model.count_parameters())


def test_a_published_checkpoint_is_converted_and_reported(published, monkeypatch):
    monkeypatch.setattr(nkfm.weights, "load", lambda name: published)
    model = nkfm.load_model("reve-base")
    assert model.contract == CONTRACT
    assert model.reference == "reve-base"
    assert model.load_report.parameters == published.parameters
    assert not model.training


def test_a_checkpoint_of_another_size_or_hash_is_refused(published, tmp_path, monkeypatch):
    monkeypatch.setattr(nkfm.weights, "load", lambda name: replace(published, parameters=7))
    with pytest.raises(WeightsError, match="published are 7"):
        nkfm.load_model("reve-base")
    wrong = replace(published, sha256={"model.safetensors": "0" * 64})
    monkeypatch.setattr(nkfm.weights, "load", lambda name: wrong)
    with pytest.raises(WeightsError, match=f"has sha256 .*, expected {'0' * 64}"):
        nkfm.load_model("reve-base")
    right = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(nkfm.weights, "load", lambda name: replace(published, sha256={"model.safetensors": right}))
    nkfm.load_model("reve-base")


def as_raised(error: type[Exception], words: str) -> Exception:
    """Make an error of the client without the HTTP response its constructor wants."""
    made = error.__new__(error)
    made.args = (words,)
    return made


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            as_raised(hub_errors.GatedRepoError, "403"),
            "is gated: accept its terms at .*reve-base, then run `hf auth login`",
        ),
        (as_raised(hub_errors.RepositoryNotFoundError, "404"), "no such repository, or a private one"),
        (as_raised(hub_errors.RevisionNotFoundError, "404"), "has no revision 'main'"),
        (
            as_raised(hub_errors.LocalEntryNotFoundError, "offline"),
            "is not in the local cache and the Hub cannot be reached",
        ),
        (OSError("connection reset"), "download failed .*finished files are kept"),
    ],
    ids=["gated", "absent", "revision", "offline", "cut"],
)
def test_what_the_hub_answers_becomes_one_clear_message(error, words, monkeypatch):
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(WeightsError, match=words):
        nkfm.load_model("reve-base")


def test_a_revision_is_passed_on(monkeypatch, tmp_path):
    asked = {}

    def download(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(WeightsError, match="no config.json"):
        hub.load_model("lab/model@abc123")
    assert (asked["repo"], asked["revision"]) == ("lab/model", "abc123")
    assert "model.safetensors" in asked["allow_patterns"]
    assert not [name for name in asked["allow_patterns"] if name.endswith((".bin", ".pt", ".py"))]


def test_the_published_sizes_stand_in_the_catalogue():
    assert nkfm.weights.load("reve-base").parameters == 69_189_632
    assert nkfm.weights.load("reve-large").parameters == 389_978_496
    assert nkfm.weights.load("reve-large").gated
