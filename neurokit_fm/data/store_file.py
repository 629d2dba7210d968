"""The container of every stored file: HDF5 whose arrays lie contiguous and bare, so that readers map them.

It knows attributes and arrays; what a recording or a window is, is said in `store.py` and `store_windows.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

import neurokit_fm
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.data.series import SampleArray
from neurokit_fm.data.store_hash import check_content, seal
from neurokit_fm.errors import DataError, StoreError

FORMAT = 1
"""Number of the file format; a reader of format n also reads n - 1."""

KINDS = {
    "recording": "neurokit_fm.read",
    "windows": "neurokit_fm.data.store_windows.WindowStore",
    "embedding": "neurokit_fm.Embedding.load",
}
"""What a file may hold, and what opens it."""

BLOCK = 8 << 20
"""Bytes held at a time while copying."""

_ALIGNED = 64


@contextmanager
def writing(
    path: str | os.PathLike[str], kind: str, *, needed: int | None, attributes: Mapping[str, str | int | float]
) -> Iterator[h5py.File]:
    """Write a file of one kind; when the block ends it is hashed, flushed and put in place.

    Parameters
    ----------
    path : path-like
    kind : str
        One of `KINDS`.
    needed : int or None
        Bytes of all arrays together, if known.
    attributes : mapping
        Provenance, steps, licence ...: attributes of the file.

    Yields
    ------
    h5py.File
        To be filled with groups, attributes and `write_array`.

    Raises
    ------
    StoreError
        If it cannot be written, or something in it cannot be stored. Nothing is left behind.
    """
    with atomic_path(path, needed=needed) as temporary:
        layout = {"track_order": True, "alignment_threshold": 4 * _ALIGNED, "alignment_interval": _ALIGNED}
        try:
            with h5py.File(temporary, "x", **layout) as file:
                file.attrs.update(
                    {"format": FORMAT, "neurokit_fm": neurokit_fm.__version__, "kind": kind, **attributes}
                )
                yield file
                seal(file)
        except (TypeError, ValueError) as err:
            if isinstance(err, DataError):
                raise
            raise StoreError(f"{path}: something in it cannot be stored: {err}. Nothing was left behind.") from err


@contextmanager
def opened(path: str | os.PathLike[str], kind: str | None, *, verify: bool = False) -> Iterator[h5py.File]:
    """Open a stored file of one kind (None: any) and say what is wrong with it if it is not one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StoreError
        If it is not HDF5, not ours, of a later format, of another kind, cut short or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        file = h5py.File(path, "r")
    except OSError as err:
        raise _not_opened(path, err) from err
    try:
        with file:
            _check_kind(file, path, kind)
            if verify:
                check_content(file)
            yield file
    except StoreError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as err:
        raise StoreError(f"{path} is damaged ({type(err).__name__}: {err}); copy or download it again") from err


def write_array(group: h5py.Group, name: str, values: npt.ArrayLike) -> None:
    """Store numbers, truth values, dates or text of any shape.

    Raises
    ------
    StoreError
        If the values are anything else.
    """
    array = np.asarray(values)
    kept = array.dtype.str
    if array.dtype.kind == "U" or (array.dtype == object and all(isinstance(x, str) for x in array.flat)):
        if any("\0" in text for text in array.flat):
            raise StoreError(f"{name!r} holds text with a zero character, which HDF5 cannot store")
        encoded = np.char.encode(array.astype(str), "utf-8")
        text = h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))
        dataset = group.create_dataset(key_of(name), data=encoded.astype(text), dtype=text)
    elif array.dtype.kind in "mM":
        dataset = group.create_dataset(key_of(name), data=array.view(np.int64))
    elif array.dtype.kind in "biufcS":
        dataset = group.create_dataset(key_of(name), data=array)
        return
    else:
        raise StoreError(f"{name!r} holds {kept}; only numbers, truth values, dates and text can be stored")
    dataset.attrs["numpy"] = kept


