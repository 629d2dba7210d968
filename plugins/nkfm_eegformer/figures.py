"""Pictures of codes: where and when patterns speak, what they look like, how the codebook is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.interpolate import RBFInterpolator
from scipy.signal import butter, sosfiltfilt

from neurokit_fm import Channels
from neurokit_fm.report.canvas import COLOURS, FAINT, INK, SOFT, canvas, styled
from neurokit_fm.report.sensors import project
from nkfm_eegformer.reading import Pattern

Numbers = npt.NDArray[Any]

SLOWEST_HZ = 0.5
"""Traces are shown without what is slower."""


def name_of(key: Sequence[int]) -> str:
    """How a pattern is written: 43-31."""
    return "-".join(map(str, key))


def band_of(pattern: Pattern) -> str:
    """Frequencies a pattern covers, in words."""
    return f"{pattern.hz.min():.3g} to {pattern.hz.max():.3g} Hz"


@styled
def evidence_map(evidence: Numbers, times: Numbers, inside: Numbers, names: Sequence[str], *, title: str) -> Figure:
    """Draw the evidence of windows over time, summed over the head and channel by channel.

    Parameters
    ----------
    evidence : ndarray, shape (W, C)
    times : ndarray, shape (W, 2), seconds
    inside : ndarray, shape (W,), bool
        Marked along the top.
    names : sequence of str
        C of them, in the order they are drawn.
    title : str
        What the evidence is for.
    """
    figure, (total, each) = canvas(
        10.0, 2.6 + 0.15 * len(names), 2, 1, sharex=True, height_ratios=(1.0, 0.5 + 0.11 * len(names))
    )
    order = np.argsort(times[:, 0], kind="stable")
    evidence, times, inside = evidence[order], times[order], inside[order]
    edges = _edges(times)
    for first, last in _stretches(inside):
        for axes in (total, each):
            axes.axvspan(edges[first], edges[last], color="#f4dfd3" if axes is total else "none", linewidth=0)
    total.axhline(0, color=FAINT, linewidth=1)
    total.stairs(evidence.sum(axis=1), edges, color=INK, linewidth=1.0, baseline=None)
    total.set_ylabel("all channels")
    total.set_title(title)
    limit = float(np.quantile(np.abs(evidence), 0.995)) or 1.0
    image = each.pcolormesh(
        edges, np.arange(len(names) + 1), evidence.T, cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True
    )
    for first, last in _stretches(inside):
        each.plot([edges[first], edges[last]], [-0.35, -0.35], color=COLOURS[1], linewidth=4, solid_capstyle="butt")
    each.set_yticks(np.arange(len(names)) + 0.5, labels=list(names), fontsize=8 if len(names) <= 40 else 5)
    each.set_ylim(len(names), -0.8)
    each.set_xlim(edges[0], edges[-1])
    each.set_xlabel("time in the recording (s)")
    each.spines["left"].set_visible(False)
    each.tick_params(axis="y", length=0)
    figure.colorbar(image, ax=[total, each], label="evidence (nats)", shrink=0.6, pad=0.01)
    return figure


@styled
def excerpt(
    times: Numbers,
    signal: Numbers,
    names: Sequence[str],
    marks: Sequence[tuple[int, float, float, int]],
    patterns: Sequence[Pattern],
    map_of: tuple[Channels, Numbers],
    spans: Sequence[tuple[float, float]],
    *,
    unit: str,
    name: str,
) -> Figure:
    """Draw some channels with telling patterns where they stand, and a map of the evidence of the whole stretch.

    Parameters
    ----------
    times : ndarray, shape (T,), seconds
    signal : ndarray, shape (R, T), in `unit`
    names : sequence of str
        R of them.
    marks : sequence of (row, start, stop, number of the pattern)
        Times in seconds.
    patterns : sequence of Pattern
    map_of : Channels (C), ndarray (C,)
        Evidence of each channel.
    spans : sequence of (float, float)
        When what the patterns speak for is there, seconds.
    unit, name : str
    """
    figure, empty = canvas(11.0, 1.9 + 0.6 * len(names))
    empty.remove()
    grid = figure.add_gridspec(2, 2, width_ratios=(3.3, 1), height_ratios=(3, 2))
    axes, head = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    sfreq = (len(times) - 1) / (times[-1] - times[0])
    traces = _band(signal, SLOWEST_HZ, None, sfreq)
    spread = 1.6 * float(np.quantile(np.abs(traces), 0.99)) or 1.0
    levels = -spread * np.arange(len(names))
    for start, stop in spans:
        axes.plot([start, stop], [0.95 * spread] * 2, color=INK, linewidth=4, solid_capstyle="butt")
    axes.plot(times, (traces + levels[:, None]).T, color="#8d979f", linewidth=0.7, zorder=2)
    owner = np.full(signal.shape, -1)  # (R, T) the pattern shown there
    for row, start, stop, number in sorted(marks, key=lambda mark: -mark[3]):
        owner[row, (times >= start) & (times <= stop)] = number  # the most telling comes last
    for number, what in enumerate(patterns):
        colour = COLOURS[number % len(COLOURS)]
        band = _band(signal, what.hz.min(), what.hz.max(), sfreq) + levels[:, None]
        for row in range(len(names)):
            for first, last in _stretches(owner[row] == number):
                here = slice(first, last)
                low, high = levels[row] - 0.45 * spread, levels[row] + 0.45 * spread
                axes.fill_between(times[[first, last - 1]], low, high, color=colour, alpha=0.16, linewidth=0)
                axes.plot(times[here], band[row, here], color=colour, linewidth=1.2, zorder=3)
    axes.set_yticks(levels, labels=list(names))
    axes.set_ylim(levels[-1] - 0.8 * spread, 1.15 * spread)
    axes.set_xlim(times[0], times[-1])
    axes.set_xlabel("time in the recording (s)")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    height = _nice(spread)
    right = times[-1] + 0.012 * (times[-1] - times[0])
    axes.plot([right] * 2, [levels[-1] - height / 2, levels[-1] + height / 2], color=SOFT, linewidth=2, clip_on=False)
    axes.annotate(f"{height:g} {unit}", (right, levels[-1]), (4, 0), textcoords="offset points", va="center", fontsize=8,
                  annotation_clip=False)  # fmt: skip
    _topography(head, *map_of, label="evidence (nats)")
    head.set_title("evidence on the head", fontsize=10)
    words = figure.add_subplot(grid[1, 1])
    words.set_axis_off()
    for number in np.unique(owner[owner >= 0]):
        p = patterns[number]
        words.plot([], [], color=COLOURS[number % len(COLOURS)], linewidth=4, label=f"{name_of(p.key)}  {band_of(p)}")
    words.plot([], [], color="#8d979f", linewidth=1, label="recorded")
    if spans:
        words.plot([], [], color=INK, linewidth=4, label=name)
    words.legend(loc="upper left", fontsize=9, borderaxespad=0, title="patterns, in their band", title_fontsize=9,
                 alignment="left")  # fmt: skip
    return figure


@styled
def pattern_grid(patterns: Sequence[Pattern], channels: Channels, titles: Sequence[str], columns: int = 5) -> Figure:
    """Draw for each pattern its mean spectrum beside the usual one, and where on the head it occurs.

    Parameters
    ----------
    patterns : sequence of Pattern
    channels : Channels
    titles : sequence of str
        One a pattern, drawn in its colour.
    columns : int
    """
    rows = -(-len(patterns) // columns)
    figure, empty = canvas(10.4, 3.3 * rows)
    empty.remove()
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=(1.0, 1.25) * rows)
    for number, (what, title) in enumerate(zip(patterns, titles, strict=True)):
        row, column = divmod(number, columns)
        above = figure.add_subplot(grid[2 * row, column])
        below = figure.add_subplot(grid[2 * row + 1, column])
        colour = COLOURS[number % len(COLOURS)]
        above.plot(what.hz, what.usual, color="#9aa4ac", linewidth=1.2)
        above.plot(what.hz, what.mean, color=colour, linewidth=1.6)
        above.set_title(title, fontsize=9, color=INK)
        above.tick_params(labelsize=8)
        above.set_xlabel("Hz", fontsize=8, labelpad=1)
        if column == 0:
            above.set_ylabel("amplitude (SD)", fontsize=8)
        _topography(below, channels, what.rate, label="per window", diverging=False)
    return figure


@styled
def codes_over_time(codes: Numbers, times: Numbers, inside: Numbers, order: Numbers) -> Figure:
    """Draw how often each code occurs in each window.

    Parameters
    ----------
    codes : ndarray, shape (W, C, M), int
    times : ndarray, shape (W, 2), seconds
    inside : ndarray, shape (W,), bool
    order : ndarray, shape (K',), int
        Codes to draw, from the top.
    """
    figure, axes = canvas(10.0, 4.2)
    by_time = np.argsort(times[:, 0], kind="stable")
    shown = np.stack([(codes[by_time] == code).mean(axis=(1, 2)) for code in order])  # (K', W)
    shown = shown / np.maximum(np.quantile(shown, 0.99, axis=1, keepdims=True), 1e-12)
    edges = _edges(times[by_time])
    image = axes.pcolormesh(edges, np.arange(len(order) + 1), shown, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    for first, last in _stretches(inside[by_time]):
        axes.plot([edges[first], edges[last]], [-0.02 * len(order)] * 2, color=COLOURS[1], linewidth=4,
                  solid_capstyle="butt")  # fmt: skip
    axes.set_ylim(len(order), -0.045 * len(order))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_yticks([])
    axes.set_ylabel("codes, low to high frequency")
    axes.set_xlabel("time in the recording (s)")
    figure.colorbar(image, ax=axes, label="how often, over nearly its most", shrink=0.8, pad=0.01)
    return figure


@styled
def code_usage(counts: Numbers, perplexity: float) -> Figure:
    """Draw how often each code occurs, most frequent first."""
    figure, axes = canvas(8.6, 2.6)
    share = np.sort(counts)[::-1] / max(1, counts.sum())
    axes.bar(np.arange(len(share)), share, width=1.0, color=COLOURS[0])
    axes.axhline(1 / len(share), color=SOFT, linestyle="--", linewidth=1)
    axes.annotate("all alike", (1, 1 / len(share)), (-2, 3), xycoords=("axes fraction", "data"), ha="right",
                  textcoords="offset points", fontsize=9, color=SOFT)  # fmt: skip
    axes.axvline(perplexity, color=COLOURS[1], linewidth=1.2)
    axes.annotate(f"perplexity {perplexity:.0f}", (perplexity, 1), (4, -10), xycoords=("data", "axes fraction"),
                  textcoords="offset points", fontsize=9, color=COLOURS[1])  # fmt: skip
    axes.set_xlim(-0.5, len(share) - 0.5)
    axes.set_xlabel("codes, most frequent first")
    axes.set_ylabel("share of patches")
    return figure


@styled
def anomaly_courses(scores: Mapping[str, Numbers], times: Numbers, inside: Numbers) -> Figure:
    """Draw scores of windows (W,) over time, with the windows of interest shaded."""
    figure, rows = canvas(10.0, 0.8 + 1.15 * len(scores), len(scores), 1, sharex=True, squeeze=False)
    order = np.argsort(times[:, 0], kind="stable")
    edges = _edges(times[order])
    for axes, (name, values), colour in zip(rows[:, 0], scores.items(), COLOURS, strict=False):
        for first, last in _stretches(inside[order]):
            axes.axvspan(edges[first], edges[last], color="#f4dfd3", linewidth=0)
        axes.stairs(values[order], edges, color=colour, linewidth=1.2, baseline=None)
        axes.set_title(name, fontsize=9)
        axes.set_xlim(edges[0], edges[-1])
        axes.tick_params(labelsize=8)
    rows[-1, 0].set_xlabel("time in the recording (s)")
    return figure


def _topography(axes: Any, channels: Channels, values: Numbers, *, label: str, diverging: bool = True) -> None:
    """Interpolate a value of each channel over the head."""
    axes.set_aspect("equal")
    axes.set_axis_off()
    known = channels.has_position
    if known.sum() < 4:
        axes.text(0.5, 0.5, "no positions", ha="center", transform=axes.transAxes, color=SOFT, fontsize=8)
        return
    xy = project(channels.position, channels.frame)[known]
    rim = max(1.0, float(np.linalg.norm(xy, axis=1).max()))
    side = np.linspace(-rim, rim, 60)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    smooth = RBFInterpolator(xy, np.asarray(values)[known], kernel="thin_plate_spline", smoothing=1e-3)(grid)
    inside = np.linalg.norm(grid, axis=1) <= rim
    picture = np.where(inside, smooth, np.nan).reshape(60, 60)
    if diverging:
        high = float(np.abs(values).max()) or 1.0
        low, cmap = -high, "RdBu_r"
    else:
        low, high, cmap = float(np.min(values)), float(np.max(values)), "viridis"
        high = high if high > low else low + 1e-9
    image = axes.imshow(
        picture, extent=(-rim, rim, -rim, rim), origin="lower", cmap=cmap, vmin=low, vmax=high, interpolation="bilinear"
    )
    turn = np.linspace(0, 2 * np.pi, 121)
    axes.plot(rim * np.cos(turn), rim * np.sin(turn), color=SOFT, linewidth=1.2)
    axes.plot([-0.12, 0, 0.12], [0.99 * rim, 1.14 * rim, 0.99 * rim], color=SOFT, linewidth=1.2)
    axes.scatter(*xy.T, s=3, color=INK, linewidth=0, zorder=3)
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.62, pad=0.02, aspect=18)
    bar.set_ticks([low, high] if not diverging else [low, 0, high])
    bar.ax.set_xticklabels([f"{tick:.0f}" if abs(tick) >= 100 else f"{tick:.2g}" for tick in bar.get_ticks()])
    bar.ax.tick_params(labelsize=7, length=2)
    bar.set_label(label, fontsize=7, labelpad=0)


def _band(signal: Numbers, low: float, high: float | None, sfreq: float) -> Numbers:
    """Signal within a band, zero phase, never slower than `SLOWEST_HZ`; no upper end where it reaches the Nyquist one."""
    low = max(low, SLOWEST_HZ)
    open_above = high is None or high >= 0.95 * sfreq / 2
    edge = low if open_above else [low, max(high or 0.0, low + 0.5)]
    filtered = sosfiltfilt(
        butter(2, edge, "highpass" if open_above else "bandpass", fs=sfreq, output="sos"), signal, axis=1
    )
    return np.asarray(filtered)


def _edges(times: Numbers) -> Numbers:
    """Borders between windows that may overlap: half way between their middles, (W + 1,)."""
    middle = times.mean(axis=1)
    if len(middle) == 1:
        return np.asarray(times[0])
    between = (middle[1:] + middle[:-1]) / 2
    return np.concatenate([[2 * middle[0] - between[0]], between, [2 * middle[-1] - between[-1]]])


def _stretches(flags: Numbers) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _nice(value: float) -> float:
    """Largest 1, 2 or 5 times a power of ten that is not above half the value."""
    power = 10.0 ** np.floor(np.log10(value / 2))
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= value / 2 * (1 + 1e-9)))
