"""load_model: a folder, a catalogue name or a repository on the Hugging Face Hub, all through one strict door."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from neurokit_fm.checkpoints import LoadReport, PublishedWeights, ShippedWeights, digest
from neurokit_fm.contract import Contract, read_contract
from neurokit_fm.errors import UnknownName, WeightsError, did_you_mean
from neurokit_fm.folder import CARD, CONFIG, FINGERPRINT, WEIGHTS, load_folder, read_json, read_tensors
from neurokit_fm.registry import weights

if TYPE_CHECKING:
    import torch

    from neurokit_fm.model import Model

logger = logging.getLogger(__name__)


def load_model(
    ref: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    token: str | None = None,
) -> Model:
    """Load a model with its contract, strictly and safely.

    Parameters
    ----------
    ref : str or path
        Folder written by `save_pretrained`; name in the catalogue (``nkfm list weights``); ``"owner/name"`` or
        ``"owner/name@revision"`` on the Hub.
    device, dtype : optional
        Where the model goes after its fingerprint was replayed in float32 on the CPU.
    token : str, optional
        For gated and private repositories; default: what ``hf auth login`` stored.

    Returns
    -------
    Model
        In evaluation mode. ``model.load_report`` says what was loaded.

    Raises
    ------
    UnknownName
        If the reference is none of these.
    WeightsError
        If anything is missing, superfluous, mis-shaped, unsafe, not accessible, or does not replay its fingerprint.
    """
    name = os.fspath(ref)
    if Path(name).is_dir():
        model, report = load_folder(name)
    elif name in weights:
        known = weights.load(name)
        shipped = isinstance(known, ShippedWeights)
        model, report = load_folder(known.folder) if shipped else _load_published(known, token)
    elif name.count("/") == 1 and not name.startswith((".", "/")):
        repo, _, revision = name.partition("@")
        model, report = load_folder(_download(repo, revision or "main", [CONFIG, WEIGHTS, FINGERPRINT, CARD], token))
    else:
        raise UnknownName(
            f"no model {name!r}: not a folder, not in the catalogue, not owner/name on the Hub."
            f"{did_you_mean(name, weights)} Run `nkfm list weights` to see the catalogue."
        )
    logger.info("%s: %s", name, report)
    model.load_report, model.reference = report, name
    return model.to(device=device, dtype=dtype)


def load_contract(ref: str | os.PathLike[str], *, token: str | None = None) -> Contract:
    """Read the contract of a model, without its weights.

    Parameters
    ----------
    ref : str or path
        JSON file that holds a contract, or whatever `load_model` takes.
    token : str, optional
        For private repositories.

    Raises
    ------
    UnknownName
        If the reference is none of these.
    WeightsError
        If there is no contract in it.
    ConfigError
        If the contract holds an unknown key.
    """
    name = os.fspath(ref)
    if Path(name).is_file():
        values, source = read_json(Path(name)), name
    elif Path(name).is_dir():
        values, source = read_json(Path(name) / CONFIG), str(Path(name) / CONFIG)
    elif name in weights:
        known = weights.load(name)
        if isinstance(known, PublishedWeights):
            return known.contract
        values, source = read_json(known.folder / CONFIG), str(known.folder / CONFIG)
    elif name.count("/") == 1 and not name.startswith((".", "/")) and not name.endswith(".json"):
        repo, _, revision = name.partition("@")
        values, source = read_json(_download(repo, revision or "main", [CONFIG], token) / CONFIG), name
    else:
        raise UnknownName(
            f"no contract {name!r}: not a JSON file, not a model folder, not in the catalogue, not owner/name on the "
            f"Hub.{did_you_mean(name, weights)}"
        )
    found = values.get("contract", values)
    if not isinstance(found, dict) or "layout" not in found:
        raise WeightsError(f"{source} holds no contract: neither it nor its 'contract' names a layout")
    return read_contract(found)


def _load_published(published: PublishedWeights, token: str | None) -> tuple[Model, LoadReport]:
    files = [published.config_file, published.weights_file]
    folder = _download(published.repo, published.revision, files, token, published.page if published.gated else None)
    for name, expected in published.sha256.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            raise WeightsError(
                f"{published.repo}: {name} has sha256 {found}, expected {expected}; delete the cached file"
            )
    module, _, function = published.converter.partition(":")
    state = read_tensors(folder / published.weights_file)
    model: Model = getattr(importlib.import_module(module), function)(read_json(folder / published.config_file), state)
    found_parameters = model.count_parameters()
    if found_parameters != published.parameters:
        raise WeightsError(f"{published.repo}: {found_parameters:,} parameters, published are {published.parameters:,}")
    model.contract = published.contract
    return model, LoadReport(tensors=len(state), parameters=found_parameters, sha256=digest(state))


def _download(repo: str, revision: str, files: list[str], token: str | None, page: str | None = None) -> Path:
    """Fetch files of one revision into the Hub's cache and return the folder; honours ``HF_HUB_OFFLINE``."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=files, token=token))
    except GatedRepoError as err:
        raise WeightsError(
            f"{repo} is gated: accept its terms at {page or 'its page on the Hub'}, then run `hf auth login` and try again"
        ) from err
    except RevisionNotFoundError as err:
        raise WeightsError(f"{repo} has no revision {revision!r}") from err
    except RepositoryNotFoundError as err:
        raise WeightsError(
            f"{repo}: no such repository, or a private one; check the name, or run `hf auth login`"
        ) from err
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as err:
        raise WeightsError(
            f"{repo}@{revision} is not in the local cache and the Hub cannot be reached; connect once, or give a folder"
        ) from err
    except (HfHubHTTPError, OSError) as err:
        raise WeightsError(
            f"{repo}: download failed ({type(err).__name__}: {err}); try again, finished files are kept"
        ) from err
