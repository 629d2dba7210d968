"""Opening a file with MNE: what it says is kept, and what it raises is told in terms of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mne

from neurokit_fm import Recording
from neurokit_fm.errors import DataError, NkfmError
from nkfm_mne.reader import from_mne, note, quiet


def open_with_mne(path: Path, what: str, read: Callable[[], Any], *, steps: Sequence[str] = ()) -> Recording:
    """Read a file through MNE and make a Recording of it.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, for messages: ``"an EDF recording"``.
    read : callable
        Returns an MNE object or raises.
    steps : sequence of str
        What was done on reading, in words.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If the file is empty, is not what it should be or ends too early; MNE's own words are quoted.
    """
    check_not_empty(path, what)
    try:
        with quiet() as warned:
            instance = read()
            _read_last_sample(instance)
        recording = from_mne(instance)
    except NkfmError as err:
        raise err if str(path) in str(err) else DataError(f"{path}: {err}") from err
    except Exception as err:
        raise DataError(
            f"{path} cannot be read as {what}: {type(err).__name__}: {' '.join(str(err).split())}. {_beginning(path)}"
            "Is its ending right, and is the copy complete?"
        ) from err
    return note(recording, steps=steps, warned=warned, source=path)


def check_not_empty(path: Path, what: str) -> None:
    """Raise unless the file exists and holds something."""
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); expected {what}. Copy or export it again.")


def _read_last_sample(instance: Any) -> None:
    """Fail now, not in the middle of an analysis, if the file ends before its header says."""
    if isinstance(instance, mne.io.BaseRaw) and not instance.preload and instance.n_times:
        n = instance.n_times
        if instance.get_data(picks=[0], start=n - 1, stop=n, verbose="ERROR").size != 1:
            raise DataError("the file ends before the last sample its header promises. Copy or export it again.")


def _beginning(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return f"The file begins with {file.read(24)!r}. "
