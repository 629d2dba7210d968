"""Attention pooling with one learned query."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPool(nn.Module):
    r"""One learned query looks at all tokens: $\mathrm{softmax}(u X^\top / \sqrt{D}) X$, one head, no projections.

    Source: REVE, arXiv:2510.21585 (global token).
    """

    def __init__(self, width: int):
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.query, std=0.02, a=-0.06, b=0.06)

    def forward(self, layers: Tensor | list[Tensor], mask: Tensor | None = None) -> Tensor:
        """Pool tokens, of one layer or of several as if they were concatenated along the token axis.

        Parameters
        ----------
        layers : Tensor, shape (B, N, D), or list of them
        mask : Tensor, shape (B, N), bool, optional
            True where a token is real.

        Returns
        -------
        Tensor, shape (B, D)
            0 for a sample without real tokens. Only the scores of several layers are ever held together.
        """
        stack = [layers] if isinstance(layers, Tensor) else layers
        query = self.query[0, 0].float()  # (D,)
        scores = torch.cat([x.float() @ query for x in stack], dim=1) * len(query) ** -0.5  # (B, layers*N)
        if mask is not None:
            scores = scores.masked_fill(~mask.repeat(1, len(stack)), -torch.inf)
        weights = scores.softmax(dim=1).nan_to_num(0.0)  # all masked: 0/0
        n = stack[0].shape[1]
        parts = [(w[:, None] @ x.float())[:, 0] for w, x in zip(weights.split(n, dim=1), stack, strict=True)]
        return torch.stack(parts).sum(0).to(stack[0].dtype)  # (B, D)


def pool_at(tokens: Tensor, mask: Tensor, coords: Tensor, places: Tensor, radius_m: float = 0.03) -> Tensor:
    r"""Mean of the tokens around given places, over all time: what caps that share no electrode have in common.

    Weights $\exp(-d^2 / 2 r^2)$ of the distance between token and place.

    Parameters
    ----------
    tokens : Tensor, shape (B, N, D)
    mask : Tensor, shape (B, N), bool
    coords : Tensor, shape (B, N, 4), metres and seconds
        Tokens at an unknown place (NaN) are left out.
    places : Tensor, shape (P, 3), metres
        In the same frame.
    radius_m : float, metres

    Returns
    -------
    Tensor, shape (B, P, D)
        0 for a sample without a token at a known place.
    """
    where = coords[..., :3].to(places)
    known = mask & where.isfinite().all(-1)  # (B, N)
    distance = torch.cdist(places.expand(len(where), -1, -1), where.nan_to_num(0.0))  # (B, P, N)
    score = (-0.5 * (distance / radius_m) ** 2).masked_fill(~known[:, None], -torch.inf)
    return score.softmax(-1).nan_to_num(0.0).to(tokens.dtype) @ tokens.masked_fill(~mask[..., None], 0)
