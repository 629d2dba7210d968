"""How every figure of a report looks: colours that the colour-blind can tell apart, few lines, readable text.

Figures are plain `matplotlib.figure.Figure` objects; pyplot and its global state are not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's palette, the most different first."""

MARKERS = ("o", "^", "s", "D", "v", "P", "X")
"""One for each colour, so that nothing is told by colour alone."""

INK, SOFT, FAINT = "#1c2329", "#68747f", "#d5dae0"
"""Text and data, secondary lines, background lines."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLOURS),
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Give a drawing function the style of the reports while it runs, and only then."""

    @wraps(draw)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawing


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any) -> tuple[Figure, Any]:
    """Make an empty figure.

    Parameters
    ----------
    width, height : float, inches
    rows, columns : int
    **grid
        For `Figure.subplots`.

    Returns
    -------
    Figure
    Axes, or ndarray of Axes, shape (rows, columns) squeezed
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **grid)
