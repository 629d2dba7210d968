"""Pictures of a worm: its traces, its wiring, what was forecast, and how activity and wiring agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from neurokit_fm import Graph
from neurokit_fm.report.canvas import COLOURS, FAINT, INK, SOFT, canvas, styled
from nkfm_wormgraph.evaluate import Errors, Skill
from nkfm_wormgraph.structure import Agreement, by_class, type_of

Numbers = npt.NDArray[Any]

TYPES = ("sensory", "inter", "motor", "pharyngeal", "unknown")
COLOUR_OF = dict(zip(TYPES, (COLOURS[4], COLOURS[0], COLOURS[1], COLOURS[2], SOFT), strict=True))
"""One colour for each type of neuron, in every picture."""


@styled
def traces(times: Numbers, data: Numbers, names: Sequence[str], *, shown: int = 30) -> Figure:
    """Draw traces (C, T) below each other, ordered by type and class; of more than `shown` an even selection.

    Parameters
    ----------
    times : ndarray, shape (T,), seconds
    data : ndarray, shape (C, T)
    names : sequence of str
    shown : int
    """
    order = by_class(names)
    order = order[np.unique(np.linspace(0, len(order) - 1, min(shown, len(order))).round().astype(int))]
    figure, axes = canvas(10, 0.24 * len(order) + 1.2)
    kinds = type_of(names)
    scale = 4 * float(np.median(data[order].std(1))) or 1.0
    for place, row in enumerate(order):
        axes.plot(times, data[row] / scale - place - np.mean(data[row] / scale), color=COLOUR_OF[kinds[row]], linewidth=0.9)  # fmt: skip
    axes.set_yticks(-np.arange(len(order)), labels=[names[row] for row in order], fontsize=8)
    axes.set_ylim(-len(order) + 0.2, 0.9)
    axes.set_xlim(times[0], times[-1])
    axes.set_xlabel("time (s)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _legend(figure, [kinds[row] for row in order])
    return figure


@styled
def raster(times: Numbers, data: Numbers, names: Sequence[str]) -> Figure:
    """Draw all traces (C, T), z-scored, as one image, ordered by type and class; the strip shows the type."""
    order, kinds = by_class(names), type_of(names)
    std = data.std(1, keepdims=True)
    scaled = (data - data.mean(1, keepdims=True)) / np.where(std > 0, std, 1)
    figure, (strip, axes) = canvas(10, 5.4, 1, 2, gridspec_kw={"width_ratios": [1, 60]}, sharey=True)
    image = axes.imshow(
        scaled[order], aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-3, vmax=3,
        extent=(times[0], times[-1], len(order) - 0.5, -0.5),
    )  # fmt: skip
    codes = np.array([TYPES.index(kinds[row]) for row in order])
    colours = ListedColormap([COLOUR_OF[t] for t in TYPES])
    strip.imshow(codes[:, None], aspect="auto", interpolation="nearest", cmap=colours, vmin=-0.5, vmax=len(TYPES) - 0.5,
                 extent=(0, 1, len(order) - 0.5, -0.5))  # fmt: skip
    strip.set_xticks([])
    strip.set_ylabel(f"{len(order)} neurons by type and class")
    strip.set_yticks([])
    axes.set_xlabel("time (s)")
    figure.colorbar(image, ax=axes, shrink=0.7, label="z-score")
    _legend(figure, kinds)
    return figure


@styled
def adjacency(graph: Graph, kinds: Sequence[str], names: Sequence[str] | None = None) -> Figure:
    """Draw the weights [from, to] of some kinds of edges side by side, neurons ordered by type and class.

    Parameters
    ----------
    graph : Graph
    kinds : sequence of str
    names : sequence of str, optional
        Only these nodes.
    """
    rows = np.arange(len(graph.channels)) if names is None else graph.channels.rows(names)
    labels = [graph.channels.name[row] for row in rows]
    rows = rows[by_class(labels)]
    types = type_of([graph.channels.name[row] for row in rows])
    starts = [i for i in range(len(types)) if i == 0 or types[i] != types[i - 1]]
    figure, all_axes = canvas(4.7 * len(kinds) + 0.4, 4.7, 1, len(kinds), squeeze=False)
    for axes, kind in zip(all_axes[0], kinds, strict=True):
        weight = graph.adjacency(kind)[np.ix_(rows, rows)]
        post, pre = np.nonzero(weight.T)
        size = weight[pre, post]
        axes.scatter(post, pre, s=1 + 5 * np.sqrt(np.abs(size) / max(1e-9, float(np.abs(size).max(initial=0)))), c=INK, marker="s", linewidths=0)  # fmt: skip
        for start in starts[1:]:
            axes.axhline(start - 0.5, color=FAINT, linewidth=0.8, zorder=0)
            axes.axvline(start - 0.5, color=FAINT, linewidth=0.8, zorder=0)
        centre = [(a + b) / 2 for a, b in zip(starts, [*starts[1:], len(rows)], strict=True)]
        short = [types[a][:7] for a in starts]
        axes.set_xticks(centre, labels=short, fontsize=8)
        axes.set_yticks(centre, labels=short, fontsize=8, rotation=90, va="center")
        axes.tick_params(length=0)
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.set_title(f"{kind}: {len(size):,} edges")
        axes.set_xlabel("to")
        axes.set_ylabel("from")
    return figure


@styled
def layout(graph: Graph, kind: str, recorded: Sequence[str] = (), *, strongest: int = 400) -> Figure:
    """Draw somata where they lie, the head to the left, with the strongest edges of one kind; recorded ones are filled.

    The head is drawn again below, enlarged: two thirds of the neurons lie there.
    """
    position = graph.channels.position * 1e6  # (V, 3)
    types = type_of(graph.channels.name)
    placed: npt.NDArray[np.bool_] = np.asarray(np.isfinite(position).all(1))
    chosen = np.flatnonzero((graph.kind == graph.kinds.index(kind)) & placed[graph.edges].all(0))
    chosen = chosen[graph.edges[0, chosen] != graph.edges[1, chosen]]
    chosen = chosen[np.argsort(-np.abs(graph.weight[chosen]), kind="stable")[:strongest]]
    flat = position[:, [1, 0]]  # along the body, across it
    flat = np.where(np.isfinite(flat), flat, 0) + np.stack(
        [np.zeros(len(flat)), 0.35 * np.nan_to_num(position[:, 2])], 1
    )
    ends = flat[graph.edges[:, chosen]].swapaxes(0, 1)  # (E, 2, 2)
    size = np.abs(graph.weight[chosen])
    size = size / max(1e-9, float(size.max(initial=0)))
    here = np.isin(graph.channels.name, list(recorded))
    figure, all_axes = canvas(10, 5.6, 2, 1, gridspec_kw={"height_ratios": [1, 2]})
    for axes, (low, high), text in zip(all_axes, ((-15, 815), (0, 160)), (5, 6.5), strict=True):
        axes.add_collection(LineCollection(list(ends), linewidths=0.3 + 1.7 * size, colors=SOFT, alpha=0.35, zorder=1))
        for t in TYPES:
            mine = placed & (np.array(types) == t)
            for shown, face in ((mine & here, COLOUR_OF[t]), (mine & ~here, "white")):
                axes.scatter(
                    *flat[shown].T, s=text * 4, facecolor=face, edgecolor=COLOUR_OF[t], linewidth=0.9, zorder=2
                )
        axes.set_xlim(low, high)
        axes.set_ylabel("across (µm)")
    all_axes[0].set_title(f"the {len(chosen)} strongest of {int((graph.kind == graph.kinds.index(kind)).sum()):,} {kind} edges")  # fmt: skip
    written: list[Numbers] = []
    for row in np.flatnonzero(placed & (flat[:, 0] < 160) & here):  # as many names as find room
        if all(abs(flat[row, 0] - at[0]) > 6 or abs(flat[row, 1] - at[1]) > 2.2 for at in written):
            written.append(flat[row])
            all_axes[1].annotate(
                graph.channels.name[row], flat[row], fontsize=6.5, xytext=(3, 3), textcoords="offset points", zorder=3
            )
    all_axes[1].set_title("head")
    all_axes[1].set_xlabel("along the body from the nose (µm)")
    _legend(figure, types)
    return figure


@styled
def predicted(found: Errors, sfreq: float, *, shown: int = 6, seconds: float = 90.0) -> Figure:
    """Draw forecast and truth of some neurons: those of the best, middle and worst skill, and all of them in a scatter."""
    skill = found.skill_by_neuron
    order = np.argsort(-skill)
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(shown, len(order))).round().astype(int))]
    n = min(found.target.shape[1], round(seconds * sfreq))
    figure = canvas(11, 0.85 * len(rows) + 1.2)[0]
    figure.clear()
    grid = figure.add_gridspec(len(rows), 2, width_ratios=[3, 2])
    times = np.arange(n) / sfreq
    first = None
    for place, row in enumerate(rows):
        axes = figure.add_subplot(grid[place, 0], sharex=first)
        first = first or axes
        axes.plot(times, found.target[row, :n], color=INK, linewidth=1.1, label="measured")
        axes.plot(times, found.prediction[row, :n], color=COLOURS[1], linewidth=1.0, linestyle="--", label="forecast")
        axes.set_ylabel(found.names[row], rotation=0, ha="right", va="center")
        axes.text(1.0, 1.0, f"skill {skill[row]:+.2f}", transform=axes.transAxes, ha="right", va="top", fontsize=8, color=SOFT)  # fmt: skip
        axes.tick_params(labelbottom=place == len(rows) - 1)
        if place == 0:
            axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0, ncols=2)
    assert first is not None
    figure.axes[-1].set_xlabel("time into the held-out part (s)")
    scatter = figure.add_subplot(grid[:, 1])
    rng = np.random.default_rng(0)
    flat_t, flat_p = found.target.reshape(-1), found.prediction.reshape(-1)
    some = rng.choice(flat_t.size, size=min(4000, flat_t.size), replace=False)
    low, high = np.quantile(flat_t, [0.001, 0.999])
    scatter.plot([low, high], [low, high], color=SOFT, linewidth=1)
    scatter.scatter(flat_t[some], flat_p[some], s=3, color=COLOURS[0], alpha=0.3, linewidths=0, rasterized=True)
    scatter.set_xlim(low, high)
    scatter.set_ylim(low, high)
    scatter.set_aspect("equal")
    scatter.set_xlabel("measured (z)")
    scatter.set_ylabel("forecast (z)")
    return figure


@styled
def skills(results: Sequence[Skill], reference: str) -> Figure:
    """Draw the skill of each model with its interval and single seeds, and its gain over a reference model."""
    names = [r.name for r in results]
    figure, (left, right) = canvas(10, 0.42 * len(results) + 1.5, 1, 2, sharey=True)
    for place, r in enumerate(results):
        colour = SOFT if r.name == reference else COLOURS[0]
        left.plot(r.interval, [place, place], color=colour, linewidth=2)
        left.plot(r.mean, place, "o", color=colour)
        left.plot(r.per_seed, np.full(len(r.per_seed), place) + 0.22, "|", color=SOFT, markersize=6)
        left.annotate(
            f"{r.mean:.3f}", (r.mean, place), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8
        )
        right.plot(r.gain[1:], [place, place], color=colour, linewidth=2)
        right.plot(r.gain[0], place, "o", color=colour)
    for axes in (left, right):
        axes.axvline(0, color=SOFT, linewidth=0.8, linestyle=":")
    left.set_yticks(range(len(names)), labels=names)
    left.set_ylim(len(names) - 0.4, -0.6)
    left.set_xlabel("skill on held-out time: 1 - MSE / MSE of persistence")
    right.set_xlabel(f"gain over {reference} (share of persistence MSE)")
    return figure


@styled
def horizons(results: Sequence[Skill], step_s: float) -> Figure:
    """Draw the skill of each model over how far ahead it forecasts."""
    figure, axes = canvas(7, 3.6)
    for i, r in enumerate(results):
        far = {1: r.mean, **r.horizons}
        steps = sorted(far)
        axes.plot([step_s * h for h in steps], [far[h] for h in steps], marker="o^sDvPX"[i % 7], color=COLOURS[i % len(COLOURS)], label=r.name)  # fmt: skip
    axes.axhline(0, color=SOFT, linewidth=0.8, linestyle=":")
    axes.set_xlabel("ahead (s)")
    axes.set_ylabel("skill")
    axes.legend(fontsize=8, ncols=2)
    return figure


@styled
def structure(results: Sequence[Agreement]) -> Figure:
    """Draw each agreement beside the mean and spread of its nulls."""
    nulls = list(dict.fromkeys(n for r in results for n in r.nulls))
    figure, axes = canvas(9, 0.5 * len(results) + 1.4)
    for place, r in enumerate(results):
        for k, null in enumerate(nulls):
            if null in r.nulls:
                mean, spread, _ = r.nulls[null]
                y = place + 0.18 * (k - (len(nulls) - 1) / 2)
                axes.plot([mean - 2 * spread, mean + 2 * spread], [y, y], color=COLOURS[k + 1], linewidth=3, alpha=0.6,
                          solid_capstyle="butt", label=f"null: {null}, mean ± 2 sd" if place == 0 else None)  # fmt: skip
        axes.plot(r.rank, place, "D", color=INK, markersize=6, label="measured" if place == 0 else None)
    axes.axvline(0, color=SOFT, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(results)), labels=[f"{r.connectome} {r.kind}, {r.measure}" for r in results])
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.set_xlabel("Spearman correlation of coupling with edge weight")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _legend(figure: Figure, kinds: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    shown = [t for t in TYPES if t in kinds]
    figure.legend(handles=[Patch(color=COLOUR_OF[t], label=t) for t in shown], loc="outside upper right", ncols=len(shown), fontsize=8)  # fmt: skip
