"""Worms as Recordings, and the join of traces with a connectome on names."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurokit_fm import Events, Graph, Info, Recording, TimeSeries
from neurokit_fm.errors import DataError, NkfmError
from nkfm_celegans.annotations import connectome
from nkfm_celegans.flavell import read_dag2023, read_flavell2023
from nkfm_celegans.formats import read_leifer2023, read_nejatbakhsh2020, read_venkatachalam2024
from nkfm_celegans.matlab import read_lin2023, read_yemini2021, read_zimmer
from nkfm_celegans.neurons import neuron_channels
from nkfm_celegans.pipeline import PipelineConfig, RawWorm, Worm, preprocess

FIELDS = (
    "calcium_data", "smooth_calcium_data", "residual_calcium", "smooth_residual_calcium", "resampled_calcium_data",
)  # fmt: skip
"""Versions of the traces that lie on an even grid and can become a signal."""

READERS: dict[str, Callable[[Path], list[RawWorm]]] = {
    "Dag2023": lambda path: [read_dag2023(path)],
    "Flavell2023": lambda path: [read_flavell2023(path)],
    "Nejatbakhsh2020": lambda path: [read_nejatbakhsh2020(path)],
    "Venkatachalam2024": read_venkatachalam2024,
    "Leifer2023": read_leifer2023,
    "Zimmer": read_zimmer,
    "Yemini2021": read_yemini2021,
    "Lin2023": lambda path: [found] if (found := read_lin2023(path)) is not None else [],
}
"""Readers of raw sources, by the name of their layout."""

ENDINGS = {
    ".h5": ("Dag2023", "Flavell2023"), ".json": ("Flavell2023",), ".nwb": ("Nejatbakhsh2020",),
    ".zip": ("Venkatachalam2024",), "": ("Leifer2023",), ".mat": ("Zimmer", "Yemini2021", "Lin2023"),
}  # fmt: skip


def read_raw(path: str | os.PathLike[str]) -> list[RawWorm]:
    """Read the worms of a raw file, or folder, whatever lab it is from.

    Raises
    ------
    DataError
        With what each reader of the ending found missing, if none knows the layout.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file")
    ending = "" if path.is_dir() else path.suffix.lower()
    if ending not in ENDINGS:
        raise DataError(f"{path}: no raw format of worms ends like this; known: {', '.join(e or 'a folder' for e in ENDINGS)}")  # fmt: skip
    reasons = []
    for layout in ENDINGS[ending]:
        try:
            return READERS[layout](path)
        except NkfmError as err:
            reasons.append(f"  - {layout}: {err}")
    raise DataError(f"{path} is in no layout of worms that is known:\n" + "\n".join(reasons))


def worm_recording(worm: Worm, field: str = "calcium_data", *, graph: Graph | None = None) -> Recording:
    """Make a Recording of a homogenised worm.

    Parameters
    ----------
    worm : Worm
    field : str
        One of `FIELDS`.
    graph : Graph, optional
        To join; see `join_connectome`.

    Returns
    -------
    Recording
        Signal ``calcium``: identified neurons under their names, the others under their numbers; events where the lab
        marked any; repairs and steps in its info.
    """
    if field not in FIELDS:
        raise DataError(f"field must be one of {', '.join(FIELDS)}; got {field!r}")
    series = TimeSeries(
        data=np.ascontiguousarray(getattr(worm, field).T),
        sfreq=1 / worm.median_dt,
        channels=neuron_channels(worm.names),
        modality="calcium",
    )
    labels = [name for name, when in worm.onsets.items() for _ in when]
    onset = np.concatenate([np.zeros(0), *worm.onsets.values()])
    order = np.argsort(onset, kind="stable")
    recording = Recording(
        signals={"calcium": series},
        events=Events.of(onset[order], [labels[i] for i in order], 0.0) if len(onset) else Events.of(),
        info=Info(
            source=worm.file,
            subject=f"{worm.source_dataset}-{worm.worm}",
            session="1",
            task=worm.source_dataset,
            citation=worm.citation,
            steps=worm.steps,
        ),
    )
    return recording if graph is None else join_connectome(recording, graph)


def join_connectome(recording: Recording, graph: Graph, name: str = "connectome") -> Recording:
    """Put a graph beside the traces; the two meet on neuron names.

    All nodes stay, recorded or not, and so do all traces; how many meet is noted.

    Raises
    ------
    DataError
        If fewer than two traces are nodes of the graph.
    """
    _, series = recording.series("calcium")
    nodes = set(graph.channels.name)
    met = [n for n in series.channels.name if n in nodes]
    if len(met) < 2:
        raise DataError(
            f"{recording.title}: {len(met)} of {len(series.channels)} traces are nodes of the graph; "
            f"traces: {', '.join(series.channels.name[:5])} ..., nodes: {', '.join(graph.channels.name[:5])} ... "
            "Names must be the canonical ones (`nkfm_celegans.neurons.normal_name`)"
        )
    return recording.with_signal(name, graph, f"{name} joined: {len(met)} of {len(series.channels)} traces are among its {len(graph.channels)} nodes")  # fmt: skip


def worm_from_file(
    path: str | os.PathLike[str],
    *,
    config: PipelineConfig | None = None,
    field: str = "calcium_data",
    annotation: str = "cook2019",
    row: int = 0,
) -> Recording:
    """Read, homogenise and join one worm of a raw file.

    Parameters
    ----------
    path : path-like
    config : PipelineConfig, optional
    field : str
    annotation : str
        Connectome to join; empty for none.
    row : int
        Which worm, where a file holds several.
    """
    worms = read_raw(path)
    if not 0 <= row < len(worms):
        raise DataError(f"{path} holds {len(worms)} worms, counted from 0; asked for number {row}")
    recording = worm_recording(
        preprocess(worms[row], config), field, graph=connectome(annotation) if annotation else None
    )
    return replace(recording, info=replace(recording.info, source=f"{Path(path).name}" + (f"[{row}]" if len(worms) > 1 else "")))  # fmt: skip
