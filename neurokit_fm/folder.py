"""The folder a model is saved in: `config.json`, `model.safetensors`, `fingerprint.safetensors`, `README.md`."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from neurokit_fm import __version__, fingerprint
from neurokit_fm.checkpoints import LoadReport, frozen, load_state
from neurokit_fm.config import read_config, write_config
from neurokit_fm.contract import read_contract, write_contract
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.errors import WeightsError
from neurokit_fm.heads import HeadConfig
from neurokit_fm.registry import models

if TYPE_CHECKING:
    from neurokit_fm.model import Model

FORMAT = 1
CONFIG, WEIGHTS, FINGERPRINT, CARD = "config.json", "model.safetensors", "fingerprint.safetensors", "README.md"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def save_model(model: Model, folder: str | os.PathLike[str]) -> None:
    """Write a model; each file appears whole or not at all, `config.json` last."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "neurokit_fm": {
            "format": FORMAT,
            "model": model.name,
            "plugin": models[model.name].plugin if model.name in models else "",
            "saved_with": __version__,
        },
        "config": write_config(model.config),
        "contract": write_contract(model.contract),
        "head": None if model.head is None else write_config(model.head.config),
    }
    for name, tensors in ((WEIGHTS, frozen(model.state_dict())), (FINGERPRINT, fingerprint.take(model))):
        with atomic_path(folder / name) as temporary:
            safetensors.torch.save_file(tensors, temporary, metadata={"format": "pt"})
    for name, text in ((CARD, _card(model)), (CONFIG, json.dumps(described, indent=2) + "\n")):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf8")


def load_folder(folder: str | os.PathLike[str]) -> tuple[Model, LoadReport]:
    """Build the model a folder describes, load its weights strictly and replay its fingerprint.

    Raises
    ------
    WeightsError
        If a file is missing or is not safetensors, a weight is missing, superfluous or mis-shaped, or the fingerprint
        does not replay. Pickles are never opened.
    ConfigError
        If the configuration holds an unknown key.
    """
    folder = Path(folder)
    described = read_json(folder / CONFIG)
    about = described.get("neurokit_fm")
    if not isinstance(about, dict) or "model" not in about:
        raise WeightsError(
            f"{folder / CONFIG} was not written by neurokit_fm. For a checkpoint that others published use its catalogue "
            "name (`nkfm list weights`)."
        )
    if about.get("format") != FORMAT:
        raise WeightsError(
            f"{folder}: format {about.get('format')} (saved with {about.get('saved_with')}), this version reads format "
            f"{FORMAT}; upgrade neurokit_fm"
        )
    cls = models.load(about["model"])
    with torch.device("meta"):
        model: Model = cls(read_config(cls.config_class, described["config"]), read_contract(described["contract"]))
        if described.get("head") is not None:
            model.attach_head(read_config(HeadConfig, described["head"]))
    report = load_state(
        model, read_tensors(folder / WEIGHTS), what=f"{about['model']} as described in {folder / CONFIG}"
    )
    model.eval()
    stored = folder / FINGERPRINT
    deviation = fingerprint.replay(model, read_tensors(stored)) if stored.exists() else None
    return model, replace(report, fingerprint=deviation)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or say what is wrong with the file."""
    if not path.exists():
        found = (
            ", ".join(sorted(p.name for p in path.parent.iterdir())[:8]) if path.parent.is_dir() else "no such folder"
        )
        raise WeightsError(f"{path.parent} is not a model folder: no {path.name} (found: {found or 'nothing'})")
    try:
        values = json.loads(path.read_text(encoding="utf8"))
    except ValueError as err:
        raise WeightsError(f"{path} is not valid JSON: {err}") from err
    if not isinstance(values, dict):
        raise WeightsError(f"{path} must hold a JSON object; found {type(values).__name__}")
    return values


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, and nothing else.

    Raises
    ------
    WeightsError
        If there is none (naming pickles that lie there instead), or it is something else under that name.
    """
    if not path.exists():
        pickles = [p.name for p in path.parent.glob("*") if p.suffix in PICKLES]
        hint = f" Pickles ({', '.join(pickles)}) can run code and are not opened." if pickles else ""
        raise WeightsError(f"{path} is missing.{hint}")
    try:
        return dict(safetensors.torch.load_file(path))
    except SafetensorError as err:
        with path.open("rb") as file:
            start = file.read(4)
        what = (
            "a pickle, which can run code"
            if start[:2] in (b"\x80\x02", b"\x80\x04", b"PK")
            else "damaged or something else"
        )
        raise WeightsError(f"{path} is not a safetensors file; it looks like {what} ({err})") from err


def _card(model: Model) -> str:
    contract = json.dumps(write_contract(model.contract), indent=2)
    known = model.name in models
    summary, paper = (models[model.name].summary, models[model.name].paper) if known else (model.name, "")
    return (
        f"---\nlibrary_name: neurokit_fm\ntags:\n- neuroscience\n- {model.name}\n---\n\n# {model.name}\n\n"
        f"{summary}. {model.count_parameters():,} parameters.{f' Paper: {paper}.' if paper else ''}\n\n"
        '```python\nimport neurokit_fm as nkfm\n\nmodel = nkfm.load_model("path/or/repo")\n'
        'embedding = nkfm.embed(model, nkfm.read("recording.edf"))\n```\n\n'
        f"## Input contract\n\n```json\n{contract}\n```\n"
    )
