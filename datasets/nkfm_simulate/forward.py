"""From dipole moments to sensors: EEG of a four-shell sphere, MEG of a sphere (Sarvas 1987), both computed by MNE."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from nkfm_simulate.sources import Sources, Vectors

UNIT_HEAD_M = 0.095
"""Radius of the sphere for which EEG is computed; see `eeg_gain`."""
CONDUCTIVITY = (0.33, 1.0, 0.01, 0.33)
"""Of brain, liquor, skull and scalp, S/m; the skull as measured in living heads (McCann et al. 2019: 0.006 to 0.016)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """The sphere that stands for a head.

    Attributes
    ----------
    centre : ndarray, shape (3,), metres, head frame
    radius : float, metres
        Of the scalp.
    """

    centre: Vectors
    radius: float


def fit_head(scalp: Vectors) -> Head:
    """Sphere nearest to points on the scalp (C, 3), metres, by linear least squares."""
    system = np.column_stack([2 * scalp, np.ones(len(scalp))])
    *centre, rest = np.linalg.lstsq(system, (scalp**2).sum(axis=1), rcond=None)[0]
    return Head(centre=np.array(centre), radius=float(np.sqrt(rest + np.dot(centre, centre))))


def eeg_gain(electrodes: Vectors, head: Head, sources: Sources) -> npt.NDArray[np.float64]:
    r"""Potential at electrodes for a unit moment of each dipole, against infinity.

    Parameters
    ----------
    electrodes : ndarray, shape (C, 3), metres, head frame
        Projected on the sphere along its radius.

    Returns
    -------
    ndarray, shape (C, S), V/(A m)

    Notes
    -----
    Brain, liquor, skull and scalp end at 0.90, 0.92, 0.97 and 1 of the radius, with `CONDUCTIVITY` (Berg & Scherg 1994).
    A potential falls with the square of the size of a head: $V_R(Rx) = V_1(x)/R^2$. So one sphere, whose expansion takes
    MNE some tenths of a second, serves all heads.
    """
    outward = electrodes - head.centre
    places = UNIT_HEAD_M * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    names = [str(i) for i in range(len(places))]
    info = mne.create_info(names, 1000.0, "eeg", verbose="ERROR")
    with info._unlock():
        for ch, place in zip(info["chs"], places, strict=True):
            ch["loc"][:6] = [*place, 0, 0, 0]
            ch["coord_frame"] = mne.io.constants.FIFF.FIFFV_COORD_HEAD
    gain = _solve(info, _unit_sphere(), UNIT_HEAD_M * sources.position, sources.orientation, meg=False)
    return np.asarray(gain * (UNIT_HEAD_M / head.radius) ** 2)


def meg_gain(info: Any, head: Head, sources: Sources) -> npt.NDArray[np.float64]:
    """Field at coils for a unit moment of each dipole.

    Parameters
    ----------
    info : mne.Info
        With the coils in the device frame and ``dev_head_t``; other channels are ignored.

    Returns
    -------
    ndarray, shape (C, S), T/(A m), or T/m/(A m) for planar gradiometers
    """
    sphere = mne.make_sphere_model(r0=head.centre, head_radius=None, verbose="ERROR")
    return _solve(info, sphere, head.centre + head.radius * sources.position, sources.orientation, meg=True)


@functools.cache
def _unit_sphere() -> Any:
    return mne.make_sphere_model(r0=(0.0, 0.0, 0.0), head_radius=UNIT_HEAD_M, sigmas=CONDUCTIVITY, verbose="ERROR")


def _solve(info: Any, sphere: Any, places: Vectors, orientation: Vectors, *, meg: bool) -> npt.NDArray[np.float64]:
    space = mne.setup_volume_source_space(pos={"rr": places, "nn": orientation}, verbose="ERROR")
    solution = mne.make_forward_solution(
        info, trans=None, src=space, bem=sphere, meg=meg, eeg=not meg, mindist=0.0, verbose="ERROR"
    )
    free = solution["sol"]["data"].reshape(
        len(solution["sol"]["row_names"]), -1, 3
    )  # (C, S, 3) for moments along x, y, z
    if free.shape[1] != len(places):
        raise RuntimeError(f"MNE left out {len(places) - free.shape[1]} of {len(places)} sources")
    return np.asarray(np.einsum("csi,si->cs", free, orientation))
