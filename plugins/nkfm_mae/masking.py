"""Choosing the tokens to hide, on a boolean (channel, step) grid."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurokit_fm import Tokens
from nkfm_mae.config import MaskConfig

Choose = Callable[[Tensor], int]
"""Pick one of the candidate channels, an ascending index tensor (K,)."""


def uniform(generator: torch.Generator | None) -> Choose:
    """Return a choice with equal chances."""
    return lambda candidates: int(candidates[torch.randint(len(candidates), (1,), generator=generator)])


def grow(positions: Tensor, ratio: float, radius_m: float, start: Tensor, choose: Choose) -> Tensor:
    """Hide channels around random centres until at least ``int(ratio * C)`` are hidden.

    Parameters
    ----------
    positions : Tensor, shape (C, 3), metres
        A channel at an unknown place (NaN) has no neighbours.
    ratio : float
    radius_m : float
        Channels at this distance or nearer go with their centre.
    start : Tensor, shape (C,), bool
        Hidden already.
    choose : callable
        Picks each centre among the channels not hidden yet.

    Returns
    -------
    Tensor, shape (C,), bool
        May overshoot.
    """
    hidden = start.clone()
    wanted = int(ratio * len(positions))
    while int(hidden.sum()) < wanted:
        centre = choose((~hidden).nonzero().squeeze(1))
        hidden |= torch.linalg.vector_norm(positions - positions[centre], dim=1) <= radius_m
        hidden[centre] = True
    return hidden


def block_mask(
    positions: Tensor,
    n_steps: int,
    config: MaskConfig,
    generator: torch.Generator | None = None,
    choose: Choose | None = None,
) -> Tensor:
    """Hide neighbouring channels for several steps on end.

    Some channels (``dropout_ratio``) are hidden for the whole window; then, for each block of ``steps`` steps,
    channels around random centres. Every step hides exactly ``int(ratio * C)`` channels, so windows of one shape keep
    equal numbers of visible tokens.

    Parameters
    ----------
    positions : Tensor, shape (C, 3), metres
    n_steps : int
    config : MaskConfig
    generator : torch.Generator, optional
    choose : callable, optional
        Replaces the random choice of centres.

    Returns
    -------
    Tensor, shape (C, n_steps), bool
        True = hidden.

    Notes
    -----
    Source: REVE, arXiv:2510.21585, and its released code. Deviations, all undone by ``config.legacy``: the published
    code numbers tokens step-major while the tokens are channel-major, which scatters the blocks; it cuts an overshoot
    to the lowest channel numbers, which favours them and may drop channels that were to be hidden throughout; it
    leaves those out of the last ``n_steps % steps`` steps; and it fails where ``n_steps`` is a multiple of ``steps`` or
    less than it.
    """
    n = len(positions)
    choose = choose or uniform(generator)
    none = torch.zeros(n, dtype=torch.bool)

    def cut(hidden: Tensor, ratio: float, keep: Tensor) -> Tensor:
        """Exactly int(ratio * C) channels of `hidden`, those in `keep` among them."""
        if config.legacy:
            chosen = hidden.nonzero().squeeze(1)[: int(ratio * n)]
        else:
            rank = torch.rand(n, generator=generator) + hidden + keep  # keep > hidden > the rest
            chosen = rank.argsort(descending=True)[: int(ratio * n)]
        return none.index_fill(0, chosen, True)

    dropped = cut(
        grow(positions, config.dropout_ratio, config.dropout_radius_m, none, choose), config.dropout_ratio, none
    )
    grid = torch.zeros((n, n_steps), dtype=torch.bool)
    whole = n_steps // config.steps * config.steps
    for first in range(0, whole, config.steps):
        hidden = cut(grow(positions, config.ratio, config.radius_m, dropped, choose), config.ratio, dropped)
        grid[:, first : first + config.steps] = hidden[:, None]
    always = none if config.legacy else dropped
    for step in range(whole, n_steps):
        grid[:, step] = cut(grow(positions, config.ratio, config.radius_m, always, choose), config.ratio, always)
    if config.legacy:
        grid = grid.T.reshape(n, n_steps)  # t*C + c read as c*S + t
    return grid


def random_mask(n_tokens: int, ratio: float, generator: torch.Generator | None = None) -> Tensor:
    """Hide ``int(ratio * K)`` of K tokens at random, but one at least where there are two: (K,), bool."""
    flat = torch.zeros(n_tokens, dtype=torch.bool)
    count = max(int(ratio * n_tokens), min(1, n_tokens - 1))
    flat[torch.randperm(n_tokens, generator=generator)[:count]] = True
    return flat


def draw(tokens: Tokens, config: MaskConfig, generator: torch.Generator | None = None) -> Tensor:
    """Draw a mask for each sample of a batch: among its real tokens, or on their own (channel, step) grid.

    The grid may have holes, where a tokenizer finds fewer tokens in one channel than in another.

    Returns
    -------
    Tensor, shape (B, N), bool
        True = hidden; never True in padding.
    """
    index, real = tokens.index.cpu(), tokens.mask.cpu()
    hidden = torch.zeros_like(real)
    for b in range(len(index)):
        rows, steps = index[b, real[b]].unbind(-1)  # (K,), (K,)
        if not len(rows):
            continue
        if config.kind == "random":
            hidden[b, real[b]] = random_mask(len(rows), config.ratio, generator)
            continue
        channels, row = torch.unique(rows, return_inverse=True)  # (C,), (K,)
        first, n_steps = int(steps.min()), int(steps.max() - steps.min()) + 1
        where = torch.zeros((len(channels), 3)).index_copy(0, row, tokens.coords[b, tokens.mask[b], :3].float().cpu())
        grid = block_mask(where, n_steps, config, generator)
        hidden[b, real[b]] = grid[row, steps - first]
    return hidden.to(tokens.mask.device)
