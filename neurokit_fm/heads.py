"""Heads: features in, predictions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.nn.norms import RMSNorm
from neurokit_fm.nn.pooling import AttentionPool
from neurokit_fm.tokens import Features, masked_mean


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """How features become predictions: pool, RMSNorm, dropout, linear.

    Attributes
    ----------
    width : int
        Token width D.
    n_outputs : int
    pool : {"mean", "attention", "attention-layers", "flat"}
        Mean over tokens; one learned query over the last layer, or over all layers at once; or every token, with the
        query's summary in front, flattened (needs `n_tokens`, and inputs of exactly that many).
    n_tokens : int
        For ``flat``.
    norm : bool
        RMSNorm before the linear map.
    dropout : float
    labels : tuple of str
        Names of the outputs; empty for regression.
    """

    width: int
    n_outputs: int
    pool: Literal["mean", "attention", "attention-layers", "flat"] = "mean"
    n_tokens: int = 0
    norm: bool = True
    dropout: float = 0.0
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pool not in ("mean", "attention", "attention-layers", "flat"):
            raise ConfigError(f"pool must be mean, attention, attention-layers or flat; got {self.pool!r}")
        if self.pool == "flat" and self.n_tokens < 1:
            raise ConfigError("a flat head needs n_tokens, the number of tokens of every input")
        if self.labels and len(self.labels) != self.n_outputs:
            raise ConfigError(f"{len(self.labels)} labels for {self.n_outputs} outputs")

    @property
    def in_width(self) -> int:
        """Width of the vector that the linear map takes."""
        return (self.n_tokens + 1) * self.width if self.pool == "flat" else self.width


class Head(nn.Module):
    """Pooling, RMSNorm, dropout and a linear map (the REVE classifiers are four of its settings)."""

    def __init__(self, config: HeadConfig):
        super().__init__()
        self.config = config
        self.pool = None if config.pool == "mean" else AttentionPool(config.width)
        self.norm = RMSNorm(config.in_width) if config.norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(config.in_width, config.n_outputs)

    @property
    def needs_layers(self) -> bool:
        """Whether the features must hold every layer."""
        return self.config.pool == "attention-layers"

    def forward(self, features: Features) -> Tensor:
        """Map features of B samples to (B, n_outputs)."""
        x, mask = features.tokens, features.mask
        if self.pool is None:
            x = masked_mean(x, mask)
        elif self.needs_layers:
            x = self.pool(features["layers"], mask)
        elif self.config.pool == "attention":
            x = self.pool(x, mask)
        else:
            if x.shape[1] != self.config.n_tokens or not bool(mask.all()):
                raise DataError(f"this flat head takes exactly {self.config.n_tokens} tokens; got {x.shape[1]}")
            x = torch.cat([self.pool(x)[:, None], x], dim=1).flatten(1)  # (B, (N+1)*D)
        return self.linear(self.dropout(self.norm(x)))  # type: ignore[no-any-return]
