"""Tokens and Features: vectors at places in space and time, before and after a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from neurokit_fm.batch.packing import Packing
from neurokit_fm.errors import DataError, UnknownName


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """What a tokenizer makes of a stream.

    Attributes
    ----------
    values : Tensor, shape (B, N, D)
    mask : Tensor, shape (B, N), bool
        True where the token is real.
    coords : Tensor, shape (B, N, 4), float32
        (x, y, z) in metres and t in seconds from the start of the window; NaN where unknown or not applicable.
    index : Tensor, shape (B, N, 2), int64
        (channel row, time step). Tokens are ordered channel-major.
    segment : Tensor, shape (B, N), int64, or None
        In packed rows: which sequence a token belongs to, -1 in padding. Attention never crosses segments.
    """

    values: Tensor
    mask: Tensor
    coords: Tensor
    index: Tensor
    segment: Tensor | None = None

    def __post_init__(self) -> None:
        b, n = self.values.shape[:2]
        if self.mask.shape != (b, n) or self.coords.shape != (b, n, 4) or self.index.shape != (b, n, 2):
            raise DataError(
                f"tokens of {b} x {n}: mask {tuple(self.mask.shape)}, coords {tuple(self.coords.shape)}, "
                f"index {tuple(self.index.shape)} do not fit"
            )

    def with_values(self, values: Tensor) -> Tokens:
        """Return the same places with other vectors."""
        return replace(self, values=values)

    def keep(self, chosen: Tensor) -> Tokens:
        """Return the chosen tokens (B, N) of each sample, moved to the front and padded to the largest number left."""
        counts = chosen.sum(1)
        longest = int(counts.max())
        order = chosen.int().argsort(dim=1, descending=True, stable=True)[:, :longest]  # (B, longest)
        mask = order.new_ones(order.shape).cumsum(1) <= counts[:, None]
        return Tokens(
            values=gather(self.values, order),
            mask=mask,
            coords=gather(self.coords, order),
            index=gather(self.index, order),
            segment=None if self.segment is None else self.segment.gather(1, order),
        )

    def pack(self, capacity: int | None = None) -> tuple[Tokens, Packing]:
        """Put the real tokens of all samples into shared rows; see `Packing`."""
        packing = Packing.of(self.mask, capacity)
        packed = {
            f.name: packing.pack(getattr(self, f.name)) for f in fields(self) if f.name not in ("mask", "segment")
        }
        return Tokens(**packed, mask=packing.segment >= 0, segment=packing.segment), packing


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What a model makes of a batch: a vector for every token, and named extras.

    Attributes
    ----------
    tokens : Tensor, shape (B, N, D)
    mask : Tensor, shape (B, N), bool
    coords : Tensor, shape (B, N, 4), float32
    index : Tensor, shape (B, N, 2), int64
    extras : mapping of str to Any
        ``"pooled"`` (B, D) where the model has its own summary; ``"layers"`` list of (B, N, D) where asked for.
    """

    tokens: Tensor
    mask: Tensor
    coords: Tensor
    index: Tensor
    extras: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name not in self.extras:
            raise UnknownName(f"features hold no {name!r}; extras: {', '.join(self.extras) or 'none'}")
        return self.extras[name]

    def pooled(self) -> Tensor:
        """One vector a sample, (B, D): the model's own summary if it has one, else the mean over real tokens."""
        own = self.extras.get("pooled")
        return own if own is not None else masked_mean(self.tokens, self.mask)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over real tokens: (B, N, D) and (B, N) to (B, D); 0 where nothing is real."""
    weight = mask.to(x.dtype)[..., None]  # (B, N, 1)
    return x.masked_fill(~mask[..., None], 0).sum(1) / weight.sum(1).clamp(min=1)


def gather(x: Tensor, order: Tensor) -> Tensor:
    """Pick tokens: (B, N, D) by indices (B, K) to (B, K, D)."""
    return x.gather(1, order[..., None].expand(-1, -1, x.shape[-1]))
