"""Opening a file with MNE: what it says is kept, and what it raises is told in terms of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten
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
    except NkfmError:
        raise
    except Exception as err:
        said = shorten(" ".join(str(err).split()).rstrip("."), 300)
        raise DataError(
            f"{path} cannot be read as {what}: {type(err).__name__}{': ' * bool(said)}{said}. {_beginning(path)}"
            "Is its ending right, and is the copy complete?"
        ) from err
    cut = [text for text in warned if "truncated" in text]
    if cut:
        raise DataError(f"{path} is cut off: {'; '.join(cut).rstrip('.')}. Copy or export it again.")
    repeated = [text.rpartition("duplicates for: ")[2] for text in warned if "names are not unique" in text]
    if repeated:  # MNE would go on with Fp1-0 and Fp1-1
        names = ", ".join(sorted(re.findall(r"'([^']+)'", repeated[0]))) or repeated[0]
        raise DataError(f"{path}: channel names must be unique; repeated: {names}. Rename or remove them in the file.")
    try:
        with quiet():
            _read_last_samples(instance)
        recording = from_mne(instance)
    except NkfmError as err:
        raise DataError(f"{path}: {err}") from err
    except Exception as err:
        raise DataError(
            f"{path} ends, or is damaged, before the last sample its header promises ({type(err).__name__}: {err}). "
            "Copy or export it again."
        ) from err
    return note(recording, steps=steps, warned=warned, source=path)


def check_not_empty(path: Path, what: str) -> None:
    """Raise unless the file exists and holds something."""
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); expected {what}. Copy or export it again.")


def _read_last_samples(instance: Any) -> None:
    """Fail now, not in the middle of an analysis, if the file ends before its header says."""
    if isinstance(instance, mne.io.BaseRaw) and not instance.preload and instance.n_times:
        n = instance.n_times
        instance.get_data(picks=[0], start=n - 1, stop=n, verbose="ERROR")
    elif isinstance(instance, mne.BaseEpochs) and not instance.preload and len(instance):
        instance.get_data(picks=[0], item=[len(instance) - 1], verbose="ERROR")


def _beginning(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return f"The file begins with {file.read(24)!r}. "
