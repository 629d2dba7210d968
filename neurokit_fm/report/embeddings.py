"""Embeddings of a recording: their principal components, and how alike its moments are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from neurokit_fm.data.events import Events
from neurokit_fm.report.canvas import COLOURS, MARKERS, canvas, styled

LABELS = 6
"""Most event labels told apart, the most frequent first."""

LARGEST = 1500
"""Most windows of a similarity map; longer recordings are thinned out."""

Values = npt.NDArray[Any]


def components(values: Values, count: int = 3) -> tuple[Values, Values]:
    """Principal components of embeddings.

    Parameters
    ----------
    values : ndarray, shape (W, D)
    count : int

    Returns
    -------
    ndarray, shape (W, count), float64
        Scores; 0 beyond the rank. Signs are chosen so that the largest weight of each component is positive.
    ndarray, shape (count,), float64
        Share of the variance.
    """
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    count_found = min(count, len(s))
    sign = np.sign(vt[np.arange(count_found), np.abs(vt[:count_found]).argmax(axis=1)])
    scores, share = np.zeros((len(values), count)), np.zeros(count)
    scores[:, :count_found] = u[:, :count_found] * s[:count_found] * np.where(sign == 0, 1, sign)
    share[:count_found] = s[:count_found] ** 2 / max(float((s**2).sum()), np.finfo(float).tiny)
    return scores, share


def similarity(values: Values) -> Values:
    """Cosine similarity of each two windows after the mean over windows is taken off, shape (W, W)."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(length > 0, length, 1)
    return np.asarray(unit @ unit.T)


@styled
def embedding_map(values: Values, times: Values, events: Events) -> Figure:
    """Draw the first principal components of windows, by time and by event, and over time.

    Parameters
    ----------
    values : ndarray, shape (W, D)
    times : ndarray, shape (W, 2), seconds
        Start and stop of each window.
    events : Events
        A window carries the label of the event nearest to its middle, if that is nearer than half a step.
    """
    scores, share = components(values)
    middle = times.mean(axis=1)
    names = [f"PC{i + 1} ({100 * part:.0f} %)" for i, part in enumerate(share)]
    labels = list(events.counts())[:LABELS]
    figure, empty = canvas(10.0, 8.2)
    empty.remove()
    grid = figure.add_gridspec(3, 2, height_ratios=(2.6, 1.2, 0.16 + 0.16 * max(1, len(labels))))
    by_time, by_event = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    course = figure.add_subplot(grid[1, :])
    ticks = figure.add_subplot(grid[2, :], sharex=course)

    dots = by_time.scatter(scores[:, 0], scores[:, 1], c=middle, cmap="cividis", s=14, linewidth=0)
    figure.colorbar(dots, ax=by_time, label="time (s)", shrink=0.8)
    held = _nearest_event(times, events.labelled(*labels))
    for colour, marker, label in zip(("#aab3bb", *COLOURS), (".", *MARKERS), ("", *labels), strict=False):
        rows = held == label
        shown = f"{label or 'no event'} ({int(rows.sum())})"
        by_event.scatter(scores[rows, 0], scores[rows, 1], c=colour, marker=marker, s=18, linewidth=0, label=shown)
    by_event.legend(fontsize=8, title="event in mid-window", title_fontsize=8, loc="best")
    by_time.set_title("windows, by time")
    by_event.set_title("windows, by event")
    for axes in (by_time, by_event):
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])

    gap = 3.2 * float(scores.std(axis=0).max()) or 1.0
    for i, name in enumerate(names):
        course.plot(middle, scores[:, i] - i * gap, color=COLOURS[i], linewidth=0.9, label=name)
    course.set_yticks([-i * gap for i in range(len(names))], labels=[f"PC{i + 1}" for i in range(len(names))])
    course.tick_params(labelbottom=False)
    course.set_title("components over time")
    for row, (colour, label) in enumerate(zip(COLOURS, labels, strict=False)):
        ticks.vlines(events.labelled(label).onset, row - 0.35, row + 0.35, color=colour, linewidth=0.9)
    ticks.set_yticks(range(len(labels)), labels=labels)
    ticks.set_ylim(len(labels) - 0.4, -0.6)
    ticks.set_xlim(times[0, 0], times[-1, 1])
    ticks.set_xlabel("time (s)")
    course.spines["bottom"].set_visible(False)
    course.tick_params(axis="x", length=0)
    for axes in (course, ticks):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return figure


@styled
def similarity_map(values: Values, times: Values) -> Figure:
    """Draw how alike each two windows are; blocks on the diagonal are states that last.

    Parameters
    ----------
    values : ndarray, shape (W, D)
    times : ndarray, shape (W, 2), seconds
    """
    every = -(-len(values) // LARGEST)
    figure, axes = canvas(6.6, 5.4)
    span = (float(times[0, 0]), float(times[-1, 1]))
    image = axes.imshow(
        similarity(values)[::every, ::every], cmap="RdBu_r", vmin=-1, vmax=1, extent=(*span, span[1], span[0]),
        interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(image, ax=axes, label="cosine similarity, mean taken off", shrink=0.85)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("time (s)")
    return figure


def neighbours(values: Values, times: Values, count: int = 6) -> list[tuple[float, float, float]]:
    """Windows spread over the recording, each with the one most like it that does not overlap it.

    Returns
    -------
    list of (float, float, float)
        Start of a window, start of its nearest neighbour (seconds), their similarity.
    """
    alike = similarity(values)
    found = []
    for row in np.unique(np.linspace(0, len(values) - 1, count).round().astype(int)):
        apart = (times[:, 0] >= times[row, 1]) | (times[:, 1] <= times[row, 0])
        if apart.any():
            best = int(np.argmax(np.where(apart, alike[row], -np.inf)))
            found.append((float(times[row, 0]), float(times[best, 0]), float(alike[row, best])))
    return found


def _nearest_event(times: Values, events: Events) -> npt.NDArray[np.str_]:
    """Label of the event at the middle of each window, within half a step; empty where there is none, shape (W,)."""
    middle = times.mean(axis=1)
    if not len(events):
        return np.full(len(times), "")
    step = float(np.median(np.diff(times[:, 0]))) if len(times) > 1 else float(times[0, 1] - times[0, 0])
    after = (
        np.searchsorted(events.onset, middle).clip(1, len(events) - 1) if len(events) > 1 else np.zeros(len(times), int)
    )
    nearest = np.where(middle - events.onset[after - 1] < events.onset[after] - middle, after - 1, after)
    return np.where(np.abs(events.onset[nearest] - middle) <= step / 2, np.array(events.label)[nearest], "")
