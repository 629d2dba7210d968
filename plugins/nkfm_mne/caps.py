"""Template electrode caps that ship with MNE: names and places, in the template and in the head frame.

Only tables are here; which name a laboratory's label means is in `names`, which cap answers is in `positions`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

Places = Mapping[str, npt.NDArray[np.float64]]
"""Electrode name to its place in metres, shape (3,)."""

TEN_FIVE = "10-05"
BIOSEMI = "biosemi128"
HYDROCEL = "GSN-HydroCel-129"


@functools.cache
def _montage(cap: str) -> Any:
    if cap != TEN_FIVE:
        return mne.channels.make_standard_montage(cap)
    try:
        return mne.channels.make_standard_montage("colin27_1005")
    except ValueError:  # MNE before 1.13 has the same table under the old name
        return mne.channels.make_standard_montage("standard_1005")


@functools.cache
def places(cap: str) -> Places:
    """Places of a cap's electrodes as MNE stores them (the MRI-like frame of the template head).

    Parameters
    ----------
    cap : str
        `TEN_FIVE`, `BIOSEMI` or `HYDROCEL`.
    """
    stored = _montage(cap).get_positions()["ch_pos"]
    return MappingProxyType({str(name): np.asarray(xyz, dtype=np.float64) for name, xyz in stored.items()})


@functools.cache
def places_in_head(cap: str) -> Places:
    """Places of a cap's electrodes in MNE's head frame: the same numbers `Info.set_montage` writes."""
    to_head = mne.channels.compute_native_head_t(_montage(cap), verbose="ERROR")["trans"]  # (4, 4)
    return MappingProxyType({name: to_head[:3, :3] @ xyz + to_head[:3, 3] for name, xyz in places(cap).items()})


@functools.cache
def ten_five_names() -> Mapping[str, str]:
    """Every 10-05 electrode by its lower-case name: ``{"fp1": "Fp1", ...}``, 343 of them."""
    return MappingProxyType({name.lower(): name for name in places(TEN_FIVE)})
