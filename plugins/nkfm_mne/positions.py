"""Where named electrodes sit: the 543-name bank of REVE, rebuilt from MNE's template caps, and its surroundings.

Source: arXiv:2510.21585 and the published bank ``brain-bzh/reve-positions``; nothing is downloaded.
"""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Positions
from nkfm_mne.caps import BIOSEMI, HYDROCEL, TEN_FIVE, Places, places, places_in_head, ten_five_names
from nkfm_mne.names import electrode, pair

_BANK_10_05 = (
    "A1 A2 C3 C4 CZ F3 F4 F7 F8 FP1 FP2 FZ O1 O2 P3 P4 PZ T3 T4 T5 T6 OZ Cz Fpz Fz P7 P8 Pz T7 T8 C1 C2 C5 C6 CP1 "
    "CP2 CP3 CP4 CPz FC1 FC2 FC3 FC4 FCz P1 P2 POz AFz P5 P6 PO3 PO4 AF3 AF4 AF7 AF8 CP5 CP6 F1 F2 F5 F6 FC5 FC6 "
    "FT7 FT8 Fp1 Fp2 Iz Oz P10 P9 PO7 PO8 TP7 TP8 F10 F9 FT10 FT9 FTT10h FTT9h PO10 PO9 TP10 TP9 TPP10h TPP8h "
    "TPP9h TTP7h CCP1h CCP2h CCP3h CCP4h CCP5h CCP6h CPP1h CPP2h CPP3h CPP4h CPP5h CPP6h FCC1h FCC2h FCC3h FCC4h "
    "FCC5h FCC6h FFC1h FFC2h FFC3h FFC4h FFC5h FFC6h FTT7h FTT8h PPO1h PPO2h TTP8h T10 T9 AFF1h AFF2h AFF5h AFF6h "
    "AFp1 AFp2 POO1 POO2 PO5 PO6 AFF1 AFF2 AFp3h AFp4h FFT7h FFT8h I1 I2 M1 M2 OI1h OI2h POO10h POO3h POO4h POO9h "
    "PPO1 PPO10h PPO2 PPO5h PPO6h PPO9h TPP7h "
)
_BIOSEMI_NAME = re.compile(r"[A-D](3[0-2]|[12]?[1-9]|[12]0)")
_HYDROCEL_NAME = re.compile(r"E(12[0-9]|1[01][0-9]|[1-9]?[0-9])")
_NET_REFERENCE = ("VREF", "Vertex Reference")
_EARS = ("A1", "A2", "M1", "M2")
_WHOLE_CAP = 96
"""A cap's own numbers mean something only when most of the cap is there: three quarters of 128."""


