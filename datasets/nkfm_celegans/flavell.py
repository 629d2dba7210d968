"""Worms of the Flavell lab: the HDF5 files of Dag et al. (2023), and JSON or HDF5 of Atanas et al. (2023)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError
from nkfm_celegans.labels import Labels, clean_labels
from nkfm_celegans.pipeline import RawWorm

DAG = "Dag et al. (2023), Dissecting the functional organization of the C. elegans serotonergic system, Cell 186, doi 10.1016/j.cell.2023.04.023"  # fmt: skip
ATANAS = "Atanas, Kim et al. (2023), Brain-wide representations of behavior spanning multiple timescales, Cell 186, doi 10.1016/j.cell.2023.07.035"  # fmt: skip

TRACES = "gcamp/traces_array_F_F20"
TIMES = "timing/timestamp_confocal"


def read_dag2023(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    worm: str = "worm0",
    traces: str = TRACES,
    reference: bool = False,
) -> RawWorm:
    """Read one worm of Dag et al. (2023).

    Parameters
    ----------
    path : path-like
        ``<uid>-data.h5``: traces (T, N), F over its 20th percentile, and times in seconds.
    labels : path-like, optional
        JSON ``{uid: [{"<trace, from 1>": {"label", "confidence", ...}}, ...]}``. Default: ``*NeuroPAL_labels*.json``
        beside the file, if there is one; without labels every trace is unlabelled.
    worm : str
    traces : str
        Which variant: ``gcamp/traces_array_F_F20``, ``gcamp/trace_array`` (z-scored), ``gcamp/trace_array_original``.
    reference : bool
        Labels as published; see `labels.clean_labels`.

    Returns
    -------
    RawWorm
        With the onsets of reversals, where the file has them.

    Raises
    ------
    DataError
        If the file or the labels are something else, naming what is missing.
    """
    path = Path(path)
    try:
        with h5py.File(path) as file:
            missing = [key for key in (traces, TIMES) if key not in file]
            if missing:
                raise DataError(f"{path} is no recording of Dag et al. (2023): it has no {' and no '.join(missing)}")
            values, time = file[traces][:], file[TIMES][:]
            reversal = file["behavior/reversal_vec"][:] if "behavior/reversal_vec" in file else None
    except OSError as err:
        raise DataError(f"{path} is no HDF5 file: {err}") from err
    if values.ndim != 2 or len(values) != len(time):
        raise DataError(f"{path}: {traces} has shape {values.shape}, {TIMES} {time.shape}; expected (T, N) and (T,)")
    uid = path.name.removesuffix("-data.h5").removeprefix("dag2023_")
    return RawWorm(
        time=np.asarray(time, dtype=np.float64),
        traces=values,
        labels=_dag_labels(path, labels, uid, values.shape[1], reference),
        source_dataset="Dag2023",
        worm=worm,
        file=str(path),
        citation=DAG,
        onsets={} if reversal is None else {"reversal": _rises(np.asarray(time, dtype=np.float64), reversal)},
    )


def read_flavell2023(path: str | os.PathLike[str], *, worm: str = "worm0", reference: bool = False) -> RawWorm:
    """Read one worm of Atanas, Kim et al. (2023), JSON or HDF5.

    Fields ``timestamp_confocal`` (T,), ``trace_array`` (neurons x time) and ``labeled`` {"<trace, from 1>": {"label"}}.

    Raises
    ------
    DataError
        If a field is missing, or a label belongs to no trace.
    """
    path = Path(path)
    try:
        content: Mapping[str, Any]
        if path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
        else:
            with h5py.File(path) as file:
                content = {k: _from_h5(v) for k, v in file.items()}
    except (OSError, ValueError) as err:
        raise DataError(f"{path} is neither JSON nor HDF5: {err}") from err
    missing = [k for k in ("timestamp_confocal", "trace_array") if not isinstance(content, Mapping) or k not in content]
    if missing:
        raise DataError(f"{path} is no recording of Atanas et al. (2023): it has no {' and no '.join(missing)}")
    time = np.asarray(content["timestamp_confocal"], dtype=np.float64).reshape(-1)
    traces = np.asarray(content["trace_array"], dtype=np.float64)
    traces = traces.T if traces.ndim == 2 and traces.shape[1] == len(time) else traces  # (T, N)
    labels = _numbered(path, content.get("labeled") or {}, traces.shape[-1], reference)
    return RawWorm(time=time, traces=traces, labels=labels, source_dataset="Flavell2023", worm=worm, file=str(path), citation=ATANAS)  # fmt: skip


def _dag_labels(path: Path, given: Any, uid: str, n: int, reference: bool) -> Labels:
    found = Path(given) if given is not None else next(iter(sorted(path.parent.glob("*NeuroPAL_labels*.json"))), None)
    if found is None:
        return Labels(tuple(map(str, range(n))), (f"no labels beside {path.name}; every trace is unlabelled",))
    try:
        table = json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise DataError(f"{found} holds no labels: {err}") from err
    if not isinstance(table, Mapping) or uid not in table:
        have = ", ".join(list(table)[:6]) if isinstance(table, Mapping) else type(table).__name__
        raise DataError(f"{found} has no labels of the recording {uid!r}; it has {have}")
    entry = table[uid][0] if isinstance(table[uid], list) else table[uid]
    return _numbered(found, entry, n, reference)


def _numbered(path: Path, entry: Mapping[str, Any], n: int, reference: bool) -> Labels:
    """Clean the labels of traces that are numbered from 1; where two claim a name, the first in the file is the first."""
    texts: list[object] = [None] * n
    confidence = [0.0] * n
    order = []
    for key, about in entry.items():
        number = int(key) - 1
        if not 0 <= number < n:
            raise DataError(f"{path}: a label for trace {key}; there are {n} traces, numbered from 1")
        texts[number] = about.get("label")
        order.append(number)
        confidence[number] = float(about.get("confidence") or 0)
    return clean_labels(texts, confidence=confidence, order=order, reference=reference)


def _rises(time: npt.NDArray[np.float64], flag: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    on = np.asarray(flag, dtype=float).reshape(-1) > 0
    return np.asarray(time[: len(on)][on & ~np.concatenate([[False], on[:-1]])])


def _from_h5(item: Any) -> Any:
    if isinstance(item, h5py.Group):
        return {k: _from_h5(v) for k, v in item.items()}
    value = item[()]
    return value.decode() if isinstance(value, bytes) else value
