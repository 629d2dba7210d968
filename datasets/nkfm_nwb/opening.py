"""Opening an NWB file with pynwb, and saying in one line what is wrong with one that it cannot open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from neurokit_fm.errors import DataError, NkfmError, need


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for as long as the block runs.

    Types of extensions are made from the specifications that the file carries; nothing in it is executed.

    Yields
    ------
    pynwb.NWBFile
        Its arrays are still on disk.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If it is no NWB file, is cut off or damaged, or what it holds cannot be used; the file is named.
    MissingDependency
        If pynwb is not installed.
    """
    pynwb = need("pynwb", "reading NWB files", extra="nwb")
    _check(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions of specifications and old spellings
            with pynwb.NWBHDF5IO(str(path), mode="r", load_namespaces=True) as io:
                yield io.read()
    except NkfmError as err:
        raise type(err)(str(err) if str(path) in str(err) else f"{path}: {err}") from err
    except Exception as err:
        said = " ".join(str(err).split())[:300]
        raise DataError(f"{path}: pynwb cannot read it ({type(err).__name__}: {said}); is the file complete?") from err


def _check(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        raise DataError(f"{path} is a folder; NWB in Zarr is not read: export it to one HDF5 file with pynwb")
    if not h5py.is_hdf5(path):
        empty = " (0 bytes)" if path.stat().st_size == 0 else ""
        raise DataError(f"{path} is no NWB file: it is not HDF5{empty}. Is its ending right, and is the copy complete?")
    try:
        with h5py.File(path, "r") as file:
            version = file.attrs.get("nwb_version")
            first = "nwb_version" in file
            held = ", ".join(list(file)[:6]) or "nothing"
    except OSError as err:
        cut = "truncated" in str(err)
        raise DataError(f"{path} {'is cut off' if cut else 'is damaged'} ({err}); copy or download it again") from err
    if version is None:
        what = "NWB 1, which pynwb does not read; convert it to NWB 2" if first else "no nwb_version"
        raise DataError(f"{path} is HDF5, but no NWB 2 file: it has {what}. It holds: {held}")
