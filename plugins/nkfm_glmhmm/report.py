"""The page about a fitted switching model: what it found, drawn and tabulated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm import Graph, Recording
from neurokit_fm.report import Picture, Section, Table, write_report
from nkfm_glmhmm import figures
from nkfm_glmhmm.align import balanced_accuracy, signs
from nkfm_glmhmm.layout import Layout
from nkfm_glmhmm.model import GlmHmm, States
from nkfm_glmhmm.paths import dwell_bins
from nkfm_glmhmm.priors import balanced_signs
from nkfm_glmhmm.select import StateCurve
from nkfm_glmhmm.structure import agreement, wiring

SHOWN = 1000
"""Bins of the state raster: the first of the longest stretch."""

THRESHOLDS = (0.1, 0.2, 0.3)


def states_report(
    path: str | os.PathLike[str],
    model: GlmHmm,
    recording: Recording,
    *,
    curve: StateCurve | None = None,
    graph: Graph | None = None,
    command: str = "",
    facts: Sequence[tuple[str, object]] = (),
) -> Path:
    """Write the page about a model and a recording.

    Parameters
    ----------
    path : path-like
    model : GlmHmm
        Fitted.
    recording : Recording
    curve : StateCurve, optional
        How the number of states was chosen.
    graph : Graph, optional
        Wiring to compare the couplings with.
    command : str
    facts : sequence of (str, object)
    """
    found = model.states(recording)
    sections = [_over_time(model, recording, found)]
    if model.config.kernels() is not None:
        sections += _couplings(model)
        if graph is not None:
            sections.append(_comparison(model, graph))
    sections.append(_dynamics(model, found))
    if curve is not None:
        sections.append(_selection(curve))
    sections.append(_fitting(model, found))
    occupied = found.posterior.mean(0)
    shares = ", ".join(f"{100 * p:.0f} %" for p in occupied)
    summary = [
        f"{model.config.n_states} states of {len(model.contract.channels)} neurons; occupancy {shares}.",
        f"Log-likelihood {found.evidence:.3f} nats per bin of {1e3 * found.bin_s:g} ms on this recording.",
    ]
    return write_report(
        path, sections, title=f"Hidden states of {recording.title}", summary=summary, command=command, facts=list(facts)
    )


def _over_time(model: GlmHmm, recording: Recording, found: States) -> Section:
    longest = int(np.diff(found.starts).argmax())
    part = slice(int(found.starts[longest]), int(min(found.starts[longest + 1], found.starts[longest] + SHOWN)))
    activity = model.trials([recording]).x.numpy()[part]
    figure = figures.state_raster(found.times[part], found.bin_s, found.posterior[part], found.path[part], activity)
    return Section(
        title="States over time",
        text="Posterior probabilities use the whole stretch; the path is the single most probable sequence (Viterbi).",
        pictures=[
            Picture(
                figure=figure,
                alt="Activity of all neurons, the probability of each state and the most probable path over time",
                caption="Above: activity. Middle: probability of each state, stacked. Below: the most probable path.",
            )
        ],
    )


def _couplings(model: GlmHmm) -> list[Section]:
    matrices = model.couplings()
    titles = [f"state {s + 1}" for s in range(len(matrices))]
    sections = [
        Section(
            title="Couplings",
            text="Total effect of one event of the source on the predictor of the target, summed over its history.",
            pictures=[
                Picture(
                    figure=figures.couplings(matrices, titles),
                    alt="One coupling matrix for each state, all on the same colour scale",
                    caption="Red: excitatory. Blue: inhibitory. One colour scale for all states.",
                )
            ],
        )
    ]
    fitted = model.fitted
    if fitted.table is not None and fitted.classes is not None:
        table = fitted.table.numpy().swapaxes(0, 1)  # (N, N, 3), [target, source]
        lean = table[..., 2] - table[..., 0]
        classes = fitted.classes.numpy()
        rows = [
            (f"state {s + 1}", *(float((classes[s].argmax(-1) == c).mean()) for c in range(3)))
            for s in range(len(classes))
        ]
        rows.append(("all states", *(float((table.argmax(-1) == c).mean()) for c in range(3))))
        sections.append(
            Section(
                title="Global structure",
                text="Probability that a connection is excitatory minus that it is inhibitory, in the table all states share.",
                pictures=[
                    Picture(
                        figure=figures.couplings(
                            lean[None], ["all states"], limit=1.0, label="excitatory - inhibitory"
                        ),
                        alt="Matrix of the signs of connections that all states share",
                    )
                ],
                tables=[
                    Table(header=("", "inhibitory", "absent", "excitatory"), rows=rows, caption="Share of connections")
                ],
            )
        )
    return sections


def _comparison(model: GlmHmm, graph: Graph) -> Section:
    names = model.contract.channels
    edges, known = wiring(graph, names)
    chosen = known & ~np.eye(len(names), dtype=bool)
    rows: list[tuple[Any, ...]] = []
    for s, matrix in enumerate(model.couplings()):
        best = max(balanced_accuracy(signs(matrix, t)[chosen] != 0, edges[chosen] != 0) for t in THRESHOLDS)
        rows.append((f"state {s + 1}", agreement(matrix, edges, known), best))
    if model.fitted.table is not None:
        shared = balanced_signs(model.fitted.table).numpy().T
        rows.append(("global structure", float("nan"), balanced_accuracy(shared[chosen] != 0, edges[chosen] != 0)))
    signed = bool((edges < 0).any())
    header = ["", "ROC area of |coupling|", "balanced accuracy of presence"]
    if signed:
        header.append("balanced accuracy of sign")
        rows = [(*row, _sign_accuracy(model, k, edges, chosen)) for k, row in enumerate(rows)]
    return Section(
        title="Comparison with the wiring",
        text=(
            f"{int((edges[chosen] != 0).sum())} of {int(chosen.sum())} pairs of {int(known.any(1).sum())} matched neurons are "
            "connected. 0.5 is chance for presence, a third for sign. Accuracies of couplings take the best of the thresholds "
            f"{', '.join(map(str, THRESHOLDS))}; a wiring that was given to the fit as a prior or mask is not evidence here."
        ),
        tables=[Table(header=header, rows=rows)],
    )


def _sign_accuracy(model: GlmHmm, row: int, edges: Any, chosen: Any) -> float:
    if row < model.config.n_states:
        matrix = model.couplings()[row]
        return max(balanced_accuracy(signs(matrix, t)[chosen], edges[chosen]) for t in THRESHOLDS)
    table = model.fitted.table
    assert table is not None
    return balanced_accuracy(balanced_signs(table).numpy().T[chosen], edges[chosen])


def _dynamics(model: GlmHmm, found: States) -> Section:
    visits = [d * found.bin_s for d in dwell_bins(found.path, Layout(found.starts), model.config.n_states)]
    rows = [
        (f"state {s + 1}", float(found.posterior[:, s].mean()), len(v), *_quartiles(v)) for s, v in enumerate(visits)
    ]
    return Section(
        title="Transitions and dwell times",
        pictures=[
            Picture(
                figure=figures.transition_matrix(model.fitted.chain.transitions),
                alt="Matrix of transition probabilities between states, one bin to the next",
                caption="Probability of the next bin's state given this one's.",
            ),
            Picture(
                figure=figures.dwell_times(visits, found.bin_s),
                alt="Share of the visits to each state that last longer than a given time",
            ),
        ],
        tables=[
            Table(
                header=("", "occupancy", "visits", "lower quartile (s)", "median (s)", "upper quartile (s)"),
                rows=rows,
                caption="Dwell times along the most probable path",
            )
        ],
    )


def _quartiles(values: Any) -> tuple[float, float, float]:
    if not len(values):
        return (float("nan"),) * 3
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _selection(curve: StateCurve) -> Section:
    rows = [
        (k, float(t), float(m), float(g), float(e))
        for k, t, m, g, e in zip(
            curve.n_states,
            curve.train.mean(1),
            curve.mean,
            curve.mean - curve.mean.max(),
            curve.gain_error,
            strict=True,
        )
    ]
    return Section(
        title="How many states",
        text=(
            f"Whole trials were held out in {curve.held_out.shape[1]} folds. Best: {curve.best}; the fewest within one standard "
            f"error of it: {curve.fewest}. One state is a plain GLM."
        ),
        pictures=[
            Picture(
                figure=figures.state_curve(curve.n_states, curve.held_out, curve.fewest),
                alt="Held-out log-likelihood over the number of states",
            )
        ],
        tables=[
            Table(
                header=("states", "training (nats/bin)", "held out (nats/bin)", "gap to the best", "standard error"),
                rows=rows,
                marked=[curve.n_states.index(curve.fewest)],
            )
        ],
    )


def _fitting(model: GlmHmm, found: States) -> Section:
    trace = np.asarray(model.trace)
    if len(trace) < 2:
        return Section(title="Fit", text="This model was loaded from a file; the course of its fit is not stored.")
    return Section(
        title="Fit",
        text=f"{len(trace) - 1} iterations of generalised EM in the last stage; the objective never falls.",
        pictures=[
            Picture(
                figure=figures.convergence(trace, len(found.times)),
                alt="Penalised log-likelihood over the iterations",
            )
        ],
    )
