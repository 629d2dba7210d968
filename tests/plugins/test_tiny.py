"""nkfm-tiny: it comes with the package, takes EEG and MEG, and has learned something."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.contract import write_contract
from neurokit_fm.hub import load_contract
from neurokit_fm.model import Model
from neurokit_fm.report.reconstruction import Grid, plain_predictions
from nkfm_tiny.catalogue import TINY

RECIPE = Path(__file__).parents[2] / "recipes" / "nkfm-tiny.toml"


@pytest.fixture(scope="module")
def tiny() -> Model:
    return nkfm.load_model("nkfm-tiny")


def test_it_loads_by_name_without_a_network(tiny: Model) -> None:
    assert tiny.reference == "nkfm-tiny"
    assert tiny.load_report is not None
    assert tiny.load_report.fingerprint is not None
    assert tiny.load_report.fingerprint < 1e-4
    assert tiny.load_report.parameters == TINY.parameters < 3_000_000
    assert next(tiny.parameters()).dtype == torch.float32
    assert load_contract("nkfm-tiny") == tiny.contract
    assert (TINY.folder / "model.safetensors").stat().st_size < 2e6


def test_it_was_made_by_the_committed_recipe(tiny: Model) -> None:
    assert (TINY.folder / "recipe.toml").read_text() == RECIPE.read_text()
    recipe = tomllib.loads(RECIPE.read_text())
    contract = json.loads(json.dumps(write_contract(tiny.contract)))
    assert {key: contract[key] for key in recipe["contract"]} == recipe["contract"]
    labelled = [part for part in recipe["data"] if part["dataset"].startswith("finger-movements")]
    assert [part["split"] for part in labelled] == ["given"]  # the test trials are left out
    log = [json.loads(line) for line in (TINY.folder / "log.jsonl").read_text().splitlines()]
    steps = [line for line in log if line["event"] == "step"]
    assert steps[-1]["number"] >= recipe["train"]["steps"] - recipe["log_every"]
    first, last = (np.mean([step["parts"]["primary"] for step in part]) for part in (steps[:50], steps[-50:]))
    assert last < 0.7 * first


@pytest.mark.parametrize(("name", "channels"), [("eeglab-attention", 30), ("kit-meg", 157)])
def test_it_embeds_eeg_and_meg(tiny: Model, name: str, channels: int) -> None:
    recording = nkfm.datasets.load(name)()[0].crop(0, 2)
    embedding = nkfm.embed(tiny, recording)
    assert len(embedding.channels) == channels
    assert embedding.values.shape == (2, tiny.config.encoder.transformer.width)
    assert np.isfinite(embedding.values).all()
    assert embedding.values.std(axis=0).max() > 0


@pytest.mark.parametrize(("eeg", "meg"), [(["biosemi128"], []), ([], ["kit157"])])
def test_it_fills_in_what_people_it_never_saw_would_show(tiny: Model, eeg: list[str], meg: list[str]) -> None:
    config = {"montages": eeg, "meg": meg, "subjects": 1, "sessions": 1, "test_subjects": 0, "duration_s": 20.0}
    person = nkfm.datasets.load("simulated")(config, seed=4711)[0]
    ready = tiny.contract.apply(person)
    batch = collate([ready.crop(at, at + 1) for at in (2, 8, 14)])
    with torch.no_grad():
        grid = Grid.of(tiny.reconstruct(batch, generator=torch.Generator().manual_seed(0)))
    plain = {name: grid.error(filled) for name, filled in plain_predictions(grid).items()}
    assert grid.error() < 0.8 * plain["zero"]


def test_it_is_fine_tuned_saved_and_loaded_again(tmp_path):
    train = nkfm.split(nkfm.datasets.load("finger-movements-repaired")(), by="given")[0]
    tuned = nkfm.finetune(nkfm.load_model("nkfm-tiny"), train, "head", settings={"epochs": 1}, seed=0)
    tuned.save_pretrained(tmp_path, training={"init": "nkfm-tiny"})
    again = nkfm.load_model(tmp_path)
    assert again.head.config == tuned.head.config
    assert "base_model" not in (tmp_path / "README.md").read_text(encoding="utf8")
