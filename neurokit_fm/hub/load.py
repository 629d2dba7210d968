"""load_model: a folder, a catalogue name or a repository on the Hugging Face Hub, all through one strict door."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neurokit_fm.checkpoints import PublishedWeights, ShippedWeights
from neurokit_fm.contract import Contract, read_contract
from neurokit_fm.errors import ConfigError, UnknownName, WeightsError, did_you_mean
from neurokit_fm.hub.download import fetch, split_ref
from neurokit_fm.hub.folder import CONFIG, FILES, load_folder
from neurokit_fm.hub.header import read_json
from neurokit_fm.hub.published import load_published
from neurokit_fm.registry import KINDS, weights

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
    ConfigError
        If the device is not there.
    UnknownName
        If the reference is none of these.
    WeightsError
        If anything is missing, superfluous, mis-shaped, unsafe, not accessible, or does not replay its fingerprint.
    """
    name, place = os.fspath(ref), usable(device)
    with _no_collection():
        if Path(name).is_dir():
            model, report = load_folder(name)
        elif name in weights:
            known = weights.load(name)
            shipped = isinstance(known, ShippedWeights)
            model, report = load_folder(known.folder) if shipped else load_published(known, token)
        elif (found := split_ref(name)) is not None:
            model, report = load_folder(fetch(*found, FILES, token))
        else:
            kinds = [kind for kind, registry in KINDS.items() if name in registry]
            if kinds:
                what = f"one of the {kinds[0]}, not a trained model"
                where = "a folder (`nkfm pretrain` makes one), a name in `nkfm list weights`, or owner/name on the Hub"
                raise UnknownName(f"{name!r} is {what}; give {where}")
            raise UnknownName(
                f"no model {name!r}: not a folder, not in the catalogue, not owner/name on the Hub."
                f"{did_you_mean(name, weights)} Run `nkfm list weights` to see the catalogue."
            )
    logger.info("%s: %s", name, report)
    model.load_report, model.reference = report, name
    return model.to(device=place, dtype=dtype)


def usable(device: str | torch.device) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    ConfigError
        If it is not, or there is no such kind.
    """
    import torch

    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as err:
        why = str(err).partition("\n")[0]
        raise ConfigError(f"the device {str(device)!r} cannot be used here ({why}); 'cpu' always can") from err
    return found


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
    elif (asked := split_ref(name)) is not None and not name.endswith(".json"):
        values, source = read_json(fetch(*asked, [CONFIG], token) / CONFIG), name
    else:
        raise UnknownName(
            f"no contract {name!r}: not a JSON file, not a model folder, not in the catalogue, not owner/name on the "
            f"Hub.{did_you_mean(name, weights)}"
        )
    found = values.get("contract", values)
    if not isinstance(found, dict) or "layout" not in found:
        raise WeightsError(f"{source} holds no contract: neither it nor its 'contract' names a layout")
    return read_contract(found)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector still: a thousand new modules make it look at every object of torch, which takes longer."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
