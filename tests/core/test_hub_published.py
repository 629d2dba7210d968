"""Checkpoints that others published: fetched, checked, converted once, and removed."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli.main import cli
from neurokit_fm.errors import ConfigError
from neurokit_fm.hub.cache import cached
from nkfm_reve.catalogue import BASE
from nkfm_reve.config import CONTRACT
from nkfm_reve.convert import to_reference

from .test_hub import SIZES, refused, reve, same


@pytest.fixture
def published(hub, monkeypatch) -> nkfm.PublishedWeights:
    """A tiny checkpoint in the published layout, as its authors would put it on the Hub."""
    model = reve()
    state = to_reference(model)
    file = {"model.safetensors": safetensors.torch.save(state), "config.json": json.dumps(SIZES | {"auto_map": {}})}
    hub.add(BASE.repo, file | {"modeling_reve.py": "import os"}, gated=True)
    hub.repos["model", BASE.repo].granted.add("guest")
    hub.tokens["hf_granted"] = "guest"
    monkeypatch.setenv("HF_TOKEN", "hf_granted")
    made = replace(BASE, parameters=model.count_parameters())
    offer(monkeypatch, made)
    return made


def offer(monkeypatch: pytest.MonkeyPatch, published: nkfm.PublishedWeights) -> None:
    monkeypatch.setattr(nkfm.weights, "load", lambda name: published)


def test_a_published_checkpoint_is_converted_and_reported(hub, published):
    model = nkfm.load_model("reve-base")
    assert same(model, reve())
    assert model.contract == CONTRACT
    assert model.reference == "reve-base"
    assert model.load_report.parameters == published.parameters
    assert not model.training
    assert not [seen for seen in hub.seen if seen.path.endswith(".py")]


def test_its_terms_are_shown_once(published, caplog):
    for _ in range(2):
        nkfm.load_model("reve-base")
    assert sum(BASE.licence in line for line in caplog.messages) == 1
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        nkfm.load_model("reve-base").push_to_hub("lab/mine", token="hf_lab")
    assert any("was published under" in line for line in caplog.messages)


def test_a_gated_checkpoint_names_the_page_of_the_catalogue(published, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    refused("reve-base", f"is gated: accept its terms at {BASE.page}, run `hf auth login`")


def test_a_checkpoint_of_another_size_or_hash_is_refused(hub, published, monkeypatch):
    offer(monkeypatch, replace(published, parameters=7))
    refused("reve-base", "published are 7")
    offer(monkeypatch, replace(published, sha256={"model.safetensors": "0" * 64}))
    refused("reve-base", f"has sha256 .*, expected {'0' * 64}")
    right = hashlib.sha256(hub.repos["model", BASE.repo].files["model.safetensors"]).hexdigest()
    offer(monkeypatch, replace(published, sha256={"model.safetensors": right}))
    nkfm.load_model("reve-base")
    offer(monkeypatch, replace(published, config_file="settings.json"))
    refused("reve-base", "holds no settings.json")


def pickled(hub, published, content: bytes, **changes: object) -> nkfm.PublishedWeights:
    repo = hub.repos["model", BASE.repo]
    repo.commit({"weights/model.pt": content})
    digest = hashlib.sha256(content).hexdigest()
    base = replace(published, config=SIZES, weights_file="weights/model.pt", sha256={"weights/model.pt": digest})
    return replace(base, **changes)


def dumped(tmp_path: Path, value: object) -> bytes:
    torch.save(value, tmp_path / "saved.pt")
    return (tmp_path / "saved.pt").read_bytes()


def test_a_pickle_of_known_hash_is_opened_once_and_kept_as_safetensors(hub, published, tmp_path, monkeypatch):
    content = dumped(tmp_path, {"model": to_reference(reve()), "epoch": 3})
    offer(monkeypatch, pickled(hub, published, content, state_key="model"))
    assert same(nkfm.load_model("reve-base"), reve())
    monkeypatch.setattr(torch, "load", None)
    model = nkfm.load_model("reve-base")
    assert same(model, reve())
    assert model.load_report.file.name == f"{hashlib.sha256(content).hexdigest()}.safetensors"


class Trap:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_that_does_more_is_never_run(hub, published, tmp_path, monkeypatch):
    trap = tmp_path / "ran"
    for content in (pickle.dumps(Trap(trap), protocol=2), dumped(tmp_path, {"w": Trap(trap)})):
        offer(monkeypatch, pickled(hub, published, content))
        refused("reve-base", "holds more than plain tensors and is not opened")
    offer(monkeypatch, pickled(hub, published, dumped(tmp_path, {"epoch": 3})))
    refused("reve-base", r"holds no state dict \(epoch are no tensors\)")
    offer(monkeypatch, pickled(hub, published, pickle.dumps(Trap(trap)), sha256={"weights/model.pt": "0" * 64}))
    refused("reve-base", "has sha256")
    assert not trap.exists()


def test_a_catalogue_entry_cannot_name_a_pickle_without_its_hash_or_a_file_elsewhere():
    with pytest.raises(ConfigError, match="opened only if its sha256 is given"):
        replace(BASE, weights_file="model.bin")
    for name in ("../config.json", "/etc/passwd", "*.json"):
        with pytest.raises(ConfigError, match="is not the name of a file in a repository"):
            replace(BASE, config_file=name)


def test_a_converter_gets_the_further_files_it_asks_for(hub, published, monkeypatch):
    hub.add("brain-bzh/reve-positions", {"positions.json": '{"Cz": [0.0, 0.0, 0.1]}'})
    given = {}

    def converter(config, state):
        given.update(config)
        return reve()

    monkeypatch.setattr(sys.modules[__name__], "converter", converter, raising=False)
    extras = {"positions": "brain-bzh/reve-positions:positions.json", "sizes": "config.json"}
    offer(monkeypatch, replace(published, extras=extras, converter=f"{__name__}:converter"))
    nkfm.load_model("reve-base")
    assert given["positions"] == {"Cz": [0.0, 0.0, 0.1]}
    assert given["sizes"]["embed_dim"] == 32


def test_the_published_sizes_stand_in_the_catalogue():
    assert nkfm.weights.load("reve-base").parameters == 69_189_632
    assert nkfm.weights.load("reve-large").parameters == 389_978_496
    assert nkfm.weights.load("reve-large").gated


def test_a_converted_checkpoint_can_be_removed(hub, published, tmp_path, monkeypatch):
    offer(monkeypatch, pickled(hub, published, dumped(tmp_path, to_reference(reve()))))
    nkfm.load_model("reve-base")
    (row,) = [row for row in cached() if row.ref.startswith("converted/")]
    run = CliRunner().invoke(cli, ["cache", "prune", row.ref[:20], "--json"])
    assert json.loads(run.output) == {"removed": [row.ref], "freed_bytes": row.size}
    assert not row.path.exists()
