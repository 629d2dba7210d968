"""The leaderboard: one line a model and method, one column a task, with intervals over groups and who is no worse than the best."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.benchmarking.cells import OUTCOMES, read_outcome
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.evaluation.outcome import Outcome, measures
from neurokit_fm.evaluation.report import flip_test, interval, resampled

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a model and method did on a task, over all seeds.

    Attributes
    ----------
    task, model, method, metric : str
    value : float
        Mean over seeds.
    low, high : float
        95 % bootstrap interval of that mean over groups (the same draws for every seed).
    chance : float
    spread : float
        Standard deviation over seeds; 0 for one.
    seeds : int
        0 for what others report, whose `model` is ``published``.
    p_best : float
        Two-sided p of being different from the best of the task; 1 for the best itself, NaN for what others report.
    """

    task: str
    model: str
    method: str
    metric: str
    value: float
    low: float
    high: float
    chance: float
    spread: float
    seeds: int
    p_best: float


def standings(out: str | Path, rows: Sequence[dict[str, Any]]) -> list[Standing]:
    """Put the seeds of each cell together and compare with the best of its task; after them, what others report."""
    done = [row for row in rows if row["status"] == "done"]
    found: list[Standing] = []
    for task in dict.fromkeys(row["titles"]["task"] for row in done):
        mine: dict[tuple[str, str], list[Outcome]] = {}
        for row in done:
            if row["titles"]["task"] == task:
                name = (row["titles"]["model"], row["titles"]["method"])
                mine.setdefault(name, []).append(read_outcome(Path(out) / OUTCOMES / f"{row['key']}.npz"))
        values = {name: np.array([_value(o) for o in some]) for name, some in mine.items()}
        best = max(values, key=lambda name: values[name].mean())
        gains = {name: _gains(some) for name, some in mine.items()}
        for name, some in mine.items():
            drawn = np.mean([_drawn(outcome) for outcome in some], axis=0)
            low, high = interval(drawn, _members(some[0]))
            found.append(
                Standing(
                    task=task, model=name[0], method=name[1], metric=some[0].metric, value=float(values[name].mean()),
                    low=low, high=high, chance=some[0].chance, spread=float(values[name].std()),
                    seeds=len(some), p_best=1.0 if name == best else _differ(gains[name], gains[best]),
                )
            )  # fmt: skip
        said = [row["published"] for row in done if row["titles"]["task"] == task and row.get("published")]
        found += [
            Standing(
                task=task, model="published", method=one["method"], metric="accuracy", value=one["accuracy"],
                low=one["low"], high=one["high"], chance=found[-1].chance, spread=math.nan, seeds=0, p_best=math.nan,
            )
            for one in (said[0] if said else ())
        ]  # fmt: skip
    return found


