"""Facts about a whole recording: filters, transforms, device, date, and what its file name says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np


def bids_entities(path: Path) -> dict[str, str]:
    """Subject, session, task and run of a BIDS-like file name, as far as it says them.

    Examples
    --------
    >>> bids_entities(Path("sub-01_ses-02_task-rest_run-1_eeg.edf"))
    {'sub': '01', 'ses': '02', 'task': 'rest', 'run': '1'}
    """
    return dict(re.findall(r"(?:^|_)(sub|ses|task|run)-([A-Za-z0-9]+)", path.name))


def facts(info: Any) -> dict[str, Any]:
    """JSON-able facts of an `mne.Info`.

    Returns
    -------
    dict
        ``highpass, lowpass, line_freq`` (Hz or None), ``dev_head_t`` (4x4 rows; None where it is missing or the identity,
        which is what MNE fills in when nothing is known), ``custom_ref_applied``, ``device_info``, ``fiducials`` (which of nasion, lpa, rpa are digitised), ``n_dig``, ``projs`` (description and
        whether applied), ``n_comps`` and ``meas_date`` (ISO 8601 or None).
    """
    to_head, device, date, dig = info["dev_head_t"], info["device_info"], info["meas_date"], info["dig"] or ()
    cardinal = {1: "lpa", 2: "nasion", 3: "rpa"}
    return {
        "highpass": _number(info["highpass"]),
        "lowpass": _number(info["lowpass"]),
        "line_freq": _number(info["line_freq"]),
        "dev_head_t": None if to_head is None else _placed(to_head["trans"]),
        "custom_ref_applied": bool(info["custom_ref_applied"]),
        "device_info": None if device is None else {str(k): str(v) for k, v in device.items()},
        "fiducials": [cardinal[int(point["ident"])] for point in dig if int(point["kind"]) == 1],
        "n_dig": len(dig),
        "projs": [{"desc": str(proj["desc"]), "active": bool(proj["active"])} for proj in info["projs"]],
        "n_comps": len(info["comps"]),
        "meas_date": None if date is None else date.isoformat(),
    }


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _placed(transform: Any) -> list[list[float]] | None:
    matrix = np.asarray(transform, dtype=np.float64)
    return None if np.array_equal(matrix, np.eye(4)) else matrix.tolist()
