"""Facts about a whole recording: filters, transforms, device, date, and what its file name says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

_ENTITIES = {"sub": "subject", "ses": "session", "task": "task", "run": "run"}


def bids_entities(path: Path) -> dict[str, str]:
    """Subject, session, task and run of a BIDS-like file name.

    Examples
    --------
    >>> bids_entities(Path("sub-01_ses-02_task-rest_run-1_eeg.edf"))
    {'subject': '01', 'session': '02', 'task': 'rest', 'run': '1'}
    """
    found = re.findall(r"(?:^|_)(sub|ses|task|run)-([A-Za-z0-9]+)", path.name)
    return {_ENTITIES[key]: value for key, value in found}


def facts(info: Any) -> dict[str, Any]:
    """JSON-able facts of an `mne.Info`.

    Returns
    -------
    dict
        ``highpass, lowpass, line_freq`` (Hz or None), ``dev_head_t`` (4x4 rows or None), ``custom_ref_applied``,
        ``device_info``, ``fiducials`` (which of nasion, lpa, rpa are digitised), ``n_dig``, ``projs`` (description and
        whether applied), ``n_comps`` and ``meas_date`` (ISO 8601 or None).
    """
    to_head, device, date, dig = info["dev_head_t"], info["device_info"], info["meas_date"], info["dig"] or ()
    cardinal = {1: "lpa", 2: "nasion", 3: "rpa"}
    return {
        "highpass": _number(info["highpass"]),
        "lowpass": _number(info["lowpass"]),
        "line_freq": _number(info["line_freq"]),
        "dev_head_t": None if to_head is None else np.asarray(to_head["trans"], dtype=float).tolist(),
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
