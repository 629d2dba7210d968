"""Checkpoints of a run: safetensors and JSON in a folder that is there whole or not at all. Nothing is pickled."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from neurokit_fm.checkpoints import frozen
from neurokit_fm.data.atomic import flush
from neurokit_fm.errors import TrainingError, WeightsError
from neurokit_fm.hub.folder import read_tensors
from neurokit_fm.hub.header import read_json
from neurokit_fm.training.crew import Crew

logger = logging.getLogger(__name__)

FORMAT = 1
STATE = "state.json"
NAME = re.compile(r"step-(\d{9})")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What is saved of a run.

    Attributes
    ----------
    state : mapping
        JSON values; ``step`` is the number of steps taken.
    tensors : mapping of str to mapping of str to Tensor
        One file each, by its stem: ``model``, ``optimiser``, ``average``.
    """

    state: Mapping[str, Any]
    tensors: Mapping[str, Mapping[str, Tensor]]


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint beside the others and remove all but the newest `keep`.

    Parameters
    ----------
    folder : Path
        Of all checkpoints of a run.
    checkpoint : Checkpoint
    keep : int

    Returns
    -------
    Path
        Its own folder, ``step-<number>``.

    Raises
    ------
    TrainingError
        If it cannot be written; those already there are untouched.
    """
    step = int(checkpoint.state["step"])
    final, temporary = folder / f"step-{step:09d}", folder / f".step-{step:09d}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        sizes = {}
        for stem, tensors in checkpoint.tensors.items():
            path = temporary / f"{stem}.safetensors"
            safetensors.torch.save_file(dict(tensors), path, metadata={"format": "pt"})
            flush(path)
            sizes[path.name] = path.stat().st_size
        described = {"format": FORMAT, "files": sizes, **checkpoint.state}
        (temporary / STATE).write_text(json.dumps(described) + "\n", encoding="utf-8")
        flush(temporary / STATE)
        flush(temporary)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        flush(folder)
    except (OSError, safetensors.SafetensorError) as err:
        shutil.rmtree(temporary, ignore_errors=True)
        last = max(found(folder), default=None)
        rest = f"the last good one is {last[1]}" if last else "there is no earlier one"
        raise TrainingError(
            f"the checkpoint of step {step} cannot be written to {folder}: {getattr(err, 'strerror', None) or err}; {rest}. "
            "Free some space and resume"
        ) from err
    for _, old in sorted(found(folder))[:-keep]:
        shutil.rmtree(old)
    return final


def found(folder: Path) -> list[tuple[int, Path]]:
    """Return (steps taken, folder) of the finished checkpoints of a run."""
    if not folder.is_dir():
        return []
    names = ((NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return [(int(match[1]), path) for match, path in names if match]


def newest(folder: Path) -> Checkpoint | None:
    """Read the newest checkpoint that is whole, and remove what a killed run left half-written.

    Raises
    ------
    TrainingError
        If there are checkpoints, and none can be read.
    """
    for part in folder.glob(".step-*.part"):
        shutil.rmtree(part, ignore_errors=True)
    damaged = []
    for _, path in sorted(found(folder), reverse=True):
        try:
            return _read(path)
        except WeightsError as err:
            damaged.append(str(err))
            logger.warning("skipping the checkpoint %s: %s", path, err)
    if damaged:
        raise TrainingError(f"no checkpoint in {folder} can be read: {'; '.join(damaged)}")
    return None


def _read(path: Path) -> Checkpoint:
    state = read_json(path / STATE)
    if state.get("format") != FORMAT:
        raise WeightsError(f"{path}: format {state.get('format')}, this version reads format {FORMAT}")
    for name, size in state["files"].items():
        there = (path / name).stat().st_size if (path / name).exists() else None
        if there != size:
            raise WeightsError(f"{path / name} has {there} bytes, {size} were written")
    return Checkpoint(state=state, tensors={Path(name).stem: read_tensors(path / name) for name in state["files"]})


def whole(tensors: Mapping[str, Tensor], crew: Crew) -> dict[str, Tensor]:
    """Return copies of tensors on the CPU; those divided among processes are put together, so all must call this."""
    return frozen({name: crew.whole(tensor) for name, tensor in tensors.items()})


@torch.no_grad()
def fill(places: Mapping[str, Tensor], values: Mapping[str, Tensor], crew: Crew, what: str) -> None:
    """Copy tensors into others of the same names.

    Raises
    ------
    WeightsError
        If names or shapes differ.
    """
    odd = sorted(set(places) ^ set(values)) or [k for k in places if places[k].shape != values[k].shape]
    if odd:
        raise WeightsError(f"{what} of the checkpoint does not fit this recipe's model: {', '.join(odd[:6])}")
    for name, place in places.items():
        place.copy_(crew.like(values[name], place))


def optimiser_state(module: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state of an optimiser by parameter name: tensors, and plain numbers.

    Keys are ``<parameter>/<field>``.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for name, parameter in module.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            (tensors if isinstance(value, Tensor) else numbers)[f"{name}/{key}"] = value
    return tensors, numbers


def load_optimiser_state(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    tensors: Mapping[str, Tensor],
    numbers: Mapping[str, Any],
    crew: Crew,
) -> None:
    """Put back what `optimiser_state` returned.

    Raises
    ------
    WeightsError
        If it is of other parameters.
    """
    parameters = dict(module.named_parameters())
    for key, value in {**tensors, **numbers}.items():
        name, _, field = key.rpartition("/")
        if name not in parameters:
            raise WeightsError(f"the optimiser of the checkpoint knows a parameter {name!r} that this model lacks")
        p = parameters[name]
        if isinstance(value, Tensor) and field != "step":  # some count steps in a tensor, on the CPU
            value = crew.like(value, p)
        optimiser.state[p][field] = value


def remove_later(folder: Path, step: int) -> None:
    """Remove checkpoints of steps after `step`: a run that goes on from there writes its own."""
    for number, path in found(folder):
        if number > step:
            shutil.rmtree(path)
