"""Recipe: everything a pre-training run is made of, as one value read strictly from TOML or given as keywords."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from neurokit_fm.config import Part, read_config
from neurokit_fm.errors import ConfigError
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.rates import ScheduleConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """One part of the data mixture: a corpus, a registered data set, or files.

    Attributes
    ----------
    corpus : str
        Folder that `nkfm prepare` wrote. With `dataset` or `files` beside it, ``nkfm prepare RECIPE`` writes it of them.
    dataset : str
        Name in the registry.
    settings : mapping
        Arguments of that data set.
    split : {"", "given", "subject", "session", "time"}
        Train on the training part of this split of the data set only; empty = on all of it.
    test_size : float
        Of that split.
    files : tuple of str
        Recordings, folders of them or patterns; kept in memory, as data sets are.
    weight : float
        Share of what is drawn from here, relative to the other parts: of time among recordings in memory, of tokens
        among corpora, of batches between the two.
    """

    corpus: str = ""
    dataset: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    split: Literal["", "given", "subject", "session", "time"] = ""
    test_size: float = 0.2
    files: tuple[str, ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.corpus or self.dataset or self.files) or (self.dataset and self.files):
            raise ConfigError("each [[data]] names a corpus, what it is made of (dataset or files), or both")
        if self.weight <= 0:
            raise ConfigError(f"the weight of {self.title} must be positive; got {self.weight:g}")
        if (self.split or self.settings) and not self.dataset:
            raise ConfigError(f"{self.title}: split and settings belong to a data set; this is none")

    @property
    def title(self) -> str:
        """How to call it in a message."""
        return self.corpus or self.dataset or ", ".join(self.files)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """A probe of the model, every so many steps.

    Attributes
    ----------
    dataset : str
        Labelled, in the registry.
    settings : mapping
        Its arguments.
    split : {"given", "subject", "session", "time"}
    test_size : float
    every : int
        Steps.
    head, features : str
        See `probe`.
    """

    dataset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    split: Literal["given", "subject", "session", "time"] = "subject"
    test_size: float = 0.2
    every: int = 1000
    head: Literal["ridge", "logistic", "lda"] = "ridge"
    features: Literal["channels", "pooled", "tokens"] = "channels"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"evaluate.every must be at least 1 step; got {self.every}")


@dataclass(frozen=True, kw_only=True)
class DistilConfig:
    """Self-distillation: stay near a teacher while going on with the model's own objective.

    Attributes
    ----------
    teacher : str
        What `load_model` takes.
    weight : float
        Of the distance; 0 is plain pre-training.
    """

    teacher: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ConfigError(f"distil.weight must not be negative; got {self.weight:g}")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How the loop runs.

    Attributes
    ----------
    steps : int
        Of the optimiser.
    batch_tokens : int
        Tokens of one batch of one process at most; one window always goes.
    window_s : float, seconds, optional
        Of recordings in memory; default: the contract's. A corpus is read in the windows it was prepared in.
    accumulate : int
        Batches of one step in each process.
    clip : float
        Largest norm of the gradient; `inf` = no clipping.
    ema : float
        Decay of a running average of the weights, which is then what is saved; 0 = none.
    precision : {"float32", "bf16"}
        bf16 computes under autocast; weights and optimiser stay in float32.
    recompute : bool
        Recompute activations of the layers in the backward pass instead of keeping them.
    compile : bool
        Compile the objective with `torch.compile`.
    mixed : bool
        Whether one batch of a corpus may hold several channel counts and lengths.
    device : str
        ``"auto"``: an accelerator if there is one. Under `accelerate launch` that chooses.
    seed : int
        Of weights, windows, masks and dropout.
    diverge_factor, diverge_steps : float, int
        Stop when the gradient's norm is above so many times its running median for so many steps on end.
    """

    steps: int
    batch_tokens: int = 4096
    window_s: float | None = None
    accumulate: int = 1
    clip: float = 5.0
    ema: float = 0.0
    precision: Literal["float32", "bf16"] = "float32"
    recompute: bool = False
    compile: bool = False
    mixed: bool = True
    device: str = "auto"
    seed: int = 0
    diverge_factor: float = 100.0
    diverge_steps: int = 10

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_tokens, self.accumulate, self.diverge_steps) < 1:
            raise ConfigError(
                "steps, batch_tokens, accumulate and diverge_steps must be positive; "
                f"got {self.steps}, {self.batch_tokens}, {self.accumulate} and {self.diverge_steps}"
            )
        if self.clip <= 0 or self.diverge_factor <= 1 or not 0 <= self.ema < 1:
            raise ConfigError(
                "clip must be positive, diverge_factor above 1 and ema in [0, 1); "
                f"got {self.clip:g}, {self.diverge_factor:g} and {self.ema:g}"
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A pre-training run.

    Attributes
    ----------
    out : str
        Folder of the run: log, checkpoints, the trained model.
    data : tuple of DataConfig
    train : TrainConfig
    model : mapping, optional
        ``{"name": ..., **config}``, a fresh model of the registry; or `init`.
    init : str, optional
        What `load_model` takes: where the weights start.
    contract : mapping, optional
        With its ``layout``; required for a fresh model, refused with `init`, which brings its own.
    optimiser : OptimiserConfig
    schedule : ScheduleConfig
    evaluate : EvaluateConfig, optional
    distil : DistilConfig, optional
    log_every, save_every : int
        Steps between two lines of the log and between two checkpoints.
    keep : int
        Checkpoints kept, the newest.
    tensorboard : bool
        Also write what TensorBoard reads.
    """

    out: str
    data: tuple[DataConfig, ...]
    train: TrainConfig
    model: Part | None = None
    init: str | None = None
    contract: Part | None = None
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    evaluate: EvaluateConfig | None = None
    distil: DistilConfig | None = None
    log_every: int = 1
    save_every: int = 1000
    keep: int = 3
    tensorboard: bool = False

    def __post_init__(self) -> None:
        problems = []
        if not self.out:
            problems.append("out must name a folder")
        if not self.data:
            problems.append("there is no [[data]] to train on")
        if (self.model is None) == (self.init is None):
            problems.append("give either a [model] to make or `init`, a model to start from")
        if (self.model is None) != (self.contract is None):
            problems.append("a [model] needs a [contract]; a model loaded by `init` brings its own")
        if min(self.log_every, self.save_every, self.keep) < 1:
            problems.append("log_every, save_every and keep must be at least 1")
        probed = self.evaluate
        if probed is not None:
            unlike = [
                part
                for part in self.data
                if part.dataset == probed.dataset
                and (part.split, part.test_size, part.settings) != (probed.split, probed.test_size, probed.settings)
            ]
            problems += [
                f"{part.dataset} is trained on and probed: its test part must stay unseen; give both the same settings, "
                "split and test_size"
                for part in unlike
            ]
        if self.train.window_s is not None and all(part.corpus for part in self.data):
            problems.append(
                "train.window_s has no effect on corpora: they are read in the windows they were prepared in"
            )
        if problems:
            raise ConfigError("this recipe cannot be run:\n" + "\n".join(f"  - {p}" for p in problems))
        self.schedule.rate(0, lr=self.optimiser.lr, steps=self.train.steps)  # says now what does not fit

    @classmethod
    def of(cls, **values: Any) -> Recipe:
        """Build a recipe from keywords as they stand in a TOML file; nested tables are dictionaries.

        Raises
        ------
        ConfigError
            If a key is unknown, missing or of another type, or the recipe cannot be run.
        """
        return read_config(cls, values)


def read_recipe(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe, strictly.

    Parameters
    ----------
    path : path-like
        TOML file. Paths in it count from the current folder.
    settings : sequence of str
        Replacements such as ``"train.steps=200"`` or ``"data.0.weight=2"``: dotted key, and a value as in TOML (a bare
        word is text).

    Raises
    ------
    FileNotFoundError
    ConfigError
        If it is not TOML, a key is unknown, missing or of another type, or the recipe cannot be run.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such recipe: {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path} is not TOML: {err}") from err
    for setting in settings:
        _replace(values, setting)
    try:
        return Recipe.of(**values)
    except ConfigError as err:
        raise ConfigError(f"{path}: {err}") from err


def _replace(values: dict[str, Any], setting: str) -> None:
    """Put one ``key=value`` into nested tables."""
    key, sign, text = setting.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"a setting reads key=value, such as train.steps=200; got {setting!r}")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *tables, last = key.strip().split(".")
    where: Any = values
    for name in tables:
        where = where[_row(where, name, key)] if isinstance(where, list) else where.setdefault(name, {})
        if not isinstance(where, dict | list):
            raise ConfigError(f"{setting!r}: {name!r} is a value, not a table")
    where[_row(where, last, key) if isinstance(where, list) else last] = value


def _row(rows: list[Any], name: str, key: str) -> int:
    if not name.isdigit() or int(name) >= len(rows):
        raise ConfigError(f"{key}: {name!r} must be a number below {len(rows)}")
    return int(name)
