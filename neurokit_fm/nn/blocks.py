"""Transformer blocks: attention and a plain or gated feed-forward, pre- or peri-norm, with or without biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm.batch.packing import Packing
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.attention import Runs, attend
from neurokit_fm.nn.norms import RMSNorm


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Size and kind of a stack of blocks.

    Attributes
    ----------
    width : int
        Token width D.
    depth, heads, head_dim : int
        `heads * head_dim` may differ from `width`.
    mlp_ratio : float
        Hidden width of the feed-forward is ``int(width * mlp_ratio)``, truncated.
    geglu : bool
        Gate the feed-forward with a GELU (arXiv:2002.05202); otherwise a plain GELU.
    norm : {"pre", "peri"}
        Normalise the input of each sub-layer, or its input and its output (arXiv:2502.02732).
    start : {"small", "local"}
        Weights at first: standard deviation 0.02, as REVE; or ``width**-0.5`` with keys equal to queries, so that a token
        looks at those most like itself, in place above all, from the first step. Small models learn sooner from that.
    norm_kind : {"rms", "layer"}
        RMSNorm, or LayerNorm with an epsilon of 1e-6.
    bias, qkv_bias : bool
        Biases in the linear maps: of q, k and v (`qkv_bias`), and in all others (`bias`).
    qk_norm : bool
        LayerNorm of each head's queries and keys (arXiv:2302.05442).
    layer_scale : bool
        Multiply the output of each sub-layer by a learned vector (arXiv:2103.17239); not with ``norm="peri"``.
    """

    width: int = 512
    depth: int = 4
    heads: int = 8
    head_dim: int = 64
    mlp_ratio: float = 2.66
    geglu: bool = True
    norm: Literal["pre", "peri"] = "pre"
    start: Literal["small", "local"] = "small"
    norm_kind: Literal["rms", "layer"] = "rms"
    bias: bool = False
    qkv_bias: bool = False
    qk_norm: bool = False
    layer_scale: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.heads, self.head_dim) < 1 or self.depth < 0 or self.mlp_ratio <= 0:
            raise ConfigError(f"transformer sizes must be positive; got {self}")
        if self.norm not in ("pre", "peri"):
            raise ConfigError(f"norm must be 'pre' or 'peri'; got {self.norm!r}")
        if self.start not in ("small", "local"):
            raise ConfigError(f"start must be 'small' or 'local'; got {self.start!r}")
        if self.norm_kind not in ("rms", "layer") or (self.norm == "peri" and self.layer_scale):
            raise ConfigError(f"norm_kind is 'rms' or 'layer', and layer_scale goes with norm='pre'; got {self}")

    @property
    def hidden(self) -> int:
        """Hidden width of the feed-forward."""
        return int(self.width * self.mlp_ratio)

    def make_norm(self) -> nn.Module:
        """Return a fresh norm of a token."""
        return nn.LayerNorm(self.width, eps=1e-6) if self.norm_kind == "layer" else RMSNorm(self.width)


class Attention(nn.Module):
    """Multi-head self-attention over all tokens, q|k|v in one projection, heads outer."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * inner, bias=config.qkv_bias)
        self.out = nn.Linear(inner, config.width, bias=config.bias)
        self.q_norm, self.k_norm = (
            nn.LayerNorm(config.head_dim, eps=1e-6) if config.qk_norm else nn.Identity() for _ in "qk"
        )

    def forward(self, x: Tensor, key_mask: Tensor | None, runs: Runs | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, N, d)
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        mixed = attend(q, k, v, key_mask=key_mask, runs=runs)  # (B, H, N, d)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linear maps around a GELU; gated: first half of the hidden vector is the value, second half the gate."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.geglu = config.geglu
        self.up = nn.Linear(config.width, config.hidden * (2 if config.geglu else 1), bias=config.bias)
        self.down = nn.Linear(config.hidden, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D); GELU is the exact one (erf)."""
        if self.geglu:
            value, gate = self._halves(x)
            x = value * F.gelu(gate)
        else:
            x = F.gelu(self.up(x))
        out: Tensor = self.down(x)
        return out

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and gate (B, N, M), each contiguous: two products are faster than one and its two strided halves."""
        up = self.up
        if type(up) is not nn.Linear or up.bias is not None or up._forward_hooks or up._forward_pre_hooks:
            value, gate = up(x).chunk(2, dim=-1)  # an adapter or a watcher
        else:
            value, gate = (F.linear(x, weight) for weight in up.weight.chunk(2))
        return value, gate


class LayerScale(nn.Module):
    """A learned factor for each entry of a token, 0.1 at first (arXiv:2103.17239)."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return x * self.weight


class Block(nn.Module):
    """Attention and feed-forward, each with a residual connection."""

    def __init__(self, config: TransformerConfig):
        super().__init__()

        def after() -> nn.Module:
            if config.norm == "peri":
                return config.make_norm()
            return LayerScale(config.width) if config.layer_scale else nn.Identity()

        self.attention_norm = config.make_norm()
        self.attention = Attention(config)
        self.attention_after = after()
        self.mlp_norm = config.make_norm()
        self.mlp = FeedForward(config)
        self.mlp_after = after()

    def forward(self, x: Tensor, key_mask: Tensor | None = None, runs: Runs | None = None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        x = x + self.attention_after(self.attention(self.attention_norm(x), key_mask, runs))
        return x + self.mlp_after(self.mlp(self.mlp_norm(x)))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """A stack of blocks, no final norm.

    Padded batches are packed on the way in and unpacked on the way out, so that padding costs nothing.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        std = 0.02 if config.start == "small" else config.width**-0.5
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std)
        if config.start == "local":
            for module in self.modules():
                if isinstance(module, Attention):
                    queries, keys, _ = module.qkv.weight.data.chunk(3)
                    keys.copy_(queries)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        segment: Tensor | None = None,
        keep_layers: bool = False,
        pack: bool = True,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run the blocks.

        Parameters
        ----------
        x : Tensor, shape (B, N, D)
        mask : Tensor, shape (B, N), bool, optional
            True where a token is real; None = all.
        segment : Tensor, shape (B, N), int64, optional
            For tokens that are packed already.
        keep_layers : bool
            Also return the input and every block's output.
        pack : bool
            False keeps padded tokens padded and masks them instead (same numbers, more work; fixed shapes).

        Returns
        -------
        tuple of Tensor (B, N, D) and list of depth + 1 (or 0) such tensors
            Padding is 0 when packed, meaningless otherwise.
        """
        packing: Packing | None = None
        if segment is not None:
            mask = None
        elif mask is not None and (x.is_meta or not pack or not bool(mask.any())):
            pass
        elif mask is not None and not bool(mask.all()):
            packing = Packing.of(mask)
            x, segment, mask = packing.pack(x), packing.segment, None
        else:
            mask = None
        runs = None if segment is None else Runs.of(segment)
        layers = [x] if keep_layers else []
        for block in self.blocks:
            x = block(x, mask, runs)
            if keep_layers:
                layers.append(x)
        if packing is not None:
            x, layers = packing.unpack(x), [packing.unpack(layer) for layer in layers]
        return x, layers


def stacks(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Layers that follow each other, by the name of the list or sequence that holds them: of these, the outermost.

    A layer is what has parts of its own; a lone linear map, a norm and an activation are none.
    """
    found: dict[str, list[nn.Module]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and not name.startswith(tuple(f"{n}." for n in found)):
            layers = [layer for layer in module if any(True for _ in layer.children())]
            found |= {name: layers} if layers else {}
    return found