def position_bank() -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Names and places of the published position bank, in its order.

    Returns
    -------
    names : tuple of str, 543 of them
    positions : ndarray, shape (543, 3), float32, metres, template frame
        400 distinct points: 166 spellings of 10-05 electrodes, BioSemi-128 with and without the prefix
        ``biosemi128_``, and EGI's ``E1`` to ``E129``.

    Examples
    --------
    >>> names, xyz = position_bank()
    >>> len(names), xyz[names.index("Cz")].round(4)
    (543, array([ 0.0004, -0.0092,  0.1002], dtype=float32))
    """
    table = _bank("template")
    return tuple(table), np.stack(list(table.values())).astype(np.float32)


def find_positions(names: tuple[str, ...], modality: str, frame: str) -> Positions | None:
    """Say where scalp electrodes sit on the template head, or return None unless all of them are known.

    Parameters
    ----------
    names : tuple of str
        Looked up as they are, then in any case, then without prefix and reference (``EEG FP1-REF``), then as a
        bipolar pair, which sits in the middle of its electrodes. A pair with an earlobe or mastoid behind it
        (``C3-A2``, as in sleep recordings) sits at its first electrode: the middle would be inside the head.
    modality : str
        Only ``"eeg"`` is answered.
    frame : str
        ``"template"`` (MNE's template head, the frame of the bank) or ``"head"`` (MNE's head frame).

    Returns
    -------
    ndarray, shape (C, 3), float64, metres; or None

    Notes
    -----
    A cap's own numbers are ambiguous: ``A3`` and ``B7`` exist on BioSemi caps of 64, 128, 160 and 256 electrodes, ``E30``
    on EGI nets of 32 to 256, each time elsewhere. They are answered only where at least 96 names of the 128-electrode
    cap are asked together and none that this cap lacks; if nothing else is asked, ``A1, A2, C1`` ... ``C6`` mean the
    cap's electrodes too, not the earlobes and 10-20 places of the bank. ``biosemi128_A3`` is never ambiguous.
    """
    if modality != "eeg" or frame not in ("template", "head") or not names:
        return None
    biosemi = [name for name in names if _BIOSEMI_NAME.fullmatch(name)]
    if len(biosemi) == len(names) and len(set(names)) >= _WHOLE_CAP:
        names = tuple(f"{BIOSEMI}_{name}" for name in names)
    hydrocel = [name for name in names if _HYDROCEL_NAME.fullmatch(name)]
    found = [_place(name, frame, len(biosemi) >= _WHOLE_CAP, len(hydrocel) >= _WHOLE_CAP) for name in names]
    return np.stack([xyz for xyz in found if xyz is not None]) if all(xyz is not None for xyz in found) else None


def _place(name: str, frame: str, whole_biosemi: bool, whole_hydrocel: bool) -> npt.NDArray[np.float64] | None:
    bank, scalp = _bank(frame), _scalp(frame)
    if name.lower().startswith(f"{BIOSEMI}_"):
        return bank.get(f"{BIOSEMI}_{name[len(BIOSEMI) + 1 :].upper()}")
    if name in _NET_REFERENCE and whole_hydrocel:
        return bank["E129"]
    if name in bank and (
        name in scalp
        or not (_BIOSEMI_NAME.fullmatch(name) or _HYDROCEL_NAME.fullmatch(name))
        or (whole_biosemi and _BIOSEMI_NAME.fullmatch(name))
        or (whole_hydrocel and _HYDROCEL_NAME.fullmatch(name))
    ):
        return bank[name]
    known, both = electrode(name), pair(name)
    if known:
        return scalp[known]
    if both and both[1] in _EARS:
        return scalp[both[0]]
    return (scalp[both[0]] + scalp[both[1]]) / 2 if both else None


def _scalp(frame: str) -> Places:
    return places(TEN_FIVE) if frame == "template" else places_in_head(TEN_FIVE)


@functools.cache
def _bank(frame: str) -> Places:
    """The bank's names in its order; in the head frame each cap is moved by its own fiducials."""
    where = places if frame == "template" else places_in_head
    scalp, biosemi, hydrocel = where(TEN_FIVE), where(BIOSEMI), where(HYDROCEL)
    shift = scalp["Cz"] - hydrocel["Cz"] if frame == "template" else np.zeros(3)  # the bank puts the net's Cz on ours
    spelled = ten_five_names()
    table = {name: scalp[spelled[name.lower()]] for name in _BANK_10_05.split()}
    table |= {name: xyz for name, xyz in biosemi.items() if name not in table}
    table |= {name: scalp[spelled[name.lower()]] for name in ("CPZ", "FCZ", "FPZ", "POZ")}
    table |= {name: hydrocel[name] + shift for name in sorted(hydrocel) if name != "Cz"}
    table["E129"] = scalp["Cz"] if frame == "template" else hydrocel["Cz"]
    table |= {name: scalp[spelled[name.lower()]] for name in ("Cp1", "Cp2", "Cp5", "Cp6", "Fc1", "Fc2", "Fc5", "Fc6")}
    return table | {f"{BIOSEMI}_{name}": xyz for name, xyz in biosemi.items()}
