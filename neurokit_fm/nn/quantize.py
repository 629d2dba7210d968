"""Vector quantisation: vectors to codes of learned tables, in residual levels.

What is quantised, and what the vectors are pulled towards besides, is the business of the model that uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm.errors import ConfigError, WeightsError


@dataclass(frozen=True, kw_only=True)
class QuantizerConfig:
    """A residual stack of codebooks.

    Attributes
    ----------
    size : int
        Codes V of one table.
    width : int
        Of a code vector; vectors of another width are projected in and out, by learned maps of each level.
    levels : int
        Tables; each quantises what the one before left over.
    distance : {"euclidean", "cosine"}
        Cosine compares directions: vectors and codes are of unit length.
    table : {"ema", "learned"}
        Running means of the vectors that chose a code (arXiv:1711.00937, appendix), or parameters with a loss.
    gradient : {"straight-through", "rotation"}
        Rotation turns and scales the gradient as it takes a vector to its code (arXiv:2410.06424).
    start : {"kmeans", "random"}
        Where the tables come from: the first vectors learned from (until then they are empty, and looking a code up is an
        error), or a normal draw of unit length on average.
    commitment : float
        Weight of that loss.
    decay : float
        Of the running means.
    dead_below : float
        A code with a running count below this is moved to a vector of the batch.
    reference : bool
        Running means as in several published codes: k-means leaves sums of weight one, so the first step shrinks the
        codes, and dead ones are not moved.
    """

    size: int = 512
    width: int = 256
    levels: int = 1
    distance: Literal["euclidean", "cosine"] = "euclidean"
    table: Literal["ema", "learned"] = "ema"
    gradient: Literal["straight-through", "rotation"] = "straight-through"
    start: Literal["kmeans", "random"] = "kmeans"
    commitment: float = 0.25
    decay: float = 0.99
    dead_below: float = 2.0
    reference: bool = False

    def __post_init__(self) -> None:
        if min(self.size, self.width, self.levels) < 1 or not 0 <= self.decay < 1 or self.commitment < 0:
            raise ConfigError(f"sizes must be positive, decay in [0, 1), commitment not negative; got {self}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """What a quantiser makes of vectors.

    Attributes
    ----------
    values : Tensor, shape (..., D)
        Sum of the codes' vectors; gradients go through to the input. 0 where the mask is False.
    codes : Tensor, shape (..., levels), int64
        -1 where the mask is False.
    commitment, codebook : Tensor, float32 scalars
        Mean squared distance of vectors to codes, over real elements and levels: the first times its weight, moving the
        vectors; the second moving the codes (0 for running means).
    """

    values: Tensor
    codes: Tensor
    commitment: Tensor
    codebook: Tensor


class Codebook(nn.Module):
    """One table of codes, with the maps into and out of its space.

    Attributes
    ----------
    embed : Tensor, shape (V, d)
        Parameter, or buffer beside ``cluster_size`` (V) and ``embed_avg`` (V, d), the running counts and sums.
    inited : Tensor, shape (1,)
        0 until there is something in it.
    """

    def __init__(self, width: int, config: QuantizerConfig):
        super().__init__()
        self.config, same = config, width == config.width
        table = torch.randn(config.size, config.width) * config.width**-0.5
        self.inited = nn.Buffer(torch.full((1,), float(config.start == "random")))
        self.embed = nn.Parameter(table) if config.table == "learned" else nn.Buffer(table)
        if config.table == "ema":
            self.cluster_size = nn.Buffer(torch.full((config.size,), config.dead_below))
            self.embed_avg = nn.Buffer(table * config.dead_below)
        self.project_in = nn.Identity() if same else nn.Linear(width, config.width)
        self.project_out = nn.Identity() if same else nn.Linear(config.width, width)

    def vectors(self) -> Tensor:
        """Return the codes' vectors (V, d), float32."""
        table = self.embed.float()
        return F.normalize(table, dim=-1) if self.config.distance == "cosine" else table

    @torch.no_grad()
    def nearest(self, y: Tensor) -> Tensor:
        """Codes (n,) of vectors (n, d), in float32; of equally near codes the lowest.

        Raises
        ------
        WeightsError
            If the table was never filled.
        """
        if not self.inited.is_meta and not bool(self.inited):
            raise WeightsError("this codebook is empty; load weights, or train: the first batch learned from fills it")
        return _nearest(y, self.vectors())

    @torch.no_grad()
    def fill(self, y: Tensor, generator: torch.Generator | None = None) -> None:
        """Fill the table by k-means over at most 4096 vectors (n, d); in several processes, those of the first."""
        size, rng = self.config.size, generator or torch.Generator().manual_seed(0)
        y = y[torch.randperm(len(y), generator=rng, device=rng.device)[: max(4096, size)].to(y.device)]
        noise = torch.randn((max(0, size - len(y)), y.shape[1]), generator=rng, device=rng.device).to(y) * y.std()
        centres = torch.cat([y[:size], noise])  # (V, d)
        for _ in range(10):
            counts, sums = _count(y, _nearest(y, centres), size)
            centres = torch.where(counts[:, None] > 0, sums / counts[:, None], centres)
        self.embed.copy_(centres)
        self.inited.fill_(1)
        if self.config.table == "ema":
            self.cluster_size.copy_(counts)
            self.embed_avg.copy_(centres if self.config.reference else centres * counts[:, None])
        _over_processes(lambda x: dist.broadcast(x, 0), self.embed, *self.buffers())

    @torch.no_grad()
    def update(self, y: Tensor, codes: Tensor, generator: torch.Generator | None = None) -> None:
        """Move the running means towards the vectors (n, d) that chose each code (n,), of all processes."""
        config, rng = self.config, generator or torch.Generator().manual_seed(0)
        counts, sums = _count(y, codes, config.size)
        _over_processes(lambda x: dist.all_reduce(x), counts, sums)
        self.cluster_size.lerp_(counts, 1 - config.decay)
        self.embed_avg.lerp_(sums, 1 - config.decay)
        total = self.cluster_size.sum()
        smoothed = (self.cluster_size + 1e-6) / (total + config.size * 1e-6) * total
        self.embed.copy_(self.embed_avg / smoothed[:, None])
        dead = (self.cluster_size < config.dead_below).nonzero()[:, 0]
        if len(y) and not config.reference:
            chosen = y[torch.randint(len(y), (len(dead),), generator=rng, device=rng.device).to(y.device)]
            self.cluster_size[dead], self.embed[dead] = config.dead_below, chosen
            self.embed_avg[dead] = chosen * config.dead_below
        _over_processes(lambda x: dist.broadcast(x, 0), self.embed, *self.buffers())


