"""Worms in text, CSV and NWB: Leifer et al. (2023), Venkatachalam (2024), Nejatbakhsh et al. (2020)."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError
from nkfm_celegans.labels import Labels, class_labels, clean_labels
from nkfm_celegans.pipeline import RawWorm
from nkfm_celegans.smoothing import fill_gaps

LONGEST_GAP = 0.05
"""Leifer: a trace with a gap longer than this share of the recording is dropped."""

STRAIGHT = 0.001
"""Leifer: a trace in which more than this share of windows is a straight line is dropped."""

WINDOW, STRIDE = 50, 25

VENKATACHALAM_DT_S = 0.375
FIRST_SAMPLE, LAST_SAMPLE = 107, -2
"""Columns of Venkatachalam's tables that are samples."""

NWB_TRACES = "processing/CalciumActivity/SignalRawFluor/SignalCalciumImResponseSeries/data"
NWB_RATE_HZ = 4.0


def read_leifer2023(folder: str | os.PathLike[str], number: int | None = None) -> list[RawWorm]:
    """Read worms of Randi et al. (2023, Leifer lab): ``<i>_gcamp.txt``, ``<i>_labels.txt``, ``<i>_t.txt`` in one folder.

    Traces are (T, N), whitespace between numbers; one label, one time a line. Dropped are traces with a gap longer than
    5 % of the recording, and, gaps filled, those in which more than 0.1 % of 50-sample windows are straight lines.

    Raises
    ------
    DataError
        If the folder has no such files, or one of three is missing.
    """
    folder = Path(folder)
    numbers = sorted({int(p.name.partition("_")[0]) for p in folder.glob("*_gcamp.txt") if p.name.partition("_")[0].isdigit()})  # fmt: skip
    numbers = [n for n in numbers if number is None or n == number]
    if not numbers:
        raise DataError(f"{folder} has no files such as {number if number is not None else 0}_gcamp.txt")
    worms = []
    for n in numbers:
        parts = {what: folder / f"{n}_{what}.txt" for what in ("gcamp", "labels", "t")}
        missing = [path.name for path in parts.values() if not path.is_file()]
        if missing:
            raise DataError(f"{folder} has no {', '.join(missing)}")
        try:
            x, t = np.loadtxt(parts["gcamp"], ndmin=2), np.loadtxt(parts["t"], ndmin=1)
        except ValueError as err:
            raise DataError(f"{folder}: worm {n} is no table of numbers: {err}") from err
        labels = class_labels(parts["labels"].read_text(encoding="utf-8").split("\n")[: x.shape[1]] + [""] * x.shape[1])
        names, repairs = list(labels.names[: x.shape[1]]), list(labels.repairs)
        keep = ~(longest_gap(x) > LONGEST_GAP * len(x))
        keep[keep] = straightness(fill_gaps(x[:, keep])) <= STRAIGHT
        if not keep.all():
            gone = [name for name, k in zip(names, keep, strict=True) if not k]
            repairs.append(f"{len(gone)} traces with long gaps or straight stretches dropped: {', '.join(gone[:8])}")
        kept = tuple(name for name, k in zip(names, keep, strict=True) if k)
        worms.append(RawWorm(time=t, traces=x[:, keep], labels=Labels(kept, tuple(repairs)), source_dataset="Leifer2023", worm=f"worm{n}", file=str(parts["gcamp"])))  # fmt: skip
    return worms


def longest_gap(x: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Longest run of samples that are not finite, of each trace (T, N)."""
    run = np.zeros(x.shape[1], dtype=np.int64)
    longest = run.copy()
    for bad in ~np.isfinite(x):
        run = np.where(bad, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def straightness(x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Share of 50-sample windows, 25 apart, whose steps are all equal to three decimals, of each trace (T, N)."""
    starts = range(0, max(1, len(x) - WINDOW + 1), STRIDE)
    lines = [(np.ptp(np.round(np.diff(x[a : a + WINDOW], axis=0), 3), axis=0) == 0) for a in starts]
    return np.asarray(np.mean(lines, axis=0), dtype=np.float64)


def read_venkatachalam2024(path: str | os.PathLike[str]) -> list[RawWorm]:
    """Read Venkatachalam's zip of CSV tables: a worm a table, a neuron a row, column ``neuron``, 0.375 s a sample.

    Columns 107 to the last but two are samples.

    Raises
    ------
    DataError
        If it is no zip, or a table has no column ``neuron``.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            tables = {n: archive.read(n).decode("utf-8-sig") for n in sorted(archive.namelist()) if n.endswith(".csv")}
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as err:
        raise DataError(f"{path} is no zip of CSV tables: {err}") from err
    if not tables:
        raise DataError(f"{path} holds no CSV table")
    worms = []
    for number, (name, text) in enumerate(tables.items()):
        header, *rows = list(csv.reader(io.StringIO(text)))
        if "neuron" not in header or len(header) <= FIRST_SAMPLE - LAST_SAMPLE:
            raise DataError(f"{path}: {name} has {len(header)} columns and {'a' if 'neuron' in header else 'no'} column 'neuron'")  # fmt: skip
        x = np.array([[float(c) if c else np.nan for c in row[FIRST_SAMPLE:LAST_SAMPLE]] for row in rows]).T  # (T, N)
        labels = clean_labels([row[header.index("neuron")] for row in rows])
        worms.append(
            RawWorm(
                time=VENKATACHALAM_DT_S * np.arange(len(x)),
                traces=x,
                labels=labels,
                source_dataset="Venkatachalam2024",
                worm=f"worm{number}",
                file=f"{path}:{name}",
            )
        )
    return worms


def read_nejatbakhsh2020(path: str | os.PathLike[str], *, worm: str = "worm0") -> RawWorm:
    """Read one NWB file of Nejatbakhsh et al. (2020): traces (T, N) at 4 Hz, labels in a data set ``NeuronIDs``.

    NWB is HDF5, and is read as such. The rate is the file's own where it gives one.

    Raises
    ------
    DataError
        If traces or labels are missing.
    """
    path = Path(path)
    try:
        with h5py.File(path) as file:
            if NWB_TRACES not in file:
                raise DataError(f"{path} has no {NWB_TRACES}")
            data = file[NWB_TRACES]
            x = np.asarray(data[:], dtype=np.float64)
            series = data.parent
            stamps = np.asarray(series["timestamps"][:], dtype=np.float64) if "timestamps" in series else None
            rate = float(series["starting_time"].attrs["rate"]) if "starting_time" in series else NWB_RATE_HZ
            ids: list[Any] = []
            file["processing/CalciumActivity"].visititems(lambda name, item: ids.append(item) if name.endswith("NeuronIDs") or "/NeuronIDs/" in f"/{name}/" else None)  # fmt: skip
            texts = next((v for v in (_strings(item) for item in ids) if len(v) == x.shape[-1]), None)
    except OSError as err:
        raise DataError(f"{path} is no NWB file: {err}") from err
    if texts is None:
        raise DataError(f"{path} has no NeuronIDs with a label for each of {x.shape[-1]} traces")
    time = stamps if stamps is not None else np.arange(len(x)) / rate
    return RawWorm(time=time, traces=x, labels=clean_labels(texts), source_dataset="Nejatbakhsh2020", worm=worm, file=str(path))  # fmt: skip


def _strings(item: Any) -> list[str]:
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "OSU":
        return []
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(item[()]).reshape(-1)]
