"""What a laboratory's channel label means: which 10-05 electrode, which pair of them, or which other organ.

Labels are only interpreted here; a cap's own numbering (``A1`` of BioSemi, ``E1`` of EGI) is a matter of `positions`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from nkfm_mne.caps import ten_five_names

_PREFIX = re.compile(r"^(EEG|POL)[\s_:-]+", re.IGNORECASE)
_REFERENCE = re.compile(r"[\s_-]+(REF\d*|LE|AVG?|CAR|AR|\(?[AM]1\s*\+?\s*[AM]2\)?(/2)?)$", re.IGNORECASE)
_OTHER_ORGANS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"(^|[^A-Z])[HVLR]?EOG|^[HV]EO[LRUD]?\d*$|^[LR]OC$", "eog"),
        (r"(^|[^A-Z])(ECG|EKG)", "ecg"),
        (r"(^|[^A-Z])[LR]?EMG", "emg"),
        (r"^(STATUS|TRIG(GER)?S?|STIM?|EVENT|MARKER|EVENT MARKER)[ _-]?\d*$", "stim"),
        (r"^(EXG|GSR|RESP|PLET|TEMP|ERG|ANA|SAO2|SPO2|PHOTIC|IBI|BURSTS|SUPPR|DC)[ _-]?\d*($|\s)", "misc"),
    )
)


def bare(name: str) -> str:
    """Return the label without ``EEG``/``POL`` before it, the reference behind it and trailing dots.

    Examples
    --------
    >>> bare("EEG FP1-REF"), bare("Fc5."), bare("POL T3"), bare("EEG Fpz-Cz")
    ('FP1', 'Fc5', 'T3', 'Fpz-Cz')
    """
    label = _PREFIX.sub("", name.strip()).strip().rstrip(".")
    return _REFERENCE.sub("", label).strip().rstrip(".") or name.strip()


def electrode(name: str) -> str | None:
    """Return the 10-05 electrode a label means, in its usual spelling; None if it means none.

    Old names stay what the laboratory called them: ``T3`` is ``T3``, though it is the place of ``T7``.

    Examples
    --------
    >>> electrode("EEG FP1-LE"), electrode("POZ"), electrode("T3"), electrode("17")
    ('Fp1', 'POz', 'T3', None)
    """
    return ten_five_names().get(bare(name).lower())


def pair(name: str) -> tuple[str, str] | None:
    """Return both electrodes of a bipolar derivation, or None.

    Examples
    --------
    >>> pair("EEG FP1-F7"), pair("Fp1"), pair("Fp1-X3")
    (('Fp1', 'F7'), None, None)
    """
    ends = bare(name).split("-")
    if len(ends) != 2:
        return None
    first, second = (ten_five_names().get(end.strip().lower()) for end in ends)
    return (first, second) if first and second else None


def other_kind(name: str) -> str | None:
    """Return ``eog, ecg, emg, stim`` or ``misc`` for a label that plainly is no brain electrode, else None.

    ``misc`` are BioSemi's external sockets (``EXG1``) and pulse, breath, temperature and marker channels.

    Examples
    --------
    >>> [other_kind(x) for x in ("EOG1", "EEG EKG1-REF", "Status", "EXG3", "Cz", "12")]
    ['eog', 'ecg', 'stim', 'misc', None, None]
    """
    label = bare(name).upper()
    return next((kind for pattern, kind in _OTHER_ORGANS if pattern.search(label)), None)


def clean_names(names: Sequence[str]) -> tuple[str, ...]:
    """Spell known electrodes (and pairs of them) the usual way and leave every other label as it is.

    A label whose clean spelling would collide with another channel's keeps its own spelling.

    Examples
    --------
    >>> clean_names(["EEG FP1-REF", "CZ", "EEG 12", "X"])
    ('Fp1', 'Cz', 'EEG 12', 'X')
    >>> clean_names(["FP1", "EEG Fp1"])
    ('FP1', 'EEG Fp1')
    """
    wanted = [_spelling(name) for name in names]
    taken = Counter(wanted) + Counter(n for n, w in zip(names, wanted, strict=True) if n != w)
    return tuple(w if taken[w] == 1 else n for n, w in zip(names, wanted, strict=True))


def _spelling(name: str) -> str:
    both = pair(name)
    return "-".join(both) if both else electrode(name) or name
