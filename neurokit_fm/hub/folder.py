"""The folder a model is saved in: `config.json`, `model.safetensors`, `fingerprint.safetensors`, `README.md`.

What it was trained with and measured at may lie beside them in `training.json` and `evaluation.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from neurokit_fm import __version__, fingerprint
from neurokit_fm.checkpoints import LoadReport, OwnTensors, frozen, load_state
from neurokit_fm.config import read_config, write_config
from neurokit_fm.contract import read_contract, write_contract
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.errors import NkfmError, WeightsError
from neurokit_fm.heads import HeadConfig
from neurokit_fm.hub.card import without_paths, write_card
from neurokit_fm.hub.header import read_header, read_json
from neurokit_fm.registry import models

if TYPE_CHECKING:
    from neurokit_fm.model import Model

FORMAT = 1
CONFIG, WEIGHTS, FINGERPRINT, CARD = "config.json", "model.safetensors", "fingerprint.safetensors", "README.md"
TRAINING, EVALUATION = "training.json", "evaluation.json"
FILES = (CONFIG, WEIGHTS, FINGERPRINT, CARD, TRAINING, EVALUATION)
"""All a model folder is made of; nothing else is uploaded, and of a repository nothing else is fetched."""

SECTIONS = ("neurokit_fm", "config", "contract", "head")
"""Of `config.json`."""


class Evaluation(Protocol):
    """What a model was measured at; `ProbeReport` is one."""

    def to_dict(self) -> dict[str, Any]:
        """Return ``scores`` and ``baselines`` (each ``method``, ``value``, ``protocol`` ...), as JSON values."""
        ...


def save_model(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    licence: str = "",
    training: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Evaluation] | None = None,
) -> None:
    """Write a model; each file appears whole or not at all, `config.json` last. See `Model.save_pretrained`."""
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
    measured = {name: report.to_dict() for name, report in (evaluation or {}).items()}
    for name, tensors in ((WEIGHTS, frozen(model.state_dict())), (FINGERPRINT, fingerprint.take(model))):
        with atomic_path(folder / name) as temporary:
            safetensors.torch.save_file(tensors, temporary, metadata={"format": "pt"})
    training = without_paths(training or {})
    card = write_card(described, model.count_parameters(), licence, training, measured)
    texts = {CARD: card, TRAINING: _json(training), EVALUATION: _json(measured), CONFIG: _json(described)}
    for name, text in texts.items():
        if not text:
            (folder / name).unlink(missing_ok=True)  # of the model that was there before
            continue
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf8")


def load_folder(folder: str | os.PathLike[str]) -> tuple[Model, LoadReport]:
    """Build the model a folder describes, load its weights strictly and replay its fingerprint.

    The weights are mapped from the file, not copied: they cost memory when they are used, and once for all processes.

    Raises
    ------
    WeightsError
        If a file is missing, damaged, a pickle or a link that leaves the folder; a weight is missing, superfluous,
        mis-shaped, of another type or not finite; the configuration asks for more than the file holds; or the
        fingerprint does not replay.
    ConfigError
        If the configuration holds an unknown key or a value out of range.
    """
    folder = Path(folder)
    described = read_json(folder / CONFIG)
    about = described.get("neurokit_fm")
    if not isinstance(about, dict) or not isinstance(about.get("model"), str):
        raise WeightsError(
            f"{folder / CONFIG} was not written by neurokit_fm. For a checkpoint that others published use its catalogue "
            "name (`nkfm list weights`)."
        )
    if about.get("format") != FORMAT:
        raise WeightsError(
            f"{folder}: format {about.get('format')} (saved with {about.get('saved_with')}), this version reads format "
            f"{FORMAT}; upgrade neurokit_fm"
        )
    if set(described) != set(SECTIONS):
        odd = ", ".join(sorted(set(described) ^ set(SECTIONS)))
        raise WeightsError(f"{folder / CONFIG} must hold exactly {', '.join(SECTIONS)}; missing or superfluous: {odd}")
    cls = models.load(about["model"])
    what = f"{about['model']} as described in {folder / CONFIG}"
    with _building(what, len(read_header(folder / WEIGHTS))):
        model: Model = cls(read_config(cls.config_class, described["config"]), read_contract(described["contract"]))
        if described["head"] is not None:
            model.attach_head(read_config(HeadConfig, described["head"]))
    report = load_state(model, read_tensors(folder / WEIGHTS), what=what)
    model.eval()
    stored = folder / FINGERPRINT
    deviation = fingerprint.replay(model, read_tensors(stored)) if os.path.lexists(stored) else None
    return model, replace(report, fingerprint=deviation).of(folder / WEIGHTS)


def read_tensors(path: Path) -> OwnTensors:
    """Map the tensors of a safetensors file, and of nothing else.

    Raises
    ------
    WeightsError
        If there is none, or it is damaged or something else under that name.
    """
    read_header(path)
    try:
        return OwnTensors(safetensors.torch.load_file(path))
    except SafetensorError as err:
        raise WeightsError(f"{path} is not a safetensors file; it is damaged or something else ({err})") from err


@contextmanager
def _building(what: str, stored: int) -> Iterator[None]:
    """Build a model on the meta device, and stop one that grows far beyond its file, as a damaged number makes it."""
    made, most = 0, 1000 + 4 * stored

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal made
        made += 1
        if made > most:
            raise WeightsError(f"{what} has more than {most} parameters; the file of weights holds {stored} tensors")

    watch = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            yield
    except NkfmError:
        raise
    except Exception as err:
        raise WeightsError(f"{what} cannot be built: {type(err).__name__}: {err}") from err
    finally:
        watch.remove()


def _json(values: Mapping[str, Any] | None) -> str:
    return json.dumps(values, indent=2) + "\n" if values else ""
