"""The sections on what a model learned: its training, the patches it fills in, and how its features do in a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.series import TimeSeries
from neurokit_fm.evaluation.report import PUBLISHED, WILSON, wilson
from neurokit_fm.probing import ProbeReport
from neurokit_fm.report.curves import forest, loss_curve
from neurokit_fm.report.page import Picture, Section, Table
from neurokit_fm.report.reconstruction import Grid
from neurokit_fm.report.signals import signal_with_reconstruction
from neurokit_fm.training import History

SHOWN = 7
"""Channels in the picture of a reconstruction."""


def training_section(
    history: History,
    held_out: Sequence[tuple[int, float]],
    errors: Mapping[str, float],
    *,
    text: str = "",
    settings: Sequence[tuple[str, object]] = (),
) -> Section:
    """Show the losses of a masked model over training, beside predictors that learn nothing.

    Parameters
    ----------
    history : History
    held_out : sequence of (int, float)
        Step and loss of hidden patches that were not trained on, always the same ones.
    errors : mapping of str to float
        Error of plain predictions of those patches.
    text : str
    settings : sequence of (str, object)
    """
    steps, losses = (np.array(column) for column in zip(*held_out, strict=True))
    last = float(losses[-1])
    ranked = sorted([("this model", last), *errors.items()], key=lambda pair: pair[1])
    return Section(
        title="Training",
        text=text,
        pictures=[
            Picture(
                figure=loss_curve(history.parts, held_out=(steps, losses), levels=errors, unit="standard deviations"),
                alt=f"Loss over {len(history.steps)} steps; held out it ends at {last:.3f}",
                caption="Faint: each step; line: running median. Primary: hidden patches from visible ones; secondary: from "
                "one pooled vector. Dots: hidden patches of the stretch that was not trained on, always the same ones. "
                "Horizontal lines: what predictors without any training reach on these.",
            )
        ],
        tables=[
            Table(
                header=("prediction of the held-out hidden patches", "mean absolute error", "model / this"),
                rows=[(name, error, last / error) for name, error in ranked],
                caption="In standard deviations of the channel. Below 1 in the last column: the model is better.",
                marked=[i for i, (name, _) in enumerate(ranked) if name == "this model"],
            ),
            *([Table(header=("setting", "value"), rows=list(settings))] if settings else []),
        ],
    )


def reconstruction_section(grid: Grid, starts: npt.NDArray[np.float64], signal: TimeSeries) -> Section:
    """Show hidden patches and their prediction in one typical window.

    Parameters
    ----------
    grid : Grid
        Of held-out windows, its patches side by side in time.
    starts : ndarray, shape (B,), seconds
        Start of each window on the recording's clock.
    signal : TimeSeries
        The recording as the model gets it, but in SI units, for the scale.
    """
    b, c, steps, w = grid.truth.shape
    microvolts = 1e6 * np.array([signal.read(rows=[row]).std() for row in range(c)])  # (C,) one standard deviation
    misses = [np.abs(grid.predicted[i] - grid.truth[i])[grid.hidden[i]].mean() for i in range(b)]
    typical = int(np.argsort(misses)[b // 2])
    front_to_back = np.argsort(-grid.position[:, 1], kind="stable")
    rows = front_to_back[np.unique(np.linspace(0, c - 1, SHOWN).round().astype(int))]
    size = microvolts[rows, None]
    errors, correlations = grid.by_channel()
    names = signal.channels.name
    return Section(
        title="Hidden patches and their prediction",
        text=f"One held-out window out of {b}: the one whose error is the median. Channels are chosen from front to back by "
        "place alone. The model sees the recorded signal outside the grey patches only.",
        pictures=[
            Picture(
                figure=signal_with_reconstruction(
                    starts[typical] + np.arange(steps * w) / signal.sfreq,
                    grid.truth[typical, rows].reshape(len(rows), -1) * size,
                    grid.predicted[typical, rows].reshape(len(rows), -1) * size,
                    np.repeat(grid.hidden[typical, rows], w, axis=1),
                    names=[names[row] for row in rows],
                    unit="µV",
                ),
                alt=f"{len(rows)} channels over {steps * w / signal.sfreq:g} s with hidden patches shaded and their prediction",
                caption="Black: recorded (filtered as the contract says). Orange: predicted. Grey: hidden.",
            )
        ],
        tables=[
            Table(
                header=("channel", "hidden patches", "mean absolute error (µV)", "correlation"),
                rows=[
                    (names[row], int(grid.hidden[:, row].sum()), float(errors[row] * microvolts[row]), f"{correlations[row]:.2f}")
                    for row in range(c)
                ],
                caption="Predicted against recorded samples, over all held-out hidden patches of each channel.",
                folded=True,
            )
        ],
    )  # fmt: skip


def probe_section(report: ProbeReport, *, text: str = "") -> Section:
    """Show the scores of a probe beside its baselines and what others report, with intervals, chance level and verdict."""
    every = report.every
    mine = range(len(report.scores))
    shown = [(s.method, s.value, s.low, s.high) for s in every]
    shown += [(f"{p.method} (published)", p.accuracy, *wilson(p.accuracy, p.n_test)) for p in report.published]
    beside = "; open diamonds: accuracy published by others, Wilson interval" if report.published else ""
    n_train, n_test, metric = every[0].n_train, every[0].n_test, every[0].metric
    others = list(dict.fromkeys(m.name for s in every for m in s.others))
    cells = [{m.name: f"{m.value:.3f} ({m.low:.2f} to {m.high:.2f})" for m in s.others} for s in every]
    return Section(
        title="Probe",
        text="\n\n".join(part for part in (text, report.verdict.replace("\n", "\n\n")) if part),
        pictures=[
            Picture(
                figure=forest(
                    *map(list, zip(*shown, strict=True)),
                    chance=every[0].chance,
                    label=f"{metric} on {n_test} test trials, with 95 % interval",
                    marked=mine,
                    hollow=range(len(every), len(shown)),
                ),
                alt=f"{metric.capitalize()} of each method: "
                + ", ".join(f"{name} {value:.2f}" for name, value, *_ in shown),
                caption=f"Blue: models; grey: plain methods on the same trials; bootstrap intervals{beside}. Where an interval "
                "reaches the chance level, the score may be luck.",
            )
        ],
        tables=[
            Table(
                header=("method", metric, "95 % interval", "chance", "p (permutation)"),
                rows=[
                    (
                        s.method,
                        f"{s.value:.3f}",
                        f"{s.low:.3f} to {s.high:.3f}",
                        f"{s.chance:.2f}",
                        "< 0.001" if s.p_value < 0.001 else f"{s.p_value:.3f}",
                    )
                    for s in every
                ]
                + [
                    (name, f"{value:.3f} (accuracy)", f"{low:.3f} to {high:.3f}", "–", "–")
                    for name, value, low, high in shown[len(every) :]
                ],
                caption=f"{n_train} training and {n_test} test trials.",
                marked=mine,
            ),
            *(
                [
                    Table(
                        header=("method", *others),
                        rows=[
                            (s.method, *(cell.get(name, "–") for name in others))
                            for s, cell in zip(every, cells, strict=True)
                        ],
                        caption="Other measures of the same predictions, with 95 % intervals.",
                        marked=mine,
                        folded=True,
                    )
                ]
                if others
                else []
            ),
            Table(
                header=("method", "how"),
                rows=[(s.method, f"{s.protocol}; seed {s.seed}") for s in every]
                + [(p.method, f"{PUBLISHED}: {p.source}; {WILSON} of {p.n_test} trials") for p in report.published],
            ),
        ],
    )
