"""Losses over training steps, and scores with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from neurokit_fm.report.canvas import COLOURS, INK, SOFT, canvas, styled

LINES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 3)))

Numbers = npt.NDArray[Any]


@styled
def loss_curve(
    parts: Mapping[str, Numbers],
    *,
    held_out: tuple[Numbers, Numbers] | None = None,
    levels: Mapping[str, float] | None = None,
    unit: str = "",
) -> Figure:
    """Draw losses over training, beside what trivial predictors reach.

    Parameters
    ----------
    parts : mapping of str to ndarray, shape (steps,)
        Each part of the loss; NaN where a step had none. Drawn faintly, with a running median on top.
    held_out : (steps, losses), optional
        Loss on data that was not trained on.
    levels : mapping of str to float
        Loss of predictors that learn nothing, drawn as horizontal lines.
    unit : str
        Of the loss.
    """
    figure, axes = canvas(8.6, 4.2)
    for colour, (name, values) in zip(COLOURS, parts.items(), strict=False):
        steps = np.flatnonzero(np.isfinite(values))
        axes.plot(steps, values[steps], color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(steps, _running_median(values[steps]), color=colour, label=f"training, {name}")
    if held_out is not None:
        axes.plot(*held_out, color=INK, marker="o", markersize=4, linewidth=1.2, label="held out")
    placed: list[float] = []
    top, bottom = axes.get_ylim()[1], 0.0
    for line, (name, value) in zip(LINES * 3, sorted((levels or {}).items(), key=lambda item: -item[1]), strict=False):
        axes.axhline(value, color=SOFT, linewidth=1, linestyle=line, zorder=1)
        at = min([value, *[p - 0.045 * max(top, value) for p in placed[-1:]]])  # names keep clear of each other
        axes.annotate(f" {name} {value:.3f}", (1, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        placed.append(at)
    axes.set_ylim(bottom, 1.05 * max([top, *(levels or {}).values()]))
    axes.set_xlim(left=0)
    axes.set_xlabel("training step")
    axes.set_ylabel("mean absolute error" + (f" ({unit})" if unit else ""))
    axes.legend(fontsize=9, loc="lower left")
    return figure


@styled
def forest(
    names: Sequence[str],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    chance: float,
    label: str,
    marked: Sequence[int] = (),
    hollow: Sequence[int] = (),
) -> Figure:
    """Draw scores as dots with their intervals, and the chance level as a line.

    Parameters
    ----------
    names : sequence of str
    values, low, high : sequence of float
        Score and ends of its interval; a NaN end is left out.
    chance : float
    label : str
        What the score is, with what the interval is.
    marked : sequence of int
        Rows drawn in the first colour; the others are grey.
    hollow : sequence of int
        Rows drawn as open diamonds with a thin, broken interval.
    """
    figure, axes = canvas(8.6, 1.1 + 0.36 * len(names))
    axes.axvline(chance, color=COLOURS[1], linestyle="--", linewidth=1.2, zorder=1)
    axes.annotate("chance", (chance, 1), (3, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
                  color=COLOURS[1], fontsize=9)  # fmt: skip
    for row, (value, left, right) in enumerate(zip(values, low, high, strict=True)):
        colour = COLOURS[0] if row in marked else SOFT
        if np.isfinite([left, right]).all():
            line = {"linewidth": 1.0, "linestyle": (0, (4, 2))} if row in hollow else {"linewidth": 2.0}
            axes.plot([left, right], [row, row], color=colour, solid_capstyle="butt", **line)
        mark = {"marker": "D", "markerfacecolor": "white"} if row in hollow else {"marker": "o"}
        axes.plot([value], [row], color=colour, markersize=7, linestyle="none", **mark)
        axes.annotate(f"{value:.2f}", (1, row), xycoords=("axes fraction", "data"), va="center", fontsize=10)
    axes.set_yticks(range(len(names)), labels=list(names))
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    ends = np.array([*values, *low, *high, chance], dtype=float)
    axes.set_xlim(np.nanmin(ends) - 0.02, np.nanmax(ends) + 0.02)
    axes.set_xlabel(label)
    return figure


def _running_median(values: Numbers) -> Numbers:
    """Median over a twentieth of the curve around each point."""
    half = max(1, len(values) // 40)
    return np.array([np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))])
