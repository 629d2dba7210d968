"""Reading recordings: choose the reader by file name, wrap what it says when it fails."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurokit_fm.errors import DataError, NkfmError, did_you_mean
from neurokit_fm.plugins import plugins
from neurokit_fm.registry import readers

if TYPE_CHECKING:
    from neurokit_fm.data.recording import Recording
    from neurokit_fm.hooks import Entry


def reader_for(path: str | os.PathLike[str]) -> Entry | None:
    """Return the entry of the reader with the longest suffix that ends the file's name, or None."""
    name = Path(path).name.lower()
    fits = [(len(s), e) for e in readers.entries() for s in e.suffixes if name.endswith(s)]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def read(path: str | os.PathLike[str]) -> Recording:
    """Read a recording of any format a plugin knows; samples stay on disk until they are asked for.

    Parameters
    ----------
    path : path-like
        File, or folder for formats that are folders (``.ds``, ``.mff``).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If no reader knows the ending, or the file is not what its ending says; the file is named.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    entry = reader_for(path)
    if entry is None:
        known = sorted({s for e in readers.entries() for s in e.suffixes})
        hint = did_you_mean(path.suffix.lower(), known)
        endings = " ".join(known) or "none"
        raise DataError(
            f"{path}: no reader for files ending in {path.suffix!r}.{hint} Known: {endings}.{plugins().hint()}"
        )
    reader = readers.load(entry.name)
    try:
        recording: Recording = reader(path)
    except NkfmError:
        raise
    except Exception as err:
        raise DataError(
            f"{path}: cannot be read as {entry.summary} ({type(err).__name__}: {err}). "
            "Is the file complete, and is its ending right?"
        ) from err
    return recording


def find_recordings(inputs: Sequence[str]) -> list[Path]:
    """Expand files, folders and patterns to recordings, in order and without repetition.

    Raises
    ------
    FileNotFoundError
        If an input matches nothing.
    DataError
        If a folder holds no file that a reader knows.
    """
    found: dict[Path, None] = {}
    for item in inputs:
        path = Path(item)
        if path.is_file() or (path.is_dir() and reader_for(path) is not None):
            matches = [path]
        elif path.is_dir():
            matches = _search(path)
            if not matches:
                raise DataError(f"{path} holds no recording that a reader knows (`nkfm list readers`)")
        else:
            matches = sorted(Path(m) for m in glob.glob(item, recursive=True) if reader_for(m) is not None)
            if not matches:
                raise FileNotFoundError(f"no such file or folder, and no recording matches: {item}")
        found |= dict.fromkeys(matches)
    return list(found)


def from_mne(instance: Any) -> Recording:
    """Make a Recording of an MNE `Raw`, `Epochs` or `Evoked` object; samples are read from it on demand.

    Raises
    ------
    DataError
        If the object is none of these.
    """
    recording: Recording = readers.load("mne-object")(instance)
    return recording


def _search(folder: Path) -> list[Path]:
    """Recordings below a folder; a recording that is itself a folder is not searched further."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if reader_for(path) is not None:
            found.append(path)
        elif path.is_dir():
            found += _search(path)
    return found