class Quantizer(nn.Module):
    """A residual stack of codebooks.

    Parameters
    ----------
    width : int
        Of the vectors, D.
    config : QuantizerConfig

    Notes
    -----
    Residual quantisation after SoundStream (arXiv:2107.03312). Running means are updated when the gradient of the
    values is computed, not before: a loss that is only looked at leaves the tables alone, and losses of the same state
    are the same.
    """

    def __init__(self, width: int, config: QuantizerConfig):
        super().__init__()
        self.config = config
        self.books: Any = nn.ModuleList(Codebook(width, config) for _ in range(config.levels))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, learn: bool = False, generator: torch.Generator | None = None
    ) -> Quantized:
        """Quantise vectors, in float32 whatever the input.

        Parameters
        ----------
        x : Tensor, shape (..., D)
        mask : Tensor, shape (...), bool, optional
            True where a vector is real; the others count nowhere.
        learn : bool
            Fill an empty table, and update running means with the backward pass.
        generator : torch.Generator, optional
            For k-means and for codes that are moved; default: one of seed 0, each time.
        """
        keep = x.new_ones(x.shape[:-1], dtype=torch.bool) if mask is None else mask
        real, weight = keep.flatten(), keep.flatten() / keep.sum().clamp(min=1)  # (n,); the weights sum to 1
        rest = x.float().masked_fill(~keep[..., None], 0).flatten(0, -2)  # (n, D)
        total, gaps, codes, seen = torch.zeros_like(rest), [], [], []
        with torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False):
            for book in self.books:
                y = book.project_in(rest.to(book.embed.dtype)).float()  # (n, d)
                y = y if self.config.distance == "euclidean" else F.normalize(y, dim=-1)
                if learn and not bool(book.inited):
                    book.fill(y.detach()[real], generator)
                codes.append(book.nearest(y))  # (n,)
                vector = book.vectors()[codes[-1]]  # (n, d)
                gaps.append(torch.stack([y - vector.detach(), y.detach() - vector]).square().mean(-1) @ weight)  # (2,)
                chosen = carry_gradient(y, vector.detach(), self.config.gradient)
                part = book.project_out(chosen.to(book.embed.dtype)).float()  # (n, D)
                rest, total = rest - part.detach(), total + part
                seen.append((book, y.detach(), codes[-1]))
        if learn and self.config.table == "ema" and total.requires_grad:
            hook: Any = total.register_hook
            hook(lambda _: [book.update(y[real], c[real], generator) for book, y, c in seen] and None)
        pull, push = torch.stack(gaps).mean(0)
        return Quantized(
            values=total.to(x.dtype).view_as(x).masked_fill(~keep[..., None], 0),
            codes=torch.stack(codes, dim=-1).view(*keep.shape, -1).masked_fill(~keep[..., None], -1),
            commitment=self.config.commitment * pull,
            codebook=push * (self.config.table == "learned"),
        )

    def decode(self, codes: Tensor) -> Tensor:
        """Return the vectors (..., D) that codes (..., levels) stand for; 0 for codes below 0."""
        total = torch.zeros((), device=codes.device)
        for book, code in zip(self.books, codes.clamp(min=0).unbind(-1), strict=True):
            total = total + book.project_out(book.vectors()[code].to(book.embed.dtype))
        return total.masked_fill((codes < 0).any(-1, keepdim=True), 0)


