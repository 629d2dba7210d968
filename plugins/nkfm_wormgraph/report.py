"""The page about a worm: what it did, how it is wired, what can be forecast, and whether activity follows the wiring."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurokit_fm import Graph, Recording
from neurokit_fm.report import Picture, Section, Table, write_report
from nkfm_wormgraph import figures
from nkfm_wormgraph.evaluate import Skill, known_only
from nkfm_wormgraph.structure import Agreement, type_of
from nkfm_wormgraph.training import _series


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What was found about one worm.

    Attributes
    ----------
    skills : sequence of Skill
        Persistence and linear models among them.
    reference : str
        Which of them the others are compared with.
    share : float
        Of the recording that was trained on.
    agreements : sequence of Agreement
    functional : mapping of str to float
        Of the functional atlas, see `structure.functional_agreement`; may be empty.
    """

    skills: Sequence[Skill]
    reference: str
    share: float
    agreements: Sequence[Agreement]
    functional: Mapping[str, float]


def verdict(found: Findings) -> list[str]:
    """Say in a sentence or two whether any network beats the linear model."""
    base = next(r for r in found.skills if r.name == found.reference)
    others = [r for r in found.skills if r.name not in (found.reference, "persistence")]
    lines = [f"{found.reference} explains {100 * base.mean:.1f} % of what persistence leaves on held-out time (95 % {100 * base.interval[0]:.1f} to {100 * base.interval[1]:.1f})."]  # fmt: skip
    if others:
        best = max(others, key=lambda r: r.gain[0])
        sure = "beats" if best.gain[1] > 0 else ("is below" if best.gain[2] < 0 else "is not told apart from")
        over = f" over {len(best.per_seed)} seeds" if len(best.per_seed) > 1 else ""
        lines.append(
            f"The best other model, {best.name}, {sure} it: {100 * best.mean:.1f} %{over}, gain "
            f"{100 * best.gain[0]:+.1f} points (95 % {100 * best.gain[1]:+.1f} to {100 * best.gain[2]:+.1f})."
        )
    return lines


