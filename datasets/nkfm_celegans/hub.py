"""The homogenised set on the Hub: parquet files, one row a neuron, in either of the published column layouts.

Columns are taken by name; all but `NEEDED` may be missing. Files are fetched once into the Hub's cache, or read through
the network one row group at a time.
"""

from __future__ import annotations

import ast
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm import Graph, Info, Recording, TimeSeries
from neurokit_fm.errors import DataError, UnknownName, need
from nkfm_celegans.labels import clean_labels
from nkfm_celegans.neurons import neuron_channels
from nkfm_celegans.wiring import Contact, homogenise

ACTIVITY_REPO = "qsimeon/celegans_neural_data"
CONNECTOME_REPO = "qsimeon/celegans_connectome_data"

NEEDED = ("source_dataset", "worm", "neuron", "calcium_data", "time_in_seconds")
"""Columns without which a row means nothing."""


def fetch(
    repo: str, patterns: Sequence[str], *, revision: str = "main", token: str | None = None, download: bool = True
) -> list[Path]:
    """Fetch files of a data set into the Hub's cache (or find them there) and return their paths, sorted.

    Parameters
    ----------
    repo : str
    patterns : sequence of str
        Of file names.
    revision : str
    token : str, optional
    download : bool
        False: only what is in the cache already.

    Raises
    ------
    DataError
        If they are not in the cache and must not or cannot be downloaded, or the repository has no such file.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        folder = Path(
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=revision,
                allow_patterns=list(patterns),
                token=token,
                local_files_only=not download,
            )
        )
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as err:
        how = f"could not be downloaded ({type(err).__name__})" if download else "is large"
        raise DataError(
            f"the data set {repo}@{revision} is not in the local cache and {how}; call celegans(download=True) while "
            "connected, or give the parquet or raw files you have: celegans(files=...)"
        ) from err
    found = sorted(path for pattern in patterns for path in folder.rglob(pattern) if path.is_file())
    if not found:
        raise DataError(f"the data set {repo}@{revision} has no file {' or '.join(patterns)}")
    return found


def list_worms(files: Sequence[str | os.PathLike[str]]) -> list[dict[str, str]]:
    """Every worm of parquet files: ``source_dataset``, ``worm``, in the order of the files.

    Raises
    ------
    DataError
        If a file is no parquet file, or a needed column is missing.
    """
    seen: dict[tuple[str, str], None] = {}
    for path in files:
        columns = _file(path).read(columns=["source_dataset", "worm"]).to_pydict()
        seen.update(dict.fromkeys(zip(columns["source_dataset"], columns["worm"], strict=True)))
    return [{"source_dataset": source, "worm": worm} for source, worm in seen]


def read_worm(files: Sequence[str | os.PathLike[str]], source_dataset: str, worm: str, field: str = "calcium_data") -> Recording:  # fmt: skip
    """Read one worm from parquet files; only its rows and the columns needed are decoded.

    Parameters
    ----------
    files : sequence of path-like
    source_dataset, worm : str
        Unique together.
    field : str
        Column of traces: ``calcium_data`` or any other that is there and goes with ``time_in_seconds``.

    Raises
    ------
    DataError
        If a needed column is missing, lengths disagree, times do not ascend or every trace is broken.
    UnknownName
        If there is no such worm or column.
    """
    parquet = need("pyarrow.parquet", "reading parquet files", extra="celegans")
    rows: list[dict[str, Any]] = []
    for path in files:
        columns = _columns(path, field)
        match = [("source_dataset", "=", source_dataset), ("worm", "=", worm)]
        rows += parquet.read_table(os.fspath(path), columns=columns, filters=match).to_pylist()
    if not rows:
        raise UnknownName(f"no worm {worm!r} of {source_dataset!r} in {len(files)} files; `list_worms` lists them")
    return recording_of(rows, field)


def stream_worms(
    repo: str = ACTIVITY_REPO,
    *,
    revision: str = "main",
    token: str | None = None,
    endpoint: str | None = None,
    field: str = "calcium_data",
) -> Iterator[Recording]:
    """Read worm after worm through the network, a row group at a time, without storing anything.

    Rows of a worm must follow each other, as they do in the published files.

    Raises
    ------
    DataError
        If a file has no parquet layout, or a needed column is missing.
    """
    from huggingface_hub import HfFileSystem

    parquet = need("pyarrow.parquet", "reading parquet files", extra="celegans")
    files = HfFileSystem(token=token, endpoint=endpoint)
    paths = sorted(p for p in files.find(f"datasets/{repo}@{revision}") if p.endswith(".parquet"))
    if not paths:
        raise DataError(f"the data set {repo}@{revision} has no parquet file")
    for path in paths:
        with files.open(path) as handle:
            source = parquet.ParquetFile(handle)
            columns = _chosen(path, source.schema_arrow.names, field)
            kept: list[dict[str, Any]] = []
            for group in range(source.num_row_groups):
                for row in source.read_row_group(group, columns=columns).to_pylist():
                    if kept and _key(kept[0]) != _key(row):
                        yield recording_of(kept, field)
                        kept = []
                    kept.append(row)
            if kept:
                yield recording_of(kept, field)


def recording_of(rows: Sequence[Mapping[str, Any]], field: str = "calcium_data") -> Recording:
    """Make a Recording of the rows of one worm.

    Neurons are told from numbered traces by their names; the columns ``slot`` and ``is_labeled_neuron`` are not needed
    (a slot means nothing for a numbered trace). The step is that of the whole recording: published times went through
    float16, which has steps of 0.5 s beyond 512 s.
    """
    source, worm = _key(rows[0])
    title = f"{source}-{worm}"
    lengths = {len(row[field]) for row in rows}
    times = np.asarray(rows[0]["time_in_seconds"], dtype=np.float64)
    if lengths != {len(times)} or len(times) < 2:
        raise DataError(f"{title}: traces of {sorted(lengths)} samples, {len(times)} times")
    if not np.isfinite(times).all() or (np.diff(times) < 0).any() or times[-1] <= times[0]:
        raise DataError(f"{title}: times do not ascend; the first descends at sample {int(np.argmax(np.diff(times) < 0)) + 1}")  # fmt: skip
    data = np.array([row[field] for row in rows], dtype=np.float32)  # (N, T)
    broken = ~np.isfinite(data).all(axis=1)
    if broken.all():
        raise DataError(f"{title}: every trace holds values that are not finite")
    found = clean_labels([row["neuron"] for row in rows])
    given = [str(row["neuron"]) for row in rows]
    names = [n if not n.isdigit() else (g if g.isdigit() else f"{g}#{i}") for i, (n, g) in enumerate(zip(found.names, given, strict=True))]  # fmt: skip
    names = [n if names.index(n) == i else f"{n}#{i}" for i, n in enumerate(names)]
    keep = np.flatnonzero(~broken)
    repairs = [*found.repairs]
    if broken.any():
        repairs.append(f"{int(broken.sum())} traces with values that are not finite dropped: {', '.join(np.array(names)[broken][:8])}")  # fmt: skip
    methods = [f"{key.replace('_', ' ')}: {rows[0][key]}" for key in _METHODS if rows[0].get(key)]
    series = TimeSeries(
        data=data[keep],
        sfreq=(len(times) - 1) / float(times[-1] - times[0]),
        channels=neuron_channels([names[i] for i in keep]),
        modality="calcium",
    )
    return Recording(
        signals={"calcium": series},
        info=Info(
            source=str(rows[0].get("raw_data_file") or title),
            subject=title,
            session="1",
            task=source,
            licence="MIT",
            steps=(f"homogenised by {ACTIVITY_REPO} ({field})", *methods, *repairs),
        ),
    )


def read_consensus(path: str | os.PathLike[str]) -> Graph:
    """Read a consensus connectome of the Hub: CSV with ``from_neuron, to_neuron, mean_gap_weight, mean_chem_weight``.

    Raises
    ------
    DataError
        If a column is missing, or no row joins two neurons.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        needed = ("from_neuron", "to_neuron", "mean_gap_weight", "mean_chem_weight")
        missing = [c for c in needed if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}")
        kinds = {"mean_gap_weight": "gap-junction", "mean_chem_weight": "chemical", "functional_weight": "functional"}
        contacts = [
            Contact(row["from_neuron"], row["to_neuron"], kind, float(row[column]))
            for row in reader
            for column, kind in kinds.items()
            if row.get(column) not in (None, "", "nan", "None")
        ]
    return homogenise(contacts)