def carry_gradient(y: Tensor, vector: Tensor, how: str) -> Tensor:
    """Return the vectors of the codes (n, d), with a gradient for the vectors `y` (n, d) that chose them.

    Parameters
    ----------
    y, vector : Tensor, shape (n, d)
    how : {"straight-through", "rotation"}
        See `QuantizerConfig`; the norms of the rotation are at least 1e-6.
    """
    if how == "straight-through" or not y.requires_grad:
        return y + (vector - y).detach() if y.requires_grad else vector
    long, wanted = (torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-6).detach() for x in (y, vector))
    here, there = (y / long).detach(), vector / wanted  # unit vectors
    middle = F.normalize(here + there, dim=-1)
    turned = y - 2 * (y * middle).sum(-1, keepdim=True) * middle + 2 * (y * here).sum(-1, keepdim=True) * there
    out: Tensor = turned * (wanted / long)
    return out


def code_use(codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    r"""Share of the codes in use, and their perplexity $\exp(-\sum_v p_v \log p_v)$, of each level.

    Parameters
    ----------
    codes : Tensor, shape (..., levels), int64
        Those below 0 do not count.
    size : int
        Codes of one table.

    Returns
    -------
    tuple of Tensor, shape (levels,), float32
    """
    counts = torch.stack([torch.bincount(level[level >= 0], minlength=size) for level in codes.flatten(0, -2).T])
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)  # (levels, V)
    return (counts > 0).float().mean(1), torch.special.entr(share).sum(1).exp()


def _nearest(y: Tensor, table: Tensor) -> Tensor:
    size = table.square().sum(1)  # that of y is the same for all
    return torch.cat([(size - 2 * (part @ table.T)).argmin(1) for part in torch.split(y, 8192)])


def _count(y: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Number (V,) and sum (V, d) of the vectors of each code."""
    sums = y.new_zeros((size, y.shape[1])).index_add_(0, codes, y)
    return torch.bincount(codes, minlength=size).to(y.dtype), sums


def _over_processes(exchange: Callable[[Tensor], Any], *tensors: Tensor) -> None:
    if dist.is_available() and dist.is_initialized():
        for tensor in tensors:
            exchange(tensor)