def worm_report(
    path: str | os.PathLike[str],
    recording: Recording,
    graph: Graph,
    found: Findings,
    *,
    command: str = "",
    facts: Sequence[tuple[str, object]] = (),
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : path-like
    recording : Recording
        With a signal ``calcium``.
    graph : Graph
    found : Findings
    command : str
    facts : sequence of (str, object)
    """
    sections = [_activity(recording), _wiring(recording, graph), _forecasts(recording, found)]
    if found.agreements:
        sections.append(_structure(found))
    sections.append(Section(title="What was done to the traces", lines=list(recording.info.steps)))
    return write_report(path, sections, title=f"A worm: {recording.title}", summary=verdict(found), command=command, facts=list(facts))  # fmt: skip


def _activity(recording: Recording) -> Section:
    series = _series(recording)
    known = _series(known_only(recording))
    times = series.start + np.arange(series.n_samples) / series.sfreq
    kinds = type_of(known.channels.name)
    rows = [(t, kinds.count(t)) for t in figures.TYPES if t in kinds]
    return Section(
        title="Activity",
        text=f"{len(known.channels)} of {len(series.channels)} traces belong to identified neurons; "
        f"{series.duration:.0f} s in steps of {1 / series.sfreq:.3g} s.",
        pictures=[
            Picture(
                figure=figures.traces(times, known.read(), known.channels.name),
                alt="Traces of identified neurons below each other, coloured by type",
                caption="Identified neurons, ordered by type and class; an even selection where there are many.",
            ),
            Picture(
                figure=figures.raster(times, known.read(), known.channels.name),
                alt="Image of all identified traces over time, ordered by type",
                caption="All identified neurons, z-scored over the recording for this picture alone.",
            ),
        ],
        tables=[Table(header=("type", "neurons"), rows=rows)],
    )


def _wiring(recording: Recording, graph: Graph) -> Section:
    known = _series(known_only(recording)).channels.name
    kinds = [k for i, k in enumerate(graph.kinds) if (graph.kind == i).any()]
    both = [name for name in known if name in graph.channels.name]
    rows = []
    for kind in kinds:
        weight = graph.adjacency(kind)
        rows_of = graph.channels.rows(both)
        rows.append((kind, int((weight != 0).sum()), int((weight[np.ix_(rows_of, rows_of)] != 0).sum())))
    return Section(
        title="Wiring",
        text="Rows are presynaptic (from), columns postsynaptic (to). Gap junctions hold both ways.",
        pictures=[
            Picture(
                figure=figures.adjacency(graph, kinds[:3]),
                alt="Adjacency matrices ordered by type and class of neuron",
                caption="All nodes, ordered by type, then class; larger marks are stronger edges.",
            ),
            Picture(
                figure=figures.layout(graph, kinds[0], both),
                alt="Somata along the body with the strongest edges between them, and the head enlarged",
                caption="Filled: recorded in this worm. The vertical axis mixes both transverse axes so that sides do not coincide.",
            ),
        ],
        tables=[Table(header=("kind", "edges", "between recorded neurons"), rows=rows)],
    )


def _forecasts(recording: Recording, found: Findings) -> Section:
    rows = [_row(r) for r in found.skills]
    best = max(found.skills, key=lambda r: r.mean)
    sfreq = _series(recording).sfreq
    pictures = [
        Picture(
            figure=figures.skills(found.skills, found.reference),
            alt="Skill of each model with intervals, and gain over the linear model",
            caption="Left: bars are 95 % intervals over seeds (of models without randomness: over blocks of time), ticks single "
            "seeds. Right: paired difference on the same samples, 95 % over blocks of time.",
        ),
        Picture(
            figure=figures.predicted(best.errors, sfreq),
            alt="Forecast and measured traces of some neurons, and a scatter of all",
            caption=f"One step ahead by {best.name}, from the best to the worst neuron.",
        ),
    ]
    if best.horizons:
        pictures.append(Picture(figure=figures.horizons(found.skills, 1 / sfreq), alt="Skill over how far ahead is forecast", caption="Further than one step, forecasts are fed back."))  # fmt: skip
    return Section(
        title="Forecasts",
        text=f"Trained on the first {100 * found.share:.0f} % of the recording, scored on the rest; traces are z-scored by the "
        "first part alone. Skill is 1 - MSE / MSE of persistence.\n\nModels with gradients are trained on the first four "
        "fifths of the training part while the last fifth says for how many steps, then again on all of it; a best step of 0 "
        "means that training did not improve on the linear start.",
        pictures=pictures,
        tables=[
            Table(
                header=(
                    "model",
                    "MSE",
                    "skill",
                    "95 %",
                    "seeds",
                    f"gain over {found.reference}",
                    "95 %",
                    "best step",
                    "seconds",
                ),
                rows=rows,
                marked=[i for i, r in enumerate(found.skills) if r is best],
            )
        ],
    )


def _row(r: Skill) -> tuple[object, ...]:
    low, high = r.interval
    gain, least, most = r.gain
    return (
        r.name,
        float(r.errors.model.mean()),
        r.mean,
        f"{low:.3f} to {high:.3f}",
        len(r.per_seed),
        f"{gain:+.4f}",
        f"{least:+.4f} to {most:+.4f}",
        r.trained.best_step,
        round(r.trained.seconds, 1),
    )


def _structure(found: Findings) -> Section:
    rows = []
    for a in found.agreements:
        cells = [
            f"{a.nulls[n][0]:+.3f} ({a.nulls[n][2]:.3f})" if n in a.nulls else "–"
            for n in ("degree", "space", "labels")
        ]
        rows.append((f"{a.connectome} {a.kind}, {a.measure}", a.edges, a.pairs, a.rank, a.area, *cells))
    tables = [
        Table(
            header=(
                "edges, coupling",
                "connected",
                "pairs",
                "Spearman",
                "ROC area",
                "null: degree (p)",
                "null: space (p)",
                "null: labels (p)",
            ),
            rows=rows,
            caption="Means over rewired graphs, and the share of them that reaches the measured value",
        )
    ]
    if found.functional:
        pairs = int(found.functional["pairs"])
        tables.append(
            Table(
                header=("compared with", "Spearman"),
                rows=[(k, v) for k, v in found.functional.items() if k != "pairs"],
                caption=f"The functional atlas (response to stimulation, randi2023), {pairs:,} ordered pairs",
            )
        )
    return Section(
        title="Does activity follow the wiring?",
        text="Correlation is that of the derivatives of traces. Transfer is linear Granger strength [from, to]. A graph rewired "
        "by degree keeps every neuron's numbers of inputs and outputs; by space, also the lengths of connections: neighbours "
        "are both wired and alike, and only what exceeds this null is more than being near. No correction for the number of rows.",
        pictures=[
            Picture(
                figure=figures.structure(found.agreements),
                alt="Agreement of coupling with each kind of edge beside its nulls",
            )
        ],
        tables=tables,
    )
