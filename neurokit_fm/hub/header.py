"""What can be known of a model's files before they are trusted: JSON, the header of a safetensors file, symbolic links.

Without torch; `nkfm info` and every loader go through here.
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurokit_fm.data.atomic import megabytes
from neurokit_fm.errors import WeightsError

LARGEST_HEADER = 25_000_000
"""Bytes; a header of this size describes some 250,000 tensors."""

LARGEST_JSON = 10_000_000
"""Bytes of a configuration."""

SIZES = {
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
"""Bytes of one value of each type."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a safetensors file, as its header describes it.

    Attributes
    ----------
    dtype : str
        ``"F32"``, ``"BF16"`` ...
    shape : tuple of int
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def check_place(path: Path) -> None:
    """Refuse what is not a plain file, and a link that leads out of its folder to anywhere but the Hub's cache.

    Raises
    ------
    WeightsError
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not a file; a folder, pipe or broken link is not opened")
    if not path.is_symlink() and not path.parent.is_symlink():
        return
    from huggingface_hub import constants

    target = path.resolve()
    allowed = (path.parent.resolve(), Path(constants.HF_HUB_CACHE).expanduser().resolve())
    if not any(folder in target.parents for folder in allowed):
        raise WeightsError(f"{path} is a link that leaves its folder (to {target}); put the file itself there")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    WeightsError
        If the file is missing, is no plain file, is too large, or holds something else.
    """
    if not os.path.lexists(path):
        found = (
            ", ".join(sorted(p.name for p in path.parent.iterdir())[:8]) if path.parent.is_dir() else "no such folder"
        )
        raise WeightsError(f"{path.parent} is not a model folder: no {path.name} (found: {found or 'nothing'})")
    check_place(path)
    if path.stat().st_size > LARGEST_JSON:
        size, most = megabytes(path.stat().st_size), megabytes(LARGEST_JSON)
        raise WeightsError(f"{path} has {size}; no model is described in more than {most}")
    try:
        values = json.loads(path.read_text(encoding="utf8"))
    except (ValueError, RecursionError) as err:
        raise WeightsError(f"{path} is not valid JSON: {err}") from err
    if not isinstance(values, dict):
        raise WeightsError(f"{path} must hold a JSON object; found {type(values).__name__}")
    return values


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Read the header of a safetensors file and hold it against the file; no tensor is read.

    Returns
    -------
    dict of name to TensorInfo

    Raises
    ------
    WeightsError
        If there is no such file (naming pickles that lie there instead), it is something else under that name, its
        header is too long, names a tensor twice, or describes tensors that do not fill the file exactly.
    """
    if not os.path.lexists(path):
        pickles = [p.name for p in path.parent.glob("*") if p.suffix in PICKLES]
        hint = f" Pickles ({', '.join(pickles)}) can run code and are not opened." if pickles else ""
        raise WeightsError(f"{path} is missing.{hint}")
    check_place(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size - 8 and start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"):
            raise WeightsError(f"{path} is not a safetensors file; it looks like a pickle, which can run code")
        if length > size - 8:
            raise WeightsError(
                f"{path} is not a safetensors file, or it is cut off: its header is longer than the file"
            )
        if length > LARGEST_HEADER:
            raise WeightsError(f"{path}: a header of {megabytes(length)}; at most {megabytes(LARGEST_HEADER)} are read")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as err:
        raise WeightsError(f"{path} is not a safetensors file; its header cannot be read ({err})") from err
    return _checked(path, header, size - 8 - length)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"{twice!r} stands there twice")
    return values


def _checked(path: Path, header: Any, room: int) -> dict[str, TensorInfo]:
    """Tensors that lie end to end in exactly `room` bytes."""
    spans, tensors = [], {}
    if not isinstance(header, dict):
        raise WeightsError(f"{path} is not a safetensors file; its header is no JSON object")
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, first, last))
            wanted = math.prod(shape) * SIZES[dtype] if whole else -1
        except (KeyError, TypeError, ValueError) as err:
            raise WeightsError(
                f"{path} is not a safetensors file; its header does not describe {name!r} ({err!r})"
            ) from err
        if wanted != last - first:
            shown = str(shape) if len(str(shape)) < 80 else f"{len(shape)} axes"
            raise WeightsError(f"{path}: {name!r} claims shape {shown} of {dtype} in {last - first} bytes")
        spans.append((first, last))
        tensors[name] = TensorInfo(dtype, tuple(shape))
    at = 0
    for first, last in sorted(spans):
        if first != at:
            raise WeightsError(f"{path}: tensors overlap or leave a gap at byte {at} of the data")
        at = last
    if at != room:
        raise WeightsError(f"{path} is damaged: its tensors take {at} bytes, and there are {room}; fetch it again")
    return tensors
