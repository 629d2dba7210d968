"""Opening an NWB file with pynwb, and saying in one line what is wrong with one that it cannot open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from neurokit_fm.errors import DataError, NkfmError, need

PLAIN = {"root/general/devices": ("core", "Device"), "root/general/subject": ("core", "Subject")}
"""What an object of an unknown type at a place, or in a group, is at least: namespace and type."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, list[str]]]:
    """Open a file for as long as the block runs.

    Types of extensions are made from the specifications that the file carries; nothing in it is executed. Objects of types
    whose specification it does not carry are left out.

    Yields
    ------
    nwb : pynwb.NWBFile
        Its arrays are still on disk.
    unknown : list of str
        Where what was left out stands, and of which type it is.

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
    unknown: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions of specifications and old spellings
            with pynwb.NWBHDF5IO(str(path), mode="r", load_namespaces=True) as io:
                _leave_out(io.read_builder(), io.manager.namespace_catalog, unknown)  # `read` goes on with the same
                yield io.read(), unknown
    except NkfmError as err:
        raise type(err)(str(err) if str(path) in str(err) else f"{path}: {err}") from err
    except Exception as err:
        said = " ".join(str(err.args[-1] if err.args else err).split())[:300]
        where = f"{err.args[0].path.removeprefix('root/')}: " if err.args and hasattr(err.args[0], "path") else ""
        why = (
            f"of these it does not carry the specification: {', '.join(unknown[:5])}" if unknown else "is it complete?"
        )
        raise DataError(f"{path}: pynwb cannot read it ({type(err).__name__}: {where}{said}); {why}") from err


def _leave_out(group: Any, catalog: Any, unknown: list[str]) -> None:
    """Take objects of unknown types, and links to them, out of what pynwb has read but not yet made objects of.

    Where others rest on an object, it stays, as the plain type of its place: a device, the subject, the column of a table.
    """
    for members in (group.groups, group.datasets, group.links):
        for name, member in list(members.items()):
            target = getattr(member, "builder", member)
            namespace, kind = (target.attributes.get(key) for key in ("namespace", "neurodata_type"))
            if kind is None or (
                namespace in catalog.namespaces and catalog.get_namespace(namespace).catalog.get_spec(kind)
            ):
                if member is target and hasattr(member, "groups"):
                    _leave_out(member, catalog, unknown)
                continue
            unknown.append(f"{member.path.removeprefix('root/')} ({namespace}.{kind})")
            column = "colnames" in group.attributes and members is group.datasets
            plain = ("hdmf-common", "VectorData") if column else PLAIN.get(member.path) or PLAIN.get(group.path)
            if plain:
                target.attributes["namespace"], target.attributes["neurodata_type"] = plain
            else:
                del members[name]


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
