"""The data sets: 912 worms of 12 laboratories' publications from the Hub, worms from files, and connectomes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from neurokit_fm import Dataset, Graph, Info, Recording
from neurokit_fm.errors import DataError
from nkfm_celegans import hub
from nkfm_celegans.annotations import ANNOTATIONS, NOT_SHIPPED, connectome
from nkfm_celegans.pipeline import PipelineConfig
from nkfm_celegans.recording import join_connectome, read_raw, worm_from_file

WORMS = {
    "Kato2015": (12, "Zimmer"), "Nichols2017": (44, "Zimmer"), "Skora2018": (12, "Zimmer"), "Kaplan2020": (19, "Zimmer"),
    "Nejatbakhsh2020": (21, "Samuel"), "Yemini2021": (49, "Hobert"), "Uzel2022": (6, "Zimmer"), "Dag2023": (7, "Flavell"),
    "Leifer2023": (103, "Leifer"), "Lin2023": (577, "Samuel"), "Flavell2023": (40, "Flavell"),
    "Venkatachalam2024": (22, "Venkatachalam"),
}  # fmt: skip
"""Worms and laboratory of each source data set (table of arXiv:2411.12091)."""

CITATION = (
    "Simeon, Kashyap, Kording & Boyden (2024), Homogenized C. elegans Neural Activity and Connectivity Data, "
    "arXiv:2411.12091; and the publications of the laboratories"
)


def celegans(
    files: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] | None = None,
    *,
    annotation: str = "cook2019",
    graph: Graph | None = None,
    field: str = "calcium_data",
    config: PipelineConfig | None = None,
    repo: str = hub.ACTIVITY_REPO,
    revision: str = "main",
    download: bool = False,
) -> Dataset:
    """Calcium traces of worms, each with a connectome whose nodes bear the same names.

    Parameters
    ----------
    files : path-like or sequence of path-like, optional
        Parquet files of the homogenised set (or a folder that holds some), or raw files of a laboratory, which go
        through the pipeline. Default: the set on the Hub.
    annotation : str
        Connectome to join; see `annotations.ANNOTATIONS`. Empty for none.
    graph : Graph, optional
        To join instead.
    field : str
        Which traces; see `recording.FIELDS` and `hub.read_worm`.
    config : PipelineConfig, optional
        Of the pipeline, for raw files.
    repo, revision : str
        On the Hub.
    download : bool
        Whether the set may be fetched when the first worm is opened; several gigabytes, cached from then on. To look at
        some worms without storing anything, see `hub.stream_worms`.

    Returns
    -------
    Dataset
        A row a worm: ``subject`` (data set and worm), ``source_dataset``, ``lab``, ``worm``. Signals ``calcium`` and
        ``connectome``.
    """
    wiring = graph if graph is not None else (connectome(annotation) if annotation else None)

    def joined(recording: Recording, row: dict[str, str]) -> Recording:
        recording = replace(recording, info=replace(recording.info, subject=row["subject"]))
        return recording if wiring is None else join_connectome(recording, wiring)

    if files is None:
        table = [_row(name, f"worm{i}", lab) for name, (count, lab) in WORMS.items() for i in range(count)]
        parquet = cache(lambda: hub.fetch(repo, ["*.parquet"], revision=revision, download=download))

        def open_row(row: int) -> Recording:
            return joined(hub.read_worm(parquet(), table[row]["source_dataset"], table[row]["worm"], field), table[row])

        return _dataset(table, open_row)
    paths = [Path(files)] if isinstance(files, str | os.PathLike) else [Path(f) for f in files]
    if len(paths) == 1 and paths[0].is_dir() and any(paths[0].rglob("*.parquet")):
        paths = sorted(paths[0].rglob("*.parquet"))
    if not paths:
        raise DataError("no files of worms given")
    if all(path.suffix == ".parquet" for path in paths):
        table = [_row(w["source_dataset"], w["worm"]) for w in hub.list_worms(paths)]

        def open_parquet(row: int) -> Recording:
            return joined(hub.read_worm(paths, table[row]["source_dataset"], table[row]["worm"], field), table[row])

        return _dataset(table, open_parquet)
    places = [(path, number, worm) for path in paths for number, worm in enumerate(read_raw(path))]
    table = [
        _row(worm.source_dataset, worm.worm if len(paths) == 1 else f"{path.stem}-{worm.worm}")
        for path, _, worm in places
    ]

    def open_raw(row: int) -> Recording:
        path, number, _ = places[row]
        return joined(worm_from_file(path, config=config, field=field, annotation="", row=number), table[row])

    return _dataset(table, open_raw)


def connectomes(names: Sequence[str] = ()) -> Dataset:
    """Connectomes of C. elegans over the 300 neurons, each a Recording with one Graph, offline.

    Parameters
    ----------
    names : sequence of str
        Annotations; default: all that come with the package.

    Returns
    -------
    Dataset
        A row an annotation: ``subject`` (its name), ``annotation``, ``summary``.
    """
    chosen = list(names) or [name for name in ANNOTATIONS if name not in NOT_SHIPPED]
    table = [
        {"subject": name, "session": "1", "annotation": name, "summary": ANNOTATIONS[name].summary} for name in chosen
    ]

    def open_row(row: int) -> Recording:
        about = ANNOTATIONS[chosen[row]]
        info = Info(
            source=chosen[row],
            subject=chosen[row],
            session="1",
            licence="MIT",
            citation=about.citation,
            facts={"provenance": "files of the package cect, kept as a table of edges"},
        )
        return Recording(signals={"connectome": connectome(chosen[row])}, info=info)

    return Dataset(
        name="celegans-connectomes",
        table=table,
        open=open_row,
        licence="MIT (of the package cect, whose files they were made from; cite the publication of each)",
        citation="White et al. (1986); Varshney et al. (2011); Bentley et al. (2016); Cook et al. (2019); Witvliet et al. "
        "(2021); Randi et al. (2023); each recording has its own",
        summary="Connectomes of C. elegans over 300 named neurons",
    )


def _row(source: str, worm: str, lab: str = "") -> dict[str, str]:
    lab = lab or WORMS.get(source, (0, "unknown"))[1]
    return {"subject": f"{source}-{worm}", "session": "1", "source_dataset": source, "lab": lab, "worm": worm}


def _dataset(table: list[dict[str, str]], open_row: object) -> Dataset:
    return Dataset(
        name="celegans",
        table=table,
        open=open_row,  # type: ignore[arg-type]
        licence="MIT (as tagged on the Hub; the laboratories published the recordings under terms of their own)",
        citation=CITATION,
        summary="Calcium traces of C. elegans, with a connectome that bears the same names",
    )
