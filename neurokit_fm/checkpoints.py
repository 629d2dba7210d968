"""Weights: loading a state dict strictly, saying what was loaded, and describing checkpoints that others published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor, nn

from neurokit_fm.contract import Contract
from neurokit_fm.errors import ConfigError, WeightsError


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    tensors, parameters : int
        How many were loaded; missing or superfluous ones are an error, so these are all.
    file : Path or None
        Where the weights lie.
    fingerprint : float or None
        Largest relative deviation when the stored input was replayed; None where none was stored.
    """

    tensors: int
    parameters: int
    file: Path | None = None
    fingerprint: float | None = None
    stamp: tuple[int, int] = field(default=(0, 0), repr=False)

    def of(self, file: Path) -> LoadReport:
        """Return the report with the file the weights came from, as it is now."""
        return replace(self, file=file, stamp=_stamp(file))

    @cached_property
    def sha256(self) -> str:
        """Of the file of weights; empty without one, or if it has been replaced since.

        Read when first asked for: hashing takes several times as long as loading.
        """
        if self.file is None or not self.file.is_file() or _stamp(self.file) != self.stamp:
            return ""
        return file_sha256(self.file)

    def __str__(self) -> str:
        replay = (
            "no fingerprint stored"
            if self.fingerprint is None
            else f"fingerprint replayed within {self.fingerprint:.1e}"
        )
        return f"{self.parameters:,} parameters in {self.tensors} tensors, none missing; sha256 {self.sha256[:12]}; {replay}"


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A checkpoint that others published, with everything needed to load it safely.

    Attributes
    ----------
    repo, revision : str
        On the Hugging Face Hub; the revision is a commit, or ``"main"`` where none could be pinned yet.
    config_file : str
        JSON file of the repository with the published configuration.
    config : mapping, optional
        That configuration where no file holds it; then `config_file` is not fetched.
    weights_file : str
        Of the repository: safetensors, or a pickle of plain tensors whose sha256 is known. A pickle is opened once, by
        ``torch.load(weights_only=True)`` after its hash matched, and kept as safetensors.
    state_key : str
        Where in a pickle the state dict is, if not at the top: ``"model"``.
    extras : mapping of str to str
        Further files the converter needs, by the key of the configuration under which it finds their content: a JSON or
        safetensors file of `repo`, or of another as ``"owner/name:file"``.
    sha256 : mapping of file to digest
        Checked where known; a file of another repository stands there as in `extras`.
    converter : str
        ``"module:function"``, from (published config, state dict) to Model.
    contract : Contract
        The input the weights were trained on; not part of the published files.
    licence, page : str
        Terms, shown once before the first download, and where to accept them.
    gated : bool
        Whether the page must be visited before a download.
    paper : str
    parameters : int

    Raises
    ------
    ConfigError
        If a file is a pickle of unknown hash, or its name leads out of the repository.
    """

    repo: str
    converter: str
    contract: Contract
    licence: str
    page: str
    paper: str
    parameters: int
    revision: str = "main"
    config_file: str = "config.json"
    config: Mapping[str, Any] | None = None
    weights_file: str = "model.safetensors"
    state_key: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)
    gated: bool = False
    sha256: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.weights_file.endswith(".safetensors") and self.weights_file not in self.sha256:
            raise ConfigError(f"{self.repo}: {self.weights_file} is a pickle; it is opened only if its sha256 is given")
        for name in (self.config_file, self.weights_file, *self.extras.values()):
            name = name.rpartition(":")[2]
            if (
                PurePosixPath(name).is_absolute()
                or ".." in PurePosixPath(name).parts
                or any(c in name for c in "*?[\\")
            ):
                raise ConfigError(f"{self.repo}: {name!r} is not the name of a file in a repository")


class OwnTensors(dict[str, Tensor]):
    """Tensors that nobody else holds: `load_state` takes them over as they are, where it copies others."""


@dataclass(frozen=True, kw_only=True)
class ShippedWeights:
    """A checkpoint that comes with a plugin and needs no download.

    Attributes
    ----------
    folder : Path
        What `save_pretrained` wrote, inside the plugin's package. Tensors may be stored in half precision.
    licence, page : str
        Terms, and where it is described.
    paper : str
    parameters : int
    """

    folder: Path
    licence: str
    page: str
    paper: str
    parameters: int


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], keys: Mapping[str, str] | None = None, *, what: str
) -> LoadReport:
    """Put tensors into a module: every one has its place, every place gets one, every shape and type fits.

    Parameters
    ----------
    module : Module
        May be on the meta device.
    state : mapping of str to Tensor
        Copied, unless they are `OwnTensors`.
    keys : mapping of str to str, optional
        Key in `state` to key in the module, where they differ. Keys of `state` that are not here count as superfluous.
    what : str
        Name for messages.

    Raises
    ------
    WeightsError
        Listing every missing, superfluous and mis-shaped key, tensors of a type that the module's cannot hold exactly
        (a narrower float is widened), and tensors that hold NaN or infinity.
    """
    own = module.state_dict()
    names = dict(keys) if keys is not None else {key: key for key in own}
    problems = [f"missing: {key}" for key in names if key not in state]
    problems += [f"superfluous: {key}" for key in state if key not in names]
    for key, mine in names.items():
        if key not in state:
            continue
        given, wanted = state[key], own[mine]
        if given.shape != wanted.shape:
            problems.append(f"{key}: shape {tuple(given.shape)}, expected {tuple(wanted.shape)}")
        elif not _fits(given.dtype, wanted.dtype):
            problems.append(f"{key}: {_word(given.dtype)} does not go into {_word(wanted.dtype)} without loss")
        elif not _finite(given):
            problems.append(f"{key}: holds values that are not finite")
    if problems:
        shown = "\n".join(f"  - {p}" for p in problems[:20])
        more = f"\n  ... and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise WeightsError(f"these weights do not fit {what}:\n{shown}{more}")
    taken: dict[str, Tensor] = {}
    places: set[int] = set()
    for key, mine in names.items():
        value = state[key].detach().to(own[mine].dtype)
        if value.data_ptr() in places or not isinstance(state, OwnTensors):  # no two weights share memory
            value = value.clone()
        places.add(value.data_ptr())
        taken[mine] = value
    module.load_state_dict(taken, strict=True, assign=True)
    return LoadReport(tensors=len(taken), parameters=sum(t.numel() for t in taken.values()))


def _fits(given: torch.dtype, wanted: torch.dtype) -> bool:
    """Whether every value of one type is a value of the other."""
    if given.is_floating_point != wanted.is_floating_point or given.is_complex != wanted.is_complex:
        return False
    if given.itemsize == 1 and given.is_floating_point:  # of 8 bits, which torch does not promote
        return given == wanted or wanted.itemsize > 1
    return torch.promote_types(given, wanted) == wanted


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _finite(values: Tensor) -> bool:
    """Whether all values are finite, in one pass and without a temporary of their size."""
    if not values.numel() or not (values.is_floating_point() or values.is_complex()):
        return True
    values = torch.view_as_real(values) if values.is_complex() else values
    low, high = torch.aminmax(values if values.element_size() > 1 else values.float())
    return bool(torch.isfinite(low) and torch.isfinite(high))  # NaN goes through both


def file_sha256(path: Path) -> str:
    """Sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Sha256 over keys, shapes, types and bytes, in order of key."""
    total = hashlib.sha256()
    for key in sorted(tensors):
        t = tensors[key].detach().cpu().contiguous()
        total.update(f"{key} {tuple(t.shape)} {t.dtype}".encode())
        total.update(
            t.view(torch.uint8).numpy().tobytes() if t.ndim else t.reshape(1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()


def frozen(values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Detached CPU copies of the tensors of a state dict, contiguous, one storage each."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in values.items()}