def write_board(out: str | Path, rows: Sequence[dict[str, Any]], *, about: str = "", command: str = "") -> str:
    """Write ``leaderboard.md``, ``.csv`` and ``.html``, and return the first.

    Parameters
    ----------
    out : path-like
        Folder of the benchmark.
    rows : sequence of dict
        As `run_bench` returns them.
    about, command : str
        What the protocol is after, and what made it.
    """
    from neurokit_fm.report.curves import forest
    from neurokit_fm.report.page import Picture, Section, Table, write_report

    folder, found = Path(out), standings(out, rows)
    text = to_markdown(found, rows, about)
    with atomic_path(folder / "leaderboard.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    table = io.StringIO()
    fields = list(Standing.__dataclass_fields__)
    writer = csv.DictWriter(table, fields)
    writer.writeheader()
    writer.writerows(vars(one) for one in found)
    with atomic_path(folder / "leaderboard.csv") as temporary:
        temporary.write_text(table.getvalue(), encoding="utf-8")
    sections = []
    for task in dict.fromkeys(one.task for one in found):
        mine = sorted((one for one in found if one.task == task), key=lambda one: -one.value)
        marked = [i for i, one in enumerate(mine) if one.model not in ("plain", "published")]
        hollow = [i for i, one in enumerate(mine) if one.model == "published"]
        ours = next(one for one in mine if one.seeds)
        sections.append(
            Section(
                title=task,
                pictures=[
                    Picture(
                        figure=forest(
                            [f"{one.model}, {one.method}" for one in mine],
                            [one.value for one in mine],
                            [one.low for one in mine],
                            [one.high for one in mine],
                            chance=mine[0].chance,
                            label=f"{ours.metric}, mean over {ours.seeds} seeds, with 95 % interval over groups",
                            marked=marked,
                            hollow=hollow,
                        ),
                        alt=f"Scores on {task}: "
                        + ", ".join(f"{one.model} {one.method} {one.value:.2f}" for one in mine),
                        caption="Blue: models; grey: plain methods on the same folds."
                        + (" Open diamonds: accuracy published by others, Wilson interval." if hollow else ""),
                    )
                ],
                tables=[
                    Table(
                        header=(
                            "model",
                            "method",
                            ours.metric,
                            "95 % interval",
                            "sd over seeds",
                            "p against the best",
                        ),
                        rows=[
                            (
                                o.model,
                                o.method,
                                f"{o.value:.3f}",
                                f"{o.low:.3f} to {o.high:.3f}",
                                f"{o.spread:.3f}" if o.seeds else "–",
                                _p(o),
                            )
                            for o in mine
                        ],
                        marked=[i for i, one in enumerate(mine) if one.p_best >= 0.05],
                        caption="Bold: not distinguishable from the best."
                        + (" What others published is not compared." if hollow else ""),
                    )
                ],
            )
        )
    if sources := _sources(rows):
        table_of = Table(header=("task", "method", "source"), rows=sources)
        sections.append(Section(title="Published figures", tables=[table_of]))
    problems = [(r["titles"]["task"], r["titles"]["model"], r["titles"]["method"], r["problem"])
                for r in rows if r["status"] != "done"]  # fmt: skip
    if problems:
        header = ("task", "model", "method", "problem")
        sections.append(Section(title="Not measured", tables=[Table(header=header, rows=problems)]))
    warnings = list(dict.fromkeys(f"{r['titles']['task']}: {w}" for r in rows for w in r.get("warnings", ())))
    write_report(
        folder / "leaderboard.html", sections, title="Leaderboard", summary=[*([about] if about else []), *warnings], command=command,
        facts=[("cells", len(rows)), ("measured", sum(r["status"] == "done" for r in rows))],
    )  # fmt: skip
    return text


def to_markdown(found: Sequence[Standing], rows: Sequence[dict[str, Any]], about: str = "") -> str:
    """One line a model and method, one column a task; ``*`` = not distinguishable from the best of the task at 5 %."""
    tasks = list(dict.fromkeys(one.task for one in found))
    names = list(dict.fromkeys((one.model, one.method) for one in found))
    at = {(one.model, one.method, one.task): one for one in found}

    def mean(name: tuple[str, str]) -> float:
        mine = [at[(*name, task)].value for task in tasks if (*name, task) in at]
        return float(np.mean(mine)) if len(mine) == len(tasks) else float("nan")

    names.sort(key=lambda name: (np.isnan(mean(name)), -mean(name) if not np.isnan(mean(name)) else 0.0))
    head = [f"{task} ({next(o.metric for o in found if o.task == task)})" for task in tasks]
    lines = (
        [f"| model | method | {' | '.join(head)} | mean |", f"|---|---|{'---|' * (len(tasks) + 1)}"] if tasks else []
    )
    for name in names:
        cells = []
        for task in tasks:
            one = at.get((*name, task))
            mark = "*" if one is not None and one.p_best >= 0.05 else ""
            cells.append("–" if one is None else f"{one.value:.3f}{mark} ({one.low:.2f} to {one.high:.2f})")
        average = "–" if np.isnan(mean(name)) else f"{mean(name):.3f}"
        lines.append(f"| {name[0]} | {name[1]} | {' | '.join(cells)} | {average} |")
    chances = ", ".join(f"{task} {next(o.chance for o in found if o.task == task):.2f}" for task in tasks)
    notes = [
        f"Chance: {chances}. * not distinguishable from the best of the task at 5 %. Intervals: 95 %, over groups."
    ]
    if any(not one.seeds for one in found):
        notes.append("published: accuracy that others report, not run here and not compared; Wilson interval.")
        notes += [f"- published, {task}: {method}: {source}" for task, method, source in _sources(rows)]
    lost: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] != "done":
            lost.setdefault(f"{row['titles']['task']}: {row['status']}: {row['problem']}", []).append(
                row["titles"]["method"]
            )
    notes += [f"- {text} ({len(some)} cells)" for text, some in lost.items()]
    notes += list(dict.fromkeys(f"- WARNING {r['titles']['task']}: {w}" for r in rows for w in r.get("warnings", ())))
    return "\n".join([*([about, ""] if about else []), *lines, "", *(notes if tasks else notes[1:])])


def _sources(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Task, method and source of every figure that others report."""
    said = [(row["titles"]["task"], one["method"], one["source"]) for row in rows for one in row.get("published", ())]
    return list(dict.fromkeys(said))


def _value(outcome: Outcome) -> float:
    return float(measures(outcome, np.ones((1, len(outcome))))[outcome.metric][0])


def _members(outcome: Outcome) -> list[Array]:
    return [np.flatnonzero(outcome.groups == name) for name in np.unique(outcome.groups)]


def _drawn(outcome: Outcome) -> Array:
    weights = resampled(np.random.default_rng(0), _members(outcome), len(outcome))
    return measures(outcome, weights)[outcome.metric]


def _gains(some: Sequence[Outcome]) -> Array:
    """Share of each group in the score, or of each trial where there is one group; mean over seeds."""
    parts = []
    for outcome in some:
        gain, members = outcome.gains(), _members(outcome)
        parts.append(np.array([gain[rows].sum() for rows in members]) if len(members) > 1 else gain)
    return np.asarray(np.mean(parts, axis=0))


def _differ(a: Array, b: Array) -> float:
    return flip_test(a - b, np.random.default_rng(0)) if len(a) == len(b) else float("nan")


def _p(one: Standing) -> str:
    return "best" if one.p_best == 1.0 else f"{one.p_best:.3f}" if one.seeds else "–"