def read_sources(cell: str) -> tuple[str, ...]:
    """Parse the column ``data_sources`` of a consensus file, the text of a Python list; nothing is evaluated.

    Examples
    --------
    >>> read_sources("['cook2019', 'white1986_whole']")
    ('cook2019', 'white1986_whole')
    """
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError) as err:
        raise DataError(f"data_sources is no list: {cell!r}") from err
    return tuple(map(str, found))


def read_graph_tensors(path: str | os.PathLike[str]) -> Graph:
    """Read ``graph_tensors_<name>.pt`` of the Hub, weights only: nothing in it is run.

    ``x`` is uninitialised memory in the published files and never looked at.

    Raises
    ------
    DataError
        If it is no such file.
    """
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        edges, weights = content["edge_index"].numpy(), content["edge_attr"].numpy()
        label = content["node_label"]
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as err:
        raise DataError(f"{path} holds no graph tensors: {type(err).__name__}: {err}") from err
    rows = np.flatnonzero((weights != 0).any(axis=1))
    kinds = ("gap-junction", "chemical")
    return homogenise(
        Contact(str(label[int(edges[0, i])]), str(label[int(edges[1, i])]), kinds[k], float(weights[i, k]))
        for i in rows
        for k in (0, 1)
        if weights[i, k]
    )


_METHODS = ("smooth_method", "interpolate_method", "normalization_method")


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["source_dataset"]), str(row["worm"])


def _file(path: str | os.PathLike[str]) -> Any:
    parquet, arrow = need("pyarrow.parquet", "reading parquet files", extra="celegans"), need("pyarrow", "reading parquet files", extra="celegans")  # fmt: skip
    try:
        file = parquet.ParquetFile(os.fspath(path))
    except (arrow.ArrowException, OSError) as err:
        raise DataError(f"{path} is no parquet file: {err}") from err
    missing = [c for c in NEEDED if c not in file.schema_arrow.names]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; it has {', '.join(file.schema_arrow.names)}")
    return file


def _columns(path: str | os.PathLike[str], field: str) -> list[str]:
    return _chosen(path, _file(path).schema_arrow.names, field)


def _chosen(path: str | os.PathLike[str], have: Sequence[str], field: str) -> list[str]:
    missing = [c for c in NEEDED if c not in have]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; it has {', '.join(have)}")
    if field not in have:
        raise UnknownName(f"{path} has no column {field!r}; traces are in one of {', '.join(c for c in have if 'calcium' in c)}")  # fmt: skip
    return [*dict.fromkeys((*NEEDED, field, *(c for c in (*_METHODS, "raw_data_file") if c in have)))]
