"""BenchRecipe: what is measured with what on what, read strictly from TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, did_you_mean
from neurokit_fm.evaluation.protocols import By, Protocol
from neurokit_fm.finetuning.config import FinetuneConfig

NAMED = Path(__file__).parents[1] / "templates" / "bench"
"""Recipes that come with the package, by name."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A model to measure.

    Attributes
    ----------
    ref : str
        What `load_model` takes.
    name : str
        In the tables; default: the end of `ref`.
    """

    ref: str
    name: str = ""

    @property
    def title(self) -> str:
        """Name in tables."""
        return self.name or Path(self.ref).name


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """A data set, and how it is divided.

    Attributes
    ----------
    dataset : str
        Name in the registry.
    name : str
        Of the task in the tables; default: that of the data set.
    settings : mapping
        Arguments of the data set; ``{data}`` in a text stands for the recipe's `data`.
    by, n_folds, shots :
        See `Protocol`.
    modality : str
        Signal that plain methods and the leak check use.
    """

    dataset: str
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    by: By = "cross-subject"
    n_folds: int = 5
    shots: int = 5
    modality: str = "eeg"

    def __post_init__(self) -> None:
        self.protocol  # noqa: B018 - says now what does not fit

    @property
    def protocol(self) -> Protocol:
        """How the data set is divided."""
        return Protocol(by=self.by, n_folds=self.n_folds, shots=self.shots)

    @property
    def title(self) -> str:
        """Name in tables."""
        return self.name or self.dataset


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """What is done with a model.

    Attributes
    ----------
    kind : {"probe", "finetune"}
    head, features : str
        Of a probe.
    how : str
        Of fine-tuning.
    settings : mapping
        Of fine-tuning, see `FinetuneConfig`.
    tasks : tuple of str
        Names of the tasks it is for; empty = all.
    """

    kind: Literal["probe", "finetune"]
    head: Literal["ridge", "logistic", "lda", "ncm", "knn"] = "ridge"
    features: Literal["channels", "pooled", "tokens"] = "channels"
    how: Literal["full", "head", "two-stage", "lora", "dora", "ia3", "adalora", "oft"] = "full"
    settings: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.settings and self.kind == "probe":
            raise ConfigError("settings belong to fine-tuning; a probe takes head and features")
        if self.kind == "finetune":
            read_config(FinetuneConfig, {**self.settings, "method": self.how})

    @property
    def title(self) -> str:
        """Name in tables."""
        return f"{self.head} probe, {self.features}" if self.kind == "probe" else f"fine-tuned ({self.how})"


@dataclass(frozen=True, kw_only=True)
class BenchRecipe:
    """A benchmark.

    Attributes
    ----------
    out : str
        Folder of rows and tables.
    tasks : tuple of TaskConfig
    models : tuple of ModelConfig
    methods : tuple of MethodConfig
        Each with each model on each of its tasks.
    plain : bool
        Measure plain methods as well.
    seeds : tuple of int
        Of folds, heads and fine-tuning.
    data : str
        Folder that ``{data}`` stands for.
    download : bool
        Let data sets fetch what is missing, those that can and whose settings do not say.
    jobs : int
        Processes.
    device : str
    cache : bool
        Keep features in ``out/features``.
    corpora : tuple of str
        That a model was pre-trained on, for the leak check.
    about : str
        What the protocol is after, and how it differs.
    """

    out: str
    tasks: tuple[TaskConfig, ...]
    models: tuple[ModelConfig, ...] = ()
    methods: tuple[MethodConfig, ...] = ()
    plain: bool = True
    seeds: tuple[int, ...] = (0,)
    data: str = "."
    download: bool = False
    jobs: int = 1
    device: str = "cpu"
    cache: bool = True
    corpora: tuple[str, ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        problems = []
        for what, names in (("tasks", [t.title for t in self.tasks]), ("models", [m.title for m in self.models])):
            twice = sorted({name for name in names if names.count(name) > 1})
            problems += [f"two {what} are called {name!r}; give them different names" for name in twice]
        known = {t.title for t in self.tasks}
        for method in self.methods:
            problems += [
                f"a method is for task {name!r}, which is not there.{did_you_mean(name, known)}"
                for name in method.tasks
                if name not in known
            ]
        if not self.tasks or not self.seeds or self.jobs < 1:
            problems.append("a benchmark needs a task, a seed and a job")
        if not self.plain and not (self.models and self.methods):
            problems.append("there is nothing to measure: give models and methods, or plain = true")
        if problems:
            raise ConfigError("this benchmark cannot be run:\n" + "\n".join(f"  - {p}" for p in problems))


def named_recipes() -> dict[str, Path]:
    """Return the recipes that come with the package."""
    return {path.stem: path for path in sorted(NAMED.glob("*.toml"))}


def read_bench(
    path: str | os.PathLike[str], replaced: Mapping[str, Any] | None = None, models: Sequence[str] = ()
) -> BenchRecipe:
    """Read a recipe, strictly.

    Parameters
    ----------
    path : path-like
        TOML file, or the name of one that comes with the package.
    replaced : mapping, optional
        Top-level settings in place of the file's.
    models : sequence of str
        References in place of the file's models.

    Raises
    ------
    FileNotFoundError
        If it is neither, naming those that come with the package.
    ConfigError
        If it is not TOML, or a key is unknown, missing or of another type.
    """
    file = Path(path)
    if not file.is_file():
        known = named_recipes()
        if str(path) not in known:
            raise FileNotFoundError(
                f"no such recipe: {path}.{did_you_mean(str(path), known)} With the package come {', '.join(known)}"
            )
        file = known[str(path)]
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{file} is not TOML: {err}") from err
    values |= dict(replaced or {})
    if models:
        values["models"] = [{"ref": ref} for ref in models]
    try:
        return read_config(BenchRecipe, values)
    except ConfigError as err:
        raise ConfigError(f"{file}: {err}") from err