def write_samples(group: h5py.Group, name: str, source: SampleArray, dtype: npt.DTypeLike) -> None:
    """Copy an array of numbers block by block along its time axis: the last of two, else the first."""
    shape, target = tuple(source.shape), np.dtype(dtype)
    dataset = group.create_dataset(name, shape=shape, dtype=target)
    for block in blocks_along(shape, target.itemsize, axis=1 if len(shape) == 2 else 0):
        dataset[block] = np.asarray(source[block]).astype(target, copy=False)


def blocks_along(shape: tuple[int, ...], itemsize: int, axis: int) -> Iterator[tuple[slice, ...]]:
    """Yield selections that tile an array along one axis, each of about `BLOCK` bytes and at least one step."""
    if 0 in shape:
        return
    rest = int(np.prod(shape, dtype=np.int64)) // shape[axis] * itemsize
    step = max(1, BLOCK // rest)
    for first in range(0, shape[axis], step):
        yield (*[slice(None)] * axis, slice(first, min(first + step, shape[axis])))


def read_array(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    """Read what `write_array` stored, in its own type."""
    stored = dataset.attrs.get("numpy")
    if stored is None:
        return np.asarray(dataset[()])
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()]).astype(np.dtype(stored))
    return np.asarray(dataset[()]).view(np.dtype(stored))


class FileMap:
    """One file mapped once, read-only; its arrays are views of that map.

    Parameters
    ----------
    file : h5py.File
        May be closed afterwards; the map stays valid, even when the file is replaced by a newer one.
    """

    def __init__(self, file: h5py.File):
        self._bytes = np.memmap(file.filename, mode="r")

    def array(self, dataset: h5py.Dataset) -> npt.NDArray[Any]:
        """View a dataset as `numpy.memmap`, with no copy.

        An array without elements, or a small one that HDF5 did not align, is an ordinary one.

        Raises
        ------
        StoreError
            If the dataset is not contiguous, or the file ends before it does.
        """
        if dataset.size == 0:
            return np.zeros(dataset.shape, dataset.dtype)
        first = dataset.id.get_offset()
        if first is None:
            raise StoreError(f"{dataset.file.filename}: {dataset.name} is chunked or compressed and cannot be mapped")
        last = first + dataset.size * dataset.dtype.itemsize
        if last > len(self._bytes):
            raise StoreError(f"{dataset.file.filename} is cut short ({len(self._bytes):,} bytes); copy it again")
        view: npt.NDArray[Any] = self._bytes[first:last].view(dataset.dtype).reshape(dataset.shape)
        return view if view.flags.aligned else np.array(view)


def key_of(name: str) -> str:
    """Spell a name as an HDF5 link, which may hold neither slash nor a lone dot.

    Examples
    --------
    >>> key_of("left/right"), name_of(key_of("left/right"))
    ('left%2Fright', 'left/right')
    """
    key = name.replace("%", "%25").replace("/", "%2F")
    return {"": "%", ".": "%2E"}.get(key, key)


def name_of(key: str) -> str:
    """Undo `key_of`."""
    return {"%": "", "%2E": "."}.get(key, key.replace("%2F", "/").replace("%25", "%"))


def _not_opened(path: Path, err: OSError) -> StoreError:
    if "truncated" in str(err):
        return StoreError(f"{path} is cut short ({path.stat().st_size:,} bytes); copy or download it again")
    if os.access(path, os.R_OK) and not h5py.is_hdf5(path):
        return StoreError(f"{path} is not an HDF5 file; is its ending right, and did the download end well?")
    return StoreError(f"{path} cannot be opened: {err}")


def _check_kind(file: h5py.File, path: Path, kind: str | None) -> None:
    number, found = file.attrs.get("format"), file.attrs.get("kind")
    if number is None or found is None:
        raise StoreError(f"{path} is an HDF5 file, but not one that neurokit_fm wrote")
    if number != FORMAT:
        raise StoreError(
            f"{path} has format {number}, written by neurokit_fm {file.attrs.get('neurokit_fm')}; this version "
            f"({neurokit_fm.__version__}) reads format {FORMAT}. Upgrade: pip install -U neurokit-fm"
        )
    if kind is not None and found != kind:
        raise StoreError(f"{path} holds {found!r}, not {kind!r}; open it with {KINDS.get(found, 'a newer version')}")
