"""Checkpoints that others published: their terms, their files, and the one place where a pickle of theirs is opened."""

from __future__ import annotations

import hashlib
import importlib
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from neurokit_fm.checkpoints import LoadReport, OwnTensors, PublishedWeights, file_sha256, frozen
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.errors import WeightsError
from neurokit_fm.hub.card import LIBRARY
from neurokit_fm.hub.download import announced, fetch
from neurokit_fm.hub.folder import read_tensors
from neurokit_fm.hub.header import check_place, read_json
from neurokit_fm.model import Model

logger = logging.getLogger(__name__)


def load_published(published: PublishedWeights, token: str | None = None) -> tuple[Model, LoadReport]:
    """Fetch a published checkpoint, check it, and convert it.

    Raises
    ------
    WeightsError
        If it is not accessible, not what was published, or unsafe.
    """
    show_terms(published)
    wanted = [] if published.config is not None else [published.config_file]
    wanted += [published.weights_file, *(name for name in published.extras.values() if ":" not in name)]
    folder = fetch(published.repo, published.revision, wanted, token, published.page)
    for name in wanted:
        _verify(folder, name, published)
    config = dict(read_json(folder / published.config_file) if published.config is None else published.config)
    for key, address in published.extras.items():
        repo, _, name = address.rpartition(":")
        home = fetch(repo, "main", [name], token) if repo else folder
        _verify(home, name, published, address)
        config[key] = _content(home / name)
    file = folder / published.weights_file
    if file.suffix != ".safetensors":
        file = convert(file, published)
    state = read_tensors(file)
    module, _, function = published.converter.partition(":")
    model: Model = getattr(importlib.import_module(module), function)(config, state)
    found = model.count_parameters()
    if found != published.parameters:
        raise WeightsError(f"{published.repo}: {found:,} parameters, published are {published.parameters:,}")
    model.contract = published.contract
    return model, LoadReport(tensors=len(state), parameters=found).of(file)


def show_terms(published: PublishedWeights) -> None:
    """Say under which terms weights are published, once on this machine for each wording of them."""
    text = f"{published.repo}: {published.licence}\n  {published.page}"
    seen = cache("terms") / hashlib.sha256(text.encode()).hexdigest()
    if not seen.exists():
        logger.warning("The weights of %s", text)
        seen.write_text(text + "\n", encoding="utf-8")


def convert(file: Path, published: PublishedWeights) -> Path:
    """Turn a pickle of plain tensors, whose hash has matched, into safetensors; once.

    Returns
    -------
    Path
        In the cache of converted checkpoints, under the pickle's hash.
    """
    digest = published.sha256[published.weights_file]
    target = cache("converted") / f"{digest}.safetensors"
    if target.exists():
        return target
    if file_sha256(file) != digest:  # asked of the bytes, whatever the file is called
        raise WeightsError(f"{published.repo}: {file.name} is not the pickle of the catalogue and is not opened")
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as err:
        raise WeightsError(
            f"{published.repo}: {file.name} holds more than plain tensors and is not opened: {err}"
        ) from err
    state = found[published.state_key] if published.state_key and isinstance(found, Mapping) else found
    odd = [k for k, v in state.items() if not isinstance(v, torch.Tensor)] if isinstance(state, Mapping) else ["all"]
    if odd:
        raise WeightsError(
            f"{published.repo}: {file.name} holds no state dict ({', '.join(map(str, odd[:6]))} are no tensors)"
        )
    with atomic_path(target) as temporary:
        safetensors.torch.save_file(frozen(state), temporary, metadata={"format": "pt"})
    return target


def cache(part: str) -> Path:
    """Return the folder of ours beside the Hub's cache, where huggingface_hub keeps such things."""
    from huggingface_hub import cached_assets_path, constants

    return Path(cached_assets_path(LIBRARY, part, assets_dir=constants.HF_ASSETS_CACHE))


def _verify(folder: Path, name: str, published: PublishedWeights, key: str = "") -> None:
    """Hold a file against the hash in the catalogue; in the cache a large file is named after the hash it has."""
    path, expected = folder / name, published.sha256.get(key or name)
    if not path.exists():
        raise WeightsError(f"{published.repo}@{published.revision} holds no {name}; see {published.page}/tree/main")
    check_place(path)
    if expected is None or announced(path) == expected:
        return
    found = file_sha256(path)
    if found != expected:
        raise WeightsError(f"{published.repo}: {name} has sha256 {found}, expected {expected}; delete the cached file")


def _content(path: Path) -> dict[str, Any] | OwnTensors:
    return read_tensors(path) if path.suffix == ".safetensors" else read_json(path)
