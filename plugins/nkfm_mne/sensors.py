"""The channel table of an MNE `Info`: kinds, coil types, units, places and directions, as facts.

Source of every field: `mne.Info` channel records (FIFF codes). What a model makes of them is its Contract's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels

_KINDS = {
    1: "meg", 2: "eeg", 3: "stim", 202: "eog", 301: "ref_meg", 302: "emg", 402: "ecg", 502: "misc",
    802: "seeg", 803: "dbs", 902: "ecog", 1100: "fnirs",
}  # fmt: skip
_UNITS = {
    6: "M", 7: "rad", 101: "Hz", 107: "V", 109: "ohm", 110: "S", 112: "T", 114: "degC", 117: "V/m^2", 201: "T/m", 202: "Am",
}  # fmt: skip
_FRAMES = {1: "device", 4: "head", 5: "mri"}
_SIGNALS = {"seeg": "ieeg", "ecog": "ieeg", "dbs": "ieeg"} | {
    k: k for k in ("eeg", "meg", "fnirs", "eog", "ecg", "emg")
}
_COILS = (
    dict.fromkeys(range(3011, 3016), "grad_planar")
    | dict.fromkeys((2000, *range(3021, 3026), 4001, 4002, 7002, 8001, 8002, 8101, 8201), "mag")
    | dict.fromkeys((2001, 5001, 6001, 7001, 7501, 9001, 9101, 9102), "grad_axial")
)
MAGNES_GRADIOMETER = 4002


def kinds(info: Any) -> tuple[str, ...]:
    """Kind of every channel: ``eeg, meg, ref_meg, eog, ecg, emg, stim, misc, seeg, ecog, dbs, fnirs`` or MNE's word."""
    types: list[str] = [mne.channel_type(info, i) for i in range(len(info["chs"]))]
    return tuple(
        "csd" if word == "csd" else _KINDS.get(int(ch["kind"]), word)
        for ch, word in zip(info["chs"], types, strict=True)
    )


def signal_of(kind: str) -> str:
    """Name of the signal a kind belongs to: its modality, or ``aux`` for what is no sensor of any."""
    return _SIGNALS.get(kind, "aux")


def sensor_type(coil_type: int, mne_type: str) -> str:
    """Type of a MEG coil: ``mag, grad_planar`` or ``grad_axial``.

    Parameters
    ----------
    coil_type : int
        FIFF code; CTF keeps the compensation grade in the upper 16 bits, which are ignored.
    mne_type : str
        MNE's word, which calls axial gradiometers of CTF, KIT and 4D ``mag``; used for unlisted coils only.

    Examples
    --------
    >>> sensor_type(6001, "mag"), sensor_type(3 << 16 | 5001, "mag"), sensor_type(3012, "grad")
    ('grad_axial', 'grad_axial', 'grad_planar')
    """
    return _COILS.get(int(coil_type) & 0xFFFF) or ("mag" if mne_type == "mag" else "grad_axial")


def sensor_table(
    info: Any, rows: npt.NDArray[np.int64], names: Sequence[str], row_kinds: Sequence[str]
) -> tuple[Channels, list[str]]:
    """Build the table of some channels, with notes on what could not be taken as it is.

    Parameters
    ----------
    info : mne.Info
    rows : ndarray, shape (C,), int64
    names, row_kinds : sequence of str
        For these rows, in their order.

    Returns
    -------
    channels : Channels
        Positions in metres: EEG in MNE's head frame, MEG in the device frame; NaN where the file has none (or zeros).
        Columns ``original_name, coil_type, unit_mul``; MEG ``rot`` (C, 3, 3), rows ex, ey, ez; EEG ``reference``
        (C, 3), place of the reference electrode; fNIRS ``source``, ``detector`` (C, 3) and ``wavelength_nm``.
    notes : list of str
    """
    chs = [info["chs"][i] for i in rows]
    loc = np.array([ch["loc"][:12] for ch in chs], dtype=np.float64).reshape(-1, 12)  # (C, 12)
    coils = np.array([int(ch["coil_type"]) for ch in chs], dtype=np.int32)
    is_meg = np.isin(np.array(row_kinds, dtype=str), ("meg", "ref_meg"))  # (C,)
    types = [
        sensor_type(coils[n], mne.channel_type(info, i)) if row_kinds[n] == "meg"
        else mne.channel_type(info, i) if row_kinds[n] == "fnirs"
        else row_kinds[n]
        for n, i in enumerate(rows)
    ]  # fmt: skip
    position, frame, notes = _positions(chs, _known(loc[:, 0:3]))
    if (coils[is_meg] & 0xFFFF == MAGNES_GRADIOMETER).any():
        notes.append(
            "typed the Magnes gradiometers (coil 4002) mag, as published EEG+MEG models do; see column coil_type"
        )
    planar = np.array([t == "grad_planar" for t in types], dtype=bool)
    direction = np.where(planar[:, None], loc[:, 3:6], loc[:, 9:12])  # (C, 3) ex or ez
    columns: dict[str, npt.NDArray[Any]] = {
        "original_name": np.array([ch["ch_name"] for ch in chs], dtype=str),
        "coil_type": coils,
        "unit_mul": np.array([int(ch["unit_mul"]) for ch in chs], dtype=np.int32),
    }
    if "meg" in row_kinds:
        columns["rot"] = np.where(is_meg[:, None, None], loc[:, 3:12].reshape(-1, 3, 3), np.nan)  # (C, 3, 3)
    if "eeg" in row_kinds:
        columns["reference"] = _known(loc[:, 3:6])
    if "fnirs" in row_kinds:
        columns |= {"source": _known(loc[:, 3:6]), "detector": _known(loc[:, 6:9]), "wavelength_nm": loc[:, 9]}
    channels = Channels.of(
        list(names),
        kind=list(row_kinds),
        sensor_type=types,
        unit=[_UNITS.get(int(ch["unit"]), "au") for ch in chs],
        position=position,
        orientation=np.where(is_meg[:, None], _known(direction), np.nan),
        frame=frame,
        bad=np.array([ch["ch_name"] in info["bads"] for ch in chs], dtype=bool),
        columns=columns,
    )
    return channels, notes


def _known(xyz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """NaN where a triple is incomplete or all zero, which is how files say nothing."""
    real = np.isfinite(xyz).all(axis=1) & (xyz != 0).any(axis=1)  # (C,)
    return np.where(real[:, None], xyz, np.nan)


def _positions(chs: Sequence[Any], xyz: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], str, list[str]]:
    """Positions in the one frame most of them share; the others become NaN, which is noted."""
    frames = np.array([_FRAMES.get(int(ch["coord_frame"]), "native") for ch in chs], dtype=str)
    placed = np.isfinite(xyz).all(axis=1)
    if not placed.any():
        return xyz, "unknown", []
    words, counts = np.unique(frames[placed], return_counts=True)
    frame = str(words[counts.argmax()])
    strangers = placed & (frames != frame)
    notes = [f"left out {int(strangers.sum())} positions that are not in the {frame} frame"] if strangers.any() else []
    if frame == "native":
        notes.append("the file does not say in which frame its positions are; called native")
    return np.where(strangers[:, None], np.nan, xyz), frame, notes
