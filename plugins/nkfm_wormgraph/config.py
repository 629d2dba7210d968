"""Settings of the activity models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from neurokit_fm.errors import ConfigError

LossName = Literal["mse", "l1", "huber", "mase"]


@dataclass(frozen=True, kw_only=True)
class ForecastConfig:
    """What is predicted, and how it is scored.

    Attributes
    ----------
    horizon : int
        Steps ahead.
    loss : {"mse", "l1", "huber", "mase"}
        ``"mase"`` divides the absolute error by the mean absolute one-step change of the window, at least 1e-6.
    l1_reg : float
        Weight of the sum over parameters of their mean magnitude.
    hide : float
        Share of neurons hidden from the model in each window of training, so that it works with any subset.
    """

    horizon: int = 1
    loss: LossName = "mse"
    l1_reg: float = 0.0
    hide: float = 0.0

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.l1_reg < 0 or not 0 <= self.hide < 1:
            raise ConfigError(
                f"horizon must be at least 1, l1_reg not negative and hide in [0, 1); got {self.horizon}, "
                f"{self.l1_reg:g}, {self.hide:g}"
            )
        if self.loss not in ("mse", "l1", "huber", "mase"):
            raise ConfigError(f"loss must be 'mse', 'l1', 'huber' or 'mase'; got {self.loss!r}")


@dataclass(frozen=True, kw_only=True)
class PersistenceConfig:
    """Tomorrow is like today: the baseline to beat.

    Attributes
    ----------
    forecast : ForecastConfig
    """

    forecast: ForecastConfig = field(default_factory=ForecastConfig)


@dataclass(frozen=True, kw_only=True)
class LinearConfig:
    """Linear autoregression.

    Attributes
    ----------
    order : int
        Past samples of the neuron itself.
    coupling : {"none", "full", "graph"}
        Which other neurons' last samples enter: none, all, or those with a connection in `connectome`.
    connectome : str
        Annotation, for ``"graph"``.
    ridge : float
        Penalty on a neuron's deviation from the weights all neurons share, in samples.
    coupling_ridge : float
        Penalty on couplings, in samples.
    forecast : ForecastConfig
    """

    order: int = 8
    coupling: Literal["none", "full", "graph"] = "none"
    connectome: str = "cook2019"
    ridge: float = 100.0
    coupling_ridge: float = 3000.0
    forecast: ForecastConfig = field(default_factory=ForecastConfig)

    def __post_init__(self) -> None:
        if self.order < 1 or self.ridge <= 0 or self.coupling_ridge <= 0:
            raise ConfigError(f"order must be at least 1 and ridges positive; got {self}")
        if self.coupling not in ("none", "full", "graph"):
            raise ConfigError(f"coupling must be 'none', 'full' or 'graph'; got {self.coupling!r}")


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """A recurrent network over the population.

    Attributes
    ----------
    cell : {"gru", "lstm"}
    width, layers : int
    order : int
        Past samples of the neuron itself that enter its own forecast directly.
    coupling : {"none", "full"}
        Whether the linear part that training starts from couples neurons.
    forecast : ForecastConfig
    """

    cell: Literal["gru", "lstm"] = "gru"
    width: int = 128
    layers: int = 1
    order: int = 8
    coupling: Literal["none", "full"] = "full"
    forecast: ForecastConfig = field(default_factory=ForecastConfig)

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.order) < 1 or self.cell not in ("gru", "lstm"):
            raise ConfigError(f"width, layers and order must be positive and cell 'gru' or 'lstm'; got {self}")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """A transformer whose tokens are (neuron, step) pairs.

    Attributes
    ----------
    width, depth, heads : int
        Each block attends over the neurons of a step, then over the past of a neuron.
    order : int
        Past samples of a neuron in one token; they also enter its own forecast directly.
    coupling : {"none", "full"}
        Whether the linear part that training starts from couples neurons.
    encoding : mapping
        Positional encoding by registry name; it is given soma positions in body lengths and time in seconds.
    body_m : float, metres
        Length of the body.
    unlabelled : bool
        Whether traces of unknown neurons are tokens too: seen, without place and name, and never scored.
    forecast : ForecastConfig
    """

    width: int = 32
    depth: int = 1
    heads: int = 2
    order: int = 8
    coupling: Literal["none", "full"] = "full"
    encoding: Mapping[str, Any] = field(default_factory=lambda: {"name": "fourier-4d", "step_s": 0.6})
    body_m: float = 8e-4
    unlabelled: bool = False
    forecast: ForecastConfig = field(default_factory=ForecastConfig)

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.heads, self.order) < 1 or self.width % self.heads or self.body_m <= 0:
            raise ConfigError(f"sizes must be positive and width a multiple of heads; got {self}")


@dataclass(frozen=True, kw_only=True)
class WiredConfig:
    """A network whose connections are those of the animal.

    Attributes
    ----------
    connectome : str
        Annotation whose chemical synapses and gap junctions are allowed; ``"all"`` allows every pair (the control).
    signed : bool
        Presynaptic transmitter fixes the sign: acetylcholine excites, GABA inhibits; others are free.
    order : int
        Past samples of the neuron itself that enter its own forecast directly.
    gain : float
        Size of synaptic weights at the start, relative to one over the root of their number.
    forecast : ForecastConfig
    """

    connectome: str = "cook2019"
    signed: bool = True
    order: int = 8
    gain: float = 0.1
    forecast: ForecastConfig = field(default_factory=ForecastConfig)

    def __post_init__(self) -> None:
        if self.order < 1 or self.gain <= 0:
            raise ConfigError(f"order and gain must be positive; got {self.order}, {self.gain:g}")
