"""Cells of a benchmark: each is measured once, in any process, and leaves one row with everything needed to repeat it."""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from tqdm import tqdm

from neurokit_fm import __version__
from neurokit_fm.benchmarking.recipe import BenchRecipe, MethodConfig, ModelConfig, TaskConfig
from neurokit_fm.config import write_config
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, NkfmError
from neurokit_fm.evaluation.outcome import Outcome
from neurokit_fm.evaluation.protocols import folds
from neurokit_fm.finetuning import Finetuning
from neurokit_fm.hub import load_model
from neurokit_fm.model import Model
from neurokit_fm.probing.cache import FeatureCache
from neurokit_fm.probing.leaks import refuse_leaks
from neurokit_fm.probing.methods import Method, evaluate, model_probe
from neurokit_fm.probing.plain_methods import PLAIN, plain_methods
from neurokit_fm.registry import datasets

ROWS, OUTCOMES, FEATURES = "rows", "outcomes", "features"


@dataclass(frozen=True)
class Cell:
    """One model, or one plain method, on one task with one seed.

    Attributes
    ----------
    task : TaskConfig
    model : ModelConfig or None
        None for a plain method.
    method : MethodConfig or str
        A str names a plain method.
    seed : int
    """

    task: TaskConfig
    model: ModelConfig | None
    method: MethodConfig | str
    seed: int

    def about(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values."""
        return {
            "task": write_config(self.task),
            "model": None if self.model is None else write_config(self.model),
            "method": self.method if isinstance(self.method, str) else write_config(self.method),
            "seed": self.seed,
        }

    def key(self) -> str:
        """Name of its files."""
        return hashlib.sha256(json.dumps(self.about(), sort_keys=True, default=str).encode()).hexdigest()[:20]

    @property
    def titles(self) -> tuple[str, str, str]:
        """Task, model and method as the tables call them."""
        how = self.method if isinstance(self.method, str) else self.method.title
        return self.task.title, "plain" if self.model is None else self.model.title, how


def cells_of(recipe: BenchRecipe) -> list[Cell]:
    """Every cell of a recipe, in order."""
    found = []
    for task in recipe.tasks:
        for seed in recipe.seeds:
            found += [Cell(task, None, name, seed) for name in PLAIN] if recipe.plain else []
            found += [
                Cell(task, model, method, seed)
                for model in recipe.models
                for method in recipe.methods
                if not method.tasks or task.title in method.tasks
            ]
    return found


def run_bench(recipe: BenchRecipe, *, progress: bool = False) -> list[dict[str, Any]]:
    """Measure every cell that has no row yet.

    Parameters
    ----------
    recipe : BenchRecipe
    progress : bool
        Show a bar.

    Returns
    -------
    list of dict
        One row a cell: ``status`` is ``done``, ``failed`` (with ``problem``; tried again the next time) or ``missing`` (the
        data are not there).

    Notes
    -----
    A row is written when its cell is done, so a run that was stopped goes on where it was. Cells of one task and seed share
    their folds; the leak check runs once for them, and a task that leaks fails as a whole.
    """
    out = Path(recipe.out)
    for folder in (ROWS, OUTCOMES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    cells = cells_of(recipe)
    known = {cell.key(): _row(out, cell) for cell in cells}
    groups: dict[tuple[str, int, str], list[Cell]] = {}
    for cell in cells:
        row = known[cell.key()]
        if row is None or row["status"] != "done":
            groups.setdefault((cell.task.title, cell.seed, cell.titles[1]), []).append(cell)
    checked = {(cell[0].task.title, cell[0].seed): cell[0] for cell in groups.values()}
    run = joblib.Parallel(n_jobs=recipe.jobs, return_as="generator")
    verdicts = dict(
        zip(checked, run(joblib.delayed(_check)(recipe, c.task, c.seed) for c in checked.values()), strict=True)
    )
    work = [joblib.delayed(_measure)(recipe, some, verdicts[name, seed]) for (name, seed, _), some in groups.items()]
    for rows in tqdm(run(work), total=len(work), unit="group", disable=not progress):
        known |= {row["key"]: row for row in rows}
    return [row for cell in cells if (row := known[cell.key()]) is not None]


def open_task(recipe: BenchRecipe, task: TaskConfig) -> Dataset:
    """Make the data set of a task.

    Raises
    ------
    FileNotFoundError
        If its data are not there.
    ConfigError
        If it takes no such setting.
    """
    make = datasets.load(task.dataset)
    values = _filled(dict(task.settings), recipe.data)
    known = inspect.signature(make).parameters
    if recipe.download and "download" in known:
        values.setdefault("download", True)
    odd = [key for key in values if key not in known]
    if odd:
        raise ConfigError(
            f"data set {task.dataset!r} takes no setting {odd[0]!r}; it takes {', '.join(known) or 'none'}"
        )
    made: Dataset = make(**values)
    return made


def _filled(value: Any, data: str) -> Any:
    if isinstance(value, str):
        return value.replace("{data}", data)
    if isinstance(value, dict):
        return {key: _filled(v, data) for key, v in value.items()}
    return [_filled(v, data) for v in value] if isinstance(value, list | tuple) else value


def _check(recipe: BenchRecipe, task: TaskConfig, seed: int) -> dict[str, Any]:
    """Whether the data are there and honest."""
    try:
        parts = folds(open_task(recipe, task), task.protocol, seed=seed)
        leaks = refuse_leaks(parts, task.by, modality=task.modality, corpora=recipe.corpora)
    except FileNotFoundError as err:
        return {"status": "missing", "problem": str(err)}
    except NkfmError as err:
        return {"status": "failed", "problem": str(err)}
    return {"status": "done", "warnings": [leak.message for leak in leaks]}


def _measure(recipe: BenchRecipe, cells: Sequence[Cell], verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure cells of one task, model and seed; features are shared."""
    torch.set_num_threads(1)
    out, rows = Path(recipe.out), []
    model: Model | None = None
    dataset: Dataset | None = None
    shared: dict[str, Any] = {}
    for cell in cells:
        started, began = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
        task, name, how = cell.titles
        row: dict[str, Any] = {
            "key": cell.key(), "titles": {"task": task, "model": name, "method": how}, **cell.about(), **verdict,
            "started": began, "neurokit_fm": __version__, "torch": torch.__version__, "machine": platform.machine(),
        }  # fmt: skip
        if verdict["status"] == "done":
            try:
                dataset = dataset or open_task(recipe, cell.task)
                if cell.model is not None and model is None:
                    model = load_model(cell.model.ref, device=recipe.device)
                method = _method(recipe, cell, model, shared)
                report = evaluate(
                    [method], dataset, cell.task.protocol, modality=cell.task.modality, seed=cell.seed, check=False
                )
            except NkfmError as err:
                row |= {"status": "failed", "problem": str(err)}
            else:
                weights = "" if model is None or model.load_report is None else model.load_report.sha256
                row |= {"score": report.scores[0].to_dict(), "weights": weights, "recordings": len(dataset)}
                row |= {"licence": dataset.licence, "citation": dataset.citation}
                row |= {"published": report.to_dict()["published"]}
                _keep(out / OUTCOMES / f"{cell.key()}.npz", report.scores[0].outcome)
        row["seconds"] = round(time.perf_counter() - started, 2)
        with atomic_path(out / ROWS / f"{cell.key()}.json") as temporary:
            temporary.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
        rows.append(row)
    return rows


def _method(recipe: BenchRecipe, cell: Cell, model: Model | None, shared: dict[str, Any]) -> Method:
    if isinstance(cell.method, str):
        plain = shared.setdefault("plain", {m.name: m for m in plain_methods(cell.task.modality)})
        found: Method = plain[cell.method]
        return found
    assert model is not None  # a cell without a model has a plain method
    assert cell.model is not None
    if cell.method.kind == "finetune":
        return Finetuning(model, cell.method.how, cell.method.settings, name=cell.model.title)
    cache = FeatureCache(Path(recipe.out) / FEATURES) if recipe.cache else None
    made = model_probe(
        model,
        cell.method.head,
        cell.method.features,
        name=cell.model.title,
        memo=shared.get(cell.method.features),
        cache=cache,
    )
    shared[cell.method.features] = made.memo
    return made


def _row(out: Path, cell: Cell) -> dict[str, Any] | None:
    path = out / ROWS / f"{cell.key()}.json"
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None  # cut short: it is measured again
    return found


def _keep(path: Path, outcome: Outcome) -> None:
    arrays = {name: getattr(outcome, name) for name in ("truth", "decision", "groups", "units")}
    about = json.dumps([outcome.kind, list(outcome.names), outcome.probability])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, about=np.array(about), **arrays)


def read_outcome(path: Path) -> Outcome:
    """Read the predictions of a cell."""
    with np.load(path, allow_pickle=False) as file:
        kind, names, probability = json.loads(str(file["about"]))
        arrays = {name: file[name] for name in ("truth", "decision", "groups", "units")}
    return Outcome(kind=kind, names=tuple(names), probability=probability, **arrays)
