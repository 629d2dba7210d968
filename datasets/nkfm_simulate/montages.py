"""The sensors: template caps and MEG systems that come with MNE, put on a head of a given size."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels, TimeSeries, datasets, from_mne
from neurokit_fm.errors import MissingDependency, UnknownName, did_you_mean
from nkfm_simulate.forward import Head, fit_head
from nkfm_simulate.sources import Vectors

TEN_TWENTY = "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2"
TEN_TEN = (
    "Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 O1 Iz Oz POz "
    "Pz CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 CP4 CP2 P2 P4 P6 "
    "P8 P10 PO8 PO4 O2"
)
_CAPS = {"10-20": TEN_TWENTY, "10-10": TEN_TEN}
_LEFT_OUT = ("T3", "T4", "T5", "T6", "A1", "A2", "M1", "M2")
"""Old names of T7, T8, P7 and P8, and places on the ears."""
_OPTODES = "artinis"
MEG_SYSTEMS = {"neuromag306": "neuromag", "ctf151": "ctf151", "ctf275": "ctf275", "kit157": "kit-meg"}
"""Our name of a MEG system to MNE's, or to the recording whose geometry is used."""

GAP_M, SLACK_M = 0.018, 0.004
"""From the scalp to the nearest coil; in a narrow helmet at most this much less than there is room for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cap:
    """Electrodes of a template and its anatomical landmarks, in MNE's head frame.

    Attributes
    ----------
    name : tuple of str
    position : ndarray, shape (C, 3), metres
    landmarks : mapping of str to ndarray, shape (3,), metres
        ``nasion, lpa, rpa``.
    """

    name: tuple[str, ...]
    position: Vectors
    landmarks: Mapping[str, Vectors]


def cap_names() -> tuple[str, ...]:
    """Every montage that can be simulated."""
    every = mne.channels.get_builtin_montages()
    return ("10-20", "10-10", "10-05", *(name for name in every if not name.startswith(_OPTODES)))


@functools.cache
def cap(montage: str) -> Cap:
    """Return a template cap: 19, 64 or 335 electrodes of the 10-05 system, or any cap of MNE.

    Raises
    ------
    UnknownName
        If there is none of that name.
    """
    if montage not in cap_names():
        raise UnknownName(
            f"no electrode montage called {montage!r}.{did_you_mean(montage, cap_names())} "
            f"Known: {', '.join(cap_names())}."
        )
    table = _template(montage)
    to_head = mne.channels.compute_native_head_t(table, verbose="ERROR")
    stored = table.get_positions()
    places = {str(name): mne.transforms.apply_trans(to_head, xyz) for name, xyz in stored["ch_pos"].items()}
    wanted = _CAPS[montage].split() if montage in _CAPS else list(places)
    if montage == "10-05":
        wanted = [name for name in places if name not in _LEFT_OUT]
    return Cap(
        name=tuple(wanted),
        position=np.array([places[name] for name in wanted]),
        landmarks={k: mne.transforms.apply_trans(to_head, stored[k]) for k in ("nasion", "lpa", "rpa")},
    )


def _template(montage: str) -> Any:
    if not montage.startswith("10-"):
        return mne.channels.make_standard_montage(montage)
    name = "colin27_1005" if "colin27_1005" in mne.channels.get_builtin_montages() else "standard_1005"
    return mne.channels.make_standard_montage(name)


def put_on(template: Cap, scale: float, jitter_m: float, rng: np.random.Generator) -> tuple[Cap, Head]:
    """Put a cap on a head of another size, each electrode a little off; also the sphere that stands for the head."""
    head = fit_head(scale * template.position)
    outward = scale * template.position - head.centre
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    moved = outward + jitter_m * rng.standard_normal(outward.shape)
    moved *= length / np.linalg.norm(moved, axis=1, keepdims=True)  # along the scalp, not off it
    landmarks = {name: scale * xyz for name, xyz in template.landmarks.items()}
    return Cap(name=template.name, position=head.centre + moved, landmarks=landmarks), head


def sensors(worn: Cap | None, system: str | None, head: Head, sfreq: float, rng: np.random.Generator) -> Any:
    """Return the `mne.Info` of electrodes and coils together, EEG in the head, MEG in the device frame."""
    electrodes = [] if worn is None else list(worn.name)
    coils = [] if system is None else meg_coils(system)
    names = [*electrodes, *(ch["ch_name"] for ch in coils)]
    kinds = ["eeg"] * len(electrodes) + ["mag"] * len(coils)
    info = mne.create_info(names, sfreq, kinds, verbose="ERROR")
    if worn is not None:
        places = dict(zip(worn.name, worn.position, strict=True))
        table = mne.channels.make_dig_montage(places, coord_frame="head", **worn.landmarks)
        info.set_montage(table, on_missing="ignore", verbose="ERROR")
    for ch, coil in zip(info["chs"][len(electrodes) :], coils, strict=True):
        for key in ("loc", "coil_type", "unit", "coord_frame"):
            ch[key] = coil[key].copy() if key == "loc" else coil[key]
    if system is not None:
        with info._unlock():
            info["dev_head_t"] = mne.transforms.Transform("meg", "head", head_in_helmet(system, head, rng))
    return info


def channel_tables(info: Any) -> tuple[dict[str, Channels], dict[str, Any]]:
    """Channel tables of an info, signal by signal, and facts: exactly those of a recording that is read from a file."""
    empty = mne.io.RawArray(np.zeros((len(info["ch_names"]), 1)), info, verbose="ERROR")
    recording = from_mne(empty)
    return {name: recording[name].channels for name in recording}, dict(recording.info.facts)


@functools.cache
def meg_coils(system: str) -> list[dict[str, Any]]:
    """Coils of a MEG system as MNE channel records, in the device frame.

    Raises
    ------
    UnknownName
        If there is none of that name.
    """
    if system not in MEG_SYSTEMS:
        raise UnknownName(
            f"no MEG system called {system!r}.{did_you_mean(system, MEG_SYSTEMS)} Known: {', '.join(MEG_SYSTEMS)}."
        )
    if system == "kit157":
        return _kit_coils()
    if not hasattr(mne.channels, "read_meg_canonical_info"):
        raise MissingDependency(
            f"the geometry of {system} needs MNE 1.12 or later; this is {mne.__version__}.\n  pip install -U mne"
        )
    return list(mne.channels.read_meg_canonical_info(MEG_SYSTEMS[system], verbose="ERROR")["chs"])


def _kit() -> Any:
    return datasets.load(MEG_SYSTEMS["kit157"])()[0]


def _kit_coils() -> list[dict[str, Any]]:
    """Axial gradiometers of a real recording; the two directions across a coil's axis are free and chosen here."""
    meg = _kit()["meg"]
    assert isinstance(meg, TimeSeries)
    axis = meg.channels.orientation  # (C, 3)
    aside = np.where(np.abs(axis[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    across = np.cross(aside, axis)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    loc = np.concatenate([meg.channels.position, across, np.cross(axis, across), axis], axis=1)  # (C, 12)
    constants = mne.io.constants.FIFF
    return [
        {
            "ch_name": name,
            "loc": row,
            "coil_type": constants.FIFFV_COIL_KIT_GRAD,
            "unit": constants.FIFF_UNIT_T,
            "coord_frame": constants.FIFFV_COORD_DEVICE,
        }
        for name, row in zip(meg.channels.name, loc, strict=True)
    ]


@functools.cache
def _tilt(system: str) -> npt.NDArray[np.float64]:
    """How a head sits in a helmet, (3, 3): upright, unless a recording says otherwise."""
    return np.array(_kit().info.facts["dev_head_t"])[:3, :3] if system == "kit157" else np.eye(3)


def head_in_helmet(system: str, head: Head, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw how a head sits in a helmet: as far up as the nearest coil allows, some degrees and millimetres off.

    Returns
    -------
    ndarray, shape (4, 4)
        From the device to the head frame, metres.
    """
    coils = np.array([ch["loc"][:3] for ch in meg_coils(system)])
    turn = mne.transforms.rotation(*np.deg2rad(2.0 * rng.standard_normal(3)))[:3, :3] @ _tilt(system)
    middle = fit_head(coils).centre + 0.001 * rng.standard_normal(3)
    heights = np.linspace(-0.05, 0.04, 91)
    at = middle + heights[:, None] * turn[2]  # (91, 3) along the head's own vertical
    gaps = np.linalg.norm(coils[None] - at[:, None], axis=2).min(axis=1) - head.radius  # (91,)
    highest = np.flatnonzero(gaps >= min(GAP_M, gaps.max() - SLACK_M))[-1]
    motion = np.eye(4)
    motion[:3, :3] = turn
    motion[:3, 3] = head.centre - turn @ at[highest]
    return motion
