"""MEG and optical formats, FIF among them: one function a family, `(path) -> Recording`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne

from neurokit_fm import Recording
from neurokit_fm.errors import need
from nkfm_mne.opening import check_not_empty, open_with_mne


def read_fif(path: Path) -> Recording:
    """Read FIF: a raw recording with its further parts, or else epochs or averages."""

    def read() -> Any:
        try:
            return mne.io.read_raw_fif(path, allow_maxshield="yes", verbose="ERROR")
        except ValueError as err:
            if "No raw data" not in str(err):
                raise
        try:
            return mne.read_epochs(path, proj=False, preload=False, verbose="ERROR")
        except ValueError as err:
            if "epochs" not in str(err).lower():
                raise
        return mne.read_evokeds(path, proj=False, verbose="ERROR")

    return open_with_mne(path, "FIF (raw, epochs or averages)", read)


def read_epochs_fif(path: Path) -> Recording:
    """Read epochs from FIF, left on disk; projections that the file has not applied are not applied."""
    return open_with_mne(path, "FIF epochs", lambda: mne.read_epochs(path, proj=False, preload=False, verbose="ERROR"))


def read_evoked_fif(path: Path) -> Recording:
    """Read the averages of a FIF file, laid end to end, one event over each."""
    return open_with_mne(path, "FIF averages", lambda: mne.read_evokeds(path, proj=False, verbose="ERROR"))


def read_ctf(path: Path) -> Recording:
    """Read a CTF folder (``.ds``) with the compensation grade it was saved with."""
    return open_with_mne(path, "a CTF folder", lambda: mne.io.read_raw_ctf(path, verbose="ERROR"))


def read_kit(path: Path) -> Recording:
    """Read KIT/Yokogawa; markers, points and head shape of the same name beside it are used.

    For ``test.sqd`` these are ``test_mrk.sqd`` (or ``test-mrk.sqd, test.mrk, test_mrk.con``), ``test.elp`` and
    ``test.hsp``; all three are needed to know where the head was.
    """
    stem, ending = path.stem, path.suffix
    markers = [f"{stem}_mrk{ending}", f"{stem}-mrk{ending}", f"{stem}.mrk", f"{stem}_mrk.mrk"]
    found = [
        next((path.with_name(name) for name in options if path.with_name(name).exists()), None)
        for options in (markers, [f"{stem}.elp"], [f"{stem}.hsp"])
    ]
    mrk, elp, hsp = found
    if mrk is None or elp is None or hsp is None:
        return open_with_mne(path, "KIT", lambda: mne.io.read_raw_kit(path, verbose="ERROR"))
    return open_with_mne(
        path,
        "KIT",
        lambda: mne.io.read_raw_kit(path, mrk=mrk, elp=elp, hsp=hsp, verbose="ERROR"),
        steps=[f"head position from markers {mrk.name}, points {elp.name} and head shape {hsp.name} beside the file"],
    )


def read_bti(path: Path) -> Recording:
    """Read 4D/BTi from its data file (``c,rfDC``); ``config`` and, if there is one, ``hs_file`` lie beside it."""
    head_shape = path.with_name("hs_file")
    return open_with_mne(
        path,
        "4D/BTi",
        lambda: mne.io.read_raw_bti(
            path,
            config_fname=str(path.with_name("config")),
            head_shape_fname=str(head_shape) if head_shape.exists() else None,
            verbose="ERROR",
        ),
    )


def read_bin(path: Path) -> Recording:
    """Read ``.bin``: UCL FIL optically pumped MEG where its ``_meg.json`` lies beside it, else Artemis123."""
    name = path.stem.removesuffix("_meg")
    if path.with_name(f"{name}_meg.json").exists():
        return open_with_mne(path, "UCL FIL OPM", lambda: mne.io.read_raw_fil(path, verbose="ERROR"))
    return open_with_mne(path, "Artemis123", lambda: mne.io.read_raw_artemis123(path, verbose="ERROR"))


def read_besa(path: Path) -> Recording:
    """Read a BESA average (``.avr``, ``.mul``)."""
    return open_with_mne(path, "a BESA average", lambda: mne.read_evoked_besa(path, verbose="ERROR"))


def read_snirf(path: Path) -> Recording:
    """Read SNIRF."""
    check_not_empty(path, "a SNIRF recording")
    return open_with_mne(path, "SNIRF", lambda: mne.io.read_raw_snirf(path, verbose="ERROR"))


def read_nirx(path: Path) -> Recording:
    """Read a NIRx folder, given the folder or its ``.hdr`` file."""
    return open_with_mne(path, "NIRx", lambda: mne.io.read_raw_nirx(path, verbose="ERROR"))


def read_hitachi(path: Path) -> Recording:
    """Read a Hitachi ETG ``.csv`` file."""
    return open_with_mne(path, "Hitachi", lambda: mne.io.read_raw_hitachi(path, verbose="ERROR"))


def read_boxy(path: Path) -> Recording:
    """Read a BOXY ``.txt`` file."""
    return open_with_mne(path, "BOXY", lambda: mne.io.read_raw_boxy(path, verbose="ERROR"))


def read_eyelink(path: Path) -> Recording:
    """Read an EyeLink ``.asc`` file; gaze and pupil size go to the signal ``aux``."""
    need("pandas", "reading EyeLink files")
    return open_with_mne(path, "EyeLink", lambda: mne.io.read_raw_eyelink(path, verbose="ERROR"))
