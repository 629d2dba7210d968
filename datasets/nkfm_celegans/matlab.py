"""Worms published as MATLAB files: the Zimmer lab (v7.3), Yemini et al. (2021) and Lin et al. (2023) (v5)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError, need
from nkfm_celegans.labels import clean_labels, sided_labels
from nkfm_celegans.pipeline import RawWorm

ZIMMER_FILES = {
    "Kato2015": ("WT_Stim", "WT_NoStim"),
    "Nichols2017": ("n2_let", "n2_prelet", "npr1_let", "npr1_prelet"),
    "Skora2018": ("WT_fasted", "WT_starved"),
    "Kaplan2020": ("MNhisCl_RIShisCl_Neuron2019", "RIShisCl_Neuron2019", "SMDhisCl_RIShisCl_Neuron2019"),
    "Uzel2022": ("Uzel_WT",),
}
"""Name of the struct in the file, for each data set."""

FIELDS = {
    "labels": ("IDs", "NeuronNames", "neuron_ID"),
    "traces": ("deltaFOverF_bc", "traces", "traces_bleach_corrected"),
    "time": ("timeVectorSeconds", "tv", "time_vector"),
}

YEMINI_DROPPED = 4
"""Samples at the start of each recording of Yemini et al. (2021) that are dropped."""


def read_zimmer(path: str | os.PathLike[str], *, reference: bool = False) -> list[RawWorm]:
    """Read the worms of one file of the Zimmer lab: Kato 2015, Nichols 2017, Skora 2018, Kaplan 2020, Uzel 2022.

    A struct named as in `ZIMMER_FILES` whose fields hold one cell a worm: labels (text, candidates or empty), traces
    (T, N), times (T,).

    Raises
    ------
    DataError
        If there is no such struct, or a field is missing.
    """
    path = Path(path)
    content = _load(path)
    names = {struct: dataset for dataset, structs in ZIMMER_FILES.items() for struct in structs}
    found = next((struct for struct in names if isinstance(content.get(struct), Mapping)), None)
    if found is None:
        raise DataError(f"{path} holds {', '.join(content) or 'nothing'}; expected a struct {', '.join(names)}")
    struct = content[found]
    chosen = {what: next((f for f in fields if f in struct), "") for what, fields in FIELDS.items()}
    missing = [" or ".join(FIELDS[what]) for what, field in chosen.items() if not field]
    if missing:
        raise DataError(f"{path}: {found} has no field {' and no '.join(missing)}; it has {', '.join(struct)}")
    traces, times, labels = (_each(struct[chosen[what]], 2 if what == "traces" else 1) for what in ("traces", "time", "labels"))  # fmt: skip
    if not len(traces) == len(times):
        raise DataError(f"{path}: {len(traces)} worms with traces, {len(times)} with times")
    if len(traces) == 1 and len(labels) != 1:
        labels = [labels]
    if len(labels) != len(traces):
        raise DataError(f"{path}: {len(traces)} worms with traces, {len(labels)} with labels")
    worms = []
    for number, (x, t, names_of) in enumerate(zip(traces, times, labels, strict=True)):
        values, clock = _upright(path, x, t)
        texts = [_text(label) for label in np.atleast_1d(np.asarray(names_of, dtype=object))[: values.shape[1]]]
        texts += [None] * (values.shape[1] - len(texts))
        worms.append(
            RawWorm(
                time=clock,
                traces=values,
                labels=clean_labels(texts, reference=reference),
                source_dataset=names[found],
                worm=f"worm{number}",
                file=f"{path}[{number}]",
            )
        )
    return worms


def read_yemini2021(path: str | os.PathLike[str]) -> list[RawWorm]:
    """Read the worms of one file of Yemini et al. (2021): ``fps, files, neurons, is_L, norm_traces``.

    ``norm_traces`` holds one cell a neuron with one trace a worm (a row of one each); the first four samples are dropped.

    Raises
    ------
    DataError
        If a field is missing or the numbers of worms disagree.
    """
    path = Path(path)
    content = _load(path)
    missing = [f for f in ("fps", "neurons", "is_L", "norm_traces") if f not in content]
    if missing:
        raise DataError(f"{path} has no field {', '.join(missing)}; it has {', '.join(content) or 'nothing'}")
    classes = [_text(n) for n in np.atleast_1d(np.asarray(content["neurons"], dtype=object))]
    sides = np.atleast_1d(np.asarray(content["is_L"], dtype=object))
    cells = [np.atleast_1d(np.asarray(c, dtype=object)) if not _is_trace(c) else np.array([c, None], dtype=object)[:1] for c in content["norm_traces"]]  # fmt: skip
    fps = np.atleast_1d(np.asarray(content["fps"], dtype=np.float64))
    counts = {len(c) for c in cells}
    if len(counts) != 1 or len(cells) != len(classes):
        raise DataError(f"{path}: {len(classes)} neurons, {len(cells)} cells of traces for {sorted(counts)} worms")
    worms = []
    for number in range(counts.pop()):
        columns = [np.asarray(c[number], dtype=np.float64).reshape(-1) for c in cells]
        length = max(map(len, columns))
        x = np.stack([c if len(c) == length else np.full(length, np.nan) for c in columns], axis=1)[YEMINI_DROPPED:]
        worms.append(
            RawWorm(
                time=np.arange(len(x)) / fps[min(number, len(fps) - 1)],
                traces=x,
                labels=sided_labels(classes, list(sides)),
                source_dataset="Yemini2021",
                worm=f"worm{number}",
                file=f"{path}[{number}]",
            )
        )
    return worms


def read_lin2023(path: str | os.PathLike[str], *, worm: str = "worm0") -> RawWorm | None:
    """Read one worm of Lin et al. (2023): ``use_flag, proofread_neurons, times, corrected_F, F_0``; None if not to be used.

    Sample 0 of each trace is replaced by F_0.
    """
    path = Path(path)
    content = _load(path)
    missing = [f for f in ("proofread_neurons", "times", "corrected_F", "F_0") if f not in content]
    if missing:
        raise DataError(f"{path} has no field {', '.join(missing)}; it has {', '.join(content) or 'nothing'}")
    if not np.all(np.asarray(content.get("use_flag", 1), dtype=float)):
        return None
    times: Any = content["times"]
    times = next(iter(times.values())) if isinstance(times, Mapping) else times
    x, t = _upright(path, content["corrected_F"], times)
    x = x.copy()
    x[0] = np.asarray(content["F_0"], dtype=np.float64).reshape(-1)
    labels = [_text(n) for n in np.atleast_1d(np.asarray(content["proofread_neurons"], dtype=object))]
    return RawWorm(time=t, traces=x, labels=clean_labels(labels), source_dataset="Lin2023", worm=worm, file=str(path))


def _load(path: Path) -> dict[str, Any]:
    pymatreader = need("pymatreader", "reading MATLAB files", extra="formats")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        content = pymatreader.read_mat(path)
    except Exception as err:  # scipy and h5py raise whatever they meet in a broken file
        raise DataError(f"{path} is no MATLAB file: {type(err).__name__}: {err}") from err
    return {key: value for key, value in content.items() if not key.startswith("__")}


def _each(field: Any, dims: int) -> list[Any]:
    """One item a worm: a list stays, a single array becomes a list of one."""
    if isinstance(field, np.ndarray) and field.dtype != object and field.ndim <= dims:
        return [field]
    return list(field)


def _upright(path: Path, x: Any, t: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Traces (T, N) and times (T,), whichever way round they were stored."""
    values, clock = np.atleast_2d(np.asarray(x, dtype=np.float64)), np.asarray(t, dtype=np.float64).reshape(-1)
    if len(values) != len(clock):
        values = values.T
    if len(values) != len(clock):
        raise DataError(f"{path}: traces of shape {values.T.shape} for {len(clock)} times")
    return values, clock


def _is_trace(cell: Any) -> bool:
    return isinstance(cell, np.ndarray) and cell.dtype != object


def _text(label: Any) -> Any:
    """Text, the candidates of a cell, or None for an empty one."""
    if isinstance(label, str):
        return label
    if isinstance(label, np.ndarray | list | tuple):
        return [_text(item) for item in label]
    return None if label is None or (isinstance(label, float) and not np.isfinite(label)) else str(label)
