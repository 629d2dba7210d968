"""Writing a file so that it is there whole or not at all. Every file the toolkit saves goes through here."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurokit_fm.errors import NkfmError, StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, needed: int | None = None) -> Iterator[Path]:
    """Give a temporary name beside `path`; put the file in place when the block ends well, remove it when it does not.

    The file is flushed to disk before it is renamed, so a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    path : path-like
        Where the file shall be; an existing one is replaced.
    needed : int, optional
        Bytes the file will take. Asked of the disk before anything is written, and named in the message.

    Yields
    ------
    Path
        Name in the same folder that does not exist yet; the block must create it.

    Raises
    ------
    StoreError
        If the file cannot be written, with the size needed and the way out; `errno` is kept.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        if needed is not None and shutil.disk_usage(target.parent).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield temporary
        flush(temporary)
        os.replace(temporary, target)
        flush(target.parent)
    except OSError as err:
        if isinstance(err, NkfmError):
            raise
        raise _failure(target, err, needed) from err
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def only_one(folder: str | os.PathLike[str], doing: str) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs; the system lets go when this one ends, however it ends.

    Parameters
    ----------
    folder : path-like
        Made if it is not there; gets a file ``.lock``, which stays.
    doing : str
        What goes on, for the message of the second process.

    Raises
    ------
    StoreError
        If another process is at it. Where the system has no advisory locks (Windows) nothing is checked.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as err:
                raise StoreError(
                    f"another process is {doing} in {folder}; wait until it is over, stop it, or choose another folder"
                ) from err
        yield


def megabytes(size: float) -> str:
    """Word a number of bytes for a message.

    Examples
    --------
    >>> megabytes(1_500_000)
    '1.5 MB'
    """
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,.0f} bytes"


def flush(path: Path) -> None:
    """Make sure that a file, or the names in a folder, survive a power cut."""
    if path.is_dir() and os.name != "posix":  # a folder cannot be opened elsewhere
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failure(target: Path, err: OSError, needed: int | None) -> StoreError:
    if not target.parent.is_dir():
        why = f"there is no folder {target.parent}; create it first"
    elif err.errno in _FULL:
        size = "" if needed is None else f"; it needs {megabytes(needed)}"
        free = megabytes(shutil.disk_usage(target.parent).free)
        why = f"{os.strerror(err.errno or 0)}{size}, {free} are free. Free some space or choose another folder"
    else:
        why = f"{err.strerror or err}"
    failure = StoreError(f"{target}: cannot be written: {why}. Nothing was left behind.")
    failure.errno = err.errno
    return failure
