"""Pictures of a fitted switching model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from neurokit_fm.report.canvas import COLOURS, INK, SOFT, canvas, styled

Numbers = npt.NDArray[Any]


def state_colours(n_states: int) -> list[str]:
    """One colour a state; they repeat after seven."""
    return [COLOURS[s % len(COLOURS)] for s in range(n_states)]


@styled
def state_raster(times: Numbers, bin_s: float, posterior: Numbers, path: Numbers, activity: Numbers) -> Figure:
    """Draw activity, the posterior of every state and the most probable path, over one stretch.

    Parameters
    ----------
    times : ndarray, shape (T,), seconds
    bin_s : float, seconds
    posterior : ndarray, shape (T, S)
    path : ndarray, shape (T,)
    activity : ndarray, shape (T, N)
    """
    figure, axes = canvas(10, 5.6, 3, 1, sharex=True, gridspec_kw={"height_ratios": [5, 3, 0.7]})
    edges = (times[0], times[-1] + bin_s)
    spread = activity.std(0)
    shown = (activity - activity.mean(0)) / np.where(spread > 0, spread, 1) if activity.min() < 0 else activity
    low, high = (-3, 3) if activity.min() < 0 else (0, max(1.0, float(np.quantile(activity, 0.995))))
    axes[0].imshow(shown.T, aspect="auto", interpolation="nearest", cmap="gray_r", vmin=low, vmax=high,
                   extent=(*edges, activity.shape[1] - 0.5, -0.5))  # fmt: skip
    axes[0].set_ylabel("neuron")
    axes[1].stackplot(times + bin_s / 2, posterior.T, colors=state_colours(posterior.shape[1]), linewidth=0)
    axes[1].set_ylim(0, 1)
    axes[1].set_ylabel("probability")
    colours = ListedColormap(state_colours(posterior.shape[1]))
    axes[2].imshow(path[None], aspect="auto", interpolation="nearest", cmap=colours, vmin=-0.5,
                   vmax=posterior.shape[1] - 0.5, extent=(*edges, 0, 1))  # fmt: skip
    axes[2].set_yticks([])
    axes[2].set_ylabel("path", rotation=0, ha="right", va="center")
    axes[2].set_xlabel("time (s)")
    return figure


@styled
def couplings(
    matrices: Numbers, titles: Sequence[str], *, limit: float | None = None, label: str = "coupling"
) -> Figure:
    """Draw matrices (S, N, N) [target, source] side by side on one colour scale that is symmetric around 0."""
    top = limit if limit is not None else max(1e-9, float(np.quantile(np.abs(matrices), 0.995)))
    columns = min(4, len(matrices))
    rows = -(-len(matrices) // columns)
    figure, axes = canvas(2.7 * columns + 1, 2.9 * rows, rows, columns, squeeze=False)
    for axis in axes.flat[len(matrices) :]:
        axis.set_visible(False)
    for axis, matrix, title in zip(axes.flat, matrices, titles, strict=False):
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("source")
        axis.set_ylabel("target")
    figure.colorbar(image, ax=list(axes.flat[: len(matrices)]), shrink=0.8, label=label)
    return figure


@styled
def transition_matrix(matrix: Numbers) -> Figure:
    """Draw transition probabilities [from, to] with their values."""
    n = len(matrix)
    figure, axes = canvas(0.75 * n + 2.2, 0.7 * n + 1.4)
    axes.imshow(np.log10(np.maximum(matrix, 1e-4)), cmap="Blues", vmin=-4, vmax=0.5)
    for i in range(n):
        for j in range(n):
            axes.text(
                j, i, f"{matrix[i, j]:.3f}", ha="center", va="center", fontsize=9, color="white" if i == j else INK
            )
    axes.set_xticks(range(n), labels=[str(k + 1) for k in range(n)])
    axes.set_yticks(range(n), labels=[str(k + 1) for k in range(n)])
    axes.set_xlabel("to state")
    axes.set_ylabel("from state")
    return figure


@styled
def dwell_times(seconds: Sequence[Numbers], bin_s: float) -> Figure:
    """Draw, for each state, the share of visits that last longer than a time."""
    figure, axes = canvas(6.4, 3.4)
    for s, visits in enumerate(seconds):
        if len(visits):
            ordered = np.sort(visits)
            left = 1 - np.arange(len(ordered)) / len(ordered)
            axes.step(ordered, left, where="post", color=COLOURS[s % len(COLOURS)], label=f"state {s + 1}")
    axes.set_xscale("log")
    axes.set_xlim(left=0.8 * bin_s)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("duration of a visit (s)")
    axes.set_ylabel("share that lasts longer")
    axes.legend(fontsize=9)
    return figure


@styled
def state_curve(n_states: Sequence[int], held_out: Numbers, best: int) -> Figure:
    """Draw held-out log-likelihood (K, folds) over the number of states; thin lines are folds, relative to one state."""
    figure, axes = canvas(6.4, 3.4)
    gain = held_out - held_out[:1]
    axes.plot(n_states, gain, color=SOFT, linewidth=0.8)
    axes.plot(n_states, gain.mean(1), color=COLOURS[0], marker="o", label="mean of folds")
    axes.axvline(best, color=COLOURS[1], linestyle="--", linewidth=1.2, label=f"chosen: {best}")
    axes.set_xticks(list(n_states))
    axes.set_xlabel("number of states")
    axes.set_ylabel(f"held-out gain over {n_states[0]} state{'s' * (n_states[0] > 1)}\n(nats per bin)")
    axes.legend(fontsize=9)
    return figure


@styled
def convergence(trace: Numbers, n_bins: int) -> Figure:
    """Draw the penalised log-likelihood over the iterations of the last stage."""
    figure, axes = canvas(6.4, 2.8)
    axes.plot(np.asarray(trace) / n_bins, color=COLOURS[0])
    axes.set_xlabel("iteration")
    axes.set_ylabel("penalised log-likelihood\n(nats per bin)")
    return figure
