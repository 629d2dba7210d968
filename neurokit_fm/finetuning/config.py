"""FinetuneConfig: everything that fine-tuning depends on besides model and data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurokit_fm.errors import ConfigError
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.rates import ScheduleConfig

Method = Literal["full", "head", "two-stage", "lora", "dora", "ia3", "adalora", "oft"]
ADAPTERS = ("lora", "dora", "ia3", "adalora", "oft")


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """How a model is fine-tuned.

    Attributes
    ----------
    method : {"full", "head", "two-stage", "lora", "dora", "ia3", "adalora", "oft"}
        Every weight; the head alone; the head, then every weight; or the head and adapters (package peft) in the linear
        maps of the transformer, which are merged into the weights at the end.
    pool : {"mean", "attention", "attention-layers", "flat"}
        Of the head, see `HeadConfig`; ``flat`` needs trials of one length and one choice of channels.
    dropout : float
        In the head.
    epochs, head_epochs : int
        At most; `head_epochs` of the first of two stages.
    batch : int
        Trials of a step.
    lr, head_lr : float
        Peak rates of the model's weights or adapters, and of the head.
    layer_decay : float
        Rate of each block as a share of that of the block above it; 1 = all the same.
    optimiser : {"stable-adamw", "adamw"}
    weight_decay : float
    schedule : {"trapezoid", "wsd", "cosine"}
    warmup : float
        Share of the steps.
    clip : float
        Largest norm of the gradient.
    mixup : float
        Both parameters of the Beta distribution that mixes trials of one montage; 0 = none, 1 = uniform.
    label_smoothing : float
    balance : bool
        Weigh classes, or labels, by how rare they are in the training part.
    valid_share : float
        Share of the groups (subjects, sessions, recordings, else the last trials) held out of the training part, on which
        the best epoch is chosen; 0 = none, and the last epoch is kept.
    patience : int
        Epochs without a better one before it stops.
    rank, alpha : int, float
        Of adapters; `alpha` 0 = `rank`.
    targets : tuple of str
        Last names of the linear maps that get adapters; empty = all in the blocks.
    precision : {"float32", "bf16"}
    """

    method: Method = "full"
    pool: Literal["mean", "attention", "attention-layers", "flat"] = "mean"
    dropout: float = 0.1
    epochs: int = 30
    head_epochs: int = 20
    batch: int = 32
    lr: float = 1e-4
    head_lr: float = 1e-3
    layer_decay: float = 1.0
    optimiser: Literal["stable-adamw", "adamw"] = "adamw"
    weight_decay: float = 0.01
    schedule: Literal["trapezoid", "wsd", "cosine"] = "cosine"
    warmup: float = 0.1
    clip: float = 2.0
    mixup: float = 0.0
    label_smoothing: float = 0.0
    balance: bool = True
    valid_share: float = 0.2
    patience: int = 10
    rank: int = 16
    alpha: float = 0.0
    targets: tuple[str, ...] = ()
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        problems = []
        if self.method not in get_args(Method):
            problems.append(f"method must be one of {', '.join(get_args(Method))}; got {self.method!r}")
        if min(self.epochs, self.head_epochs, self.batch, self.patience, self.rank) < 1:
            problems.append("epochs, head_epochs, batch, patience and rank must be at least 1")
        if min(self.lr, self.head_lr, self.clip) <= 0 or self.alpha < 0 or self.mixup < 0:
            problems.append("lr, head_lr and clip must be positive; alpha and mixup must not be negative")
        if not 0 < self.layer_decay <= 1:
            problems.append(f"layer_decay must lie in (0, 1]; got {self.layer_decay:g}")
        shares = {name: getattr(self, name) for name in ("dropout", "label_smoothing", "valid_share")}
        problems += [
            f"{name} must lie in [0, 1); got {value:g}" for name, value in shares.items() if not 0 <= value < 1
        ]
        if problems:
            raise ConfigError("; ".join(problems))
        self.schedule_config.rate(0, lr=self.lr, steps=100)

    @property
    def optimiser_config(self) -> OptimiserConfig:
        """The optimiser at the model's rate."""
        return OptimiserConfig(name=self.optimiser, lr=self.lr, weight_decay=self.weight_decay, betas=(0.9, 0.999))

    @property
    def schedule_config(self) -> ScheduleConfig:
        """The schedule of every rate."""
        return ScheduleConfig(name=self.schedule, warmup=self.warmup, end=0.01)
