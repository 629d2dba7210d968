"""Hashes of a stored file: one for every array, and one over all names, attributes and arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from neurokit_fm.errors import StoreError

BLOCK = 8 << 20
"""Bytes hashed at a time."""

_NOT_CONTENT = ("sha256", "neurokit_fm")


def seal(file: h5py.File) -> None:
    """Note the hash of every array beside it, and that of all content on the file."""
    for _, dataset in _datasets(file):
        dataset.attrs["sha256"] = _digest(dataset)
    file.attrs["sha256"] = _content_digest(file)


def check_content(file: h5py.File) -> str:
    """Compare every array and attribute with the hashes made when the file was written; return the file's hash.

    Raises
    ------
    StoreError
        Naming every array that differs.
    """
    damaged = [name for name, dataset in _datasets(file) if _digest(dataset) != dataset.attrs.get("sha256")]
    if damaged:
        raise StoreError(
            f"{file.filename}: {', '.join(damaged)} changed since it was written; copy or download it again"
        )
    content = _content_digest(file)
    if content != file.attrs["sha256"]:
        raise StoreError(f"{file.filename}: its attributes changed since it was written; copy or download it again")
    return content


def _datasets(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return sorted(found)


def _digest(dataset: h5py.Dataset) -> str:
    sha = hashlib.sha256(f"{dataset.dtype.str} {dataset.shape}".encode())
    if h5py.check_string_dtype(dataset.dtype) is not None:
        sha.update(json.dumps(dataset.asstr()[()].tolist()).encode())
    else:
        for block in _in_order(dataset.shape, dataset.dtype.itemsize):
            sha.update(np.ascontiguousarray(dataset[block]).tobytes())
    return sha.hexdigest()


def _in_order(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[Any, ...]]:
    """Yield selections that tile an array in the order its bytes lie, each of at most `BLOCK` bytes."""
    axis, size = len(shape), itemsize
    while axis and size * shape[axis - 1] <= BLOCK:
        axis -= 1
        size *= shape[axis]
    if axis == 0:
        yield ()
        return
    step = max(1, BLOCK // size)
    for outer in np.ndindex(*shape[: axis - 1]):
        for first in range(0, shape[axis - 1], step):
            yield (*outer, slice(first, min(first + step, shape[axis - 1])))


def _content_digest(file: h5py.File) -> str:
    """Hash of everything but the version that wrote it: names, attributes and the arrays' own hashes."""
    lines: list[list[Any]] = []

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        attributes = sorted((k, np.asarray(v).tolist()) for k, v in item.attrs.items() if name or k not in _NOT_CONTENT)
        lines.append([name, attributes])

    note("", file)
    file.visititems(note)
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()
