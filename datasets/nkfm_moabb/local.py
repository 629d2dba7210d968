"""Reading through MOABB without a sound, and without a download that nobody asked for."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from neurokit_fm.errors import need


def data_folder(dataset: Any, root: str = "") -> Path:
    """Where MOABB looks for a data set: its own setting, `root`, MNE's ``MNE_DATA``, or ``mne_data`` at home."""
    config = need("mne", "reading data sets of MOABB").get_config
    own = config(f"MNE_DATASETS_{dataset.code.upper()}_PATH")
    return Path(own or root or config("MNE_DATA") or Path.home() / "mne_data").expanduser()


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep MOABB and MNE silent; the list is filled with what they warned about, each once, on leaving."""
    said: list[str] = []
    mne, log = need("mne", "reading data sets of MOABB"), logging.getLogger("moabb")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True) as caught, mne.utils.use_log_level("CRITICAL"):
            warnings.simplefilter("always")
            yield said
    finally:
        log.setLevel(level)
    texts = (str(w.message) for w in caught if issubclass(w.category, RuntimeWarning | UserWarning))
    said += dict.fromkeys(texts)


@contextmanager
def looking_into(folder: Path) -> Iterator[None]:
    """Let MOABB look into a folder, by the environment: left alone, it writes its default into MNE's configuration."""
    was = os.environ.get("MNE_DATA")
    os.environ["MNE_DATA"] = str(folder)
    try:
        yield
    finally:
        if was is None:
            del os.environ["MNE_DATA"]
        else:
            os.environ["MNE_DATA"] = was


@contextmanager
def no_download() -> Iterator[list[str]]:
    """Refuse every connection while MOABB reads; the hosts it wanted are listed, but for NEMAR, which it can do without.

    Notes
    -----
    MOABB fetches what is missing in the middle of reading and has no switch against that. Where its files would lie is
    known to the code of each data set only, so looking for them first is no way either; refusing the connection is.
    Connections of other threads of this process are refused for as long. ``nemar``, a mirror that MOABB asks first and
    that tries again for 20 s, is refused at its one public function. A few data sets ask their host for a list of files
    although these are there; they cannot be read so.
    """
    wanted: list[str] = []
    connect, log = socket.socket.connect, need("pooch", "reading data sets of MOABB").get_logger()
    level = log.level

    def refuse(host: object, *args: object, **kwargs: object) -> Any:
        wanted.append(str(host))
        raise ConnectionRefusedError(f"nothing is downloaded without being asked; {host} was not contacted")

    def only_here(self: socket.socket, address: Any) -> Any:
        return connect(self, address) if isinstance(address, str | bytes) else refuse(address)  # a path: this machine

    def not_there(*args: object, **kwargs: object) -> Any:
        raise ConnectionRefusedError("nothing is downloaded without being asked; NEMAR was not contacted")

    with ExitStack() as undo:
        undo.callback(log.setLevel, level)
        log.setLevel(logging.CRITICAL)  # it announces downloads before it tries
        undo.enter_context(mock.patch.object(socket.socket, "connect", only_here))
        undo.enter_context(mock.patch.object(socket, "getaddrinfo", refuse))
        if find_spec("nemar"):  # MOABB from 1.7 on
            undo.enter_context(mock.patch("nemar.download", not_there))
        yield wanted
