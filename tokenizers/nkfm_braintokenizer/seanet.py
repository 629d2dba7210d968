"""SEANet: convolutions that turn a window of one channel into tokens and back, after Encodec (arXiv:2210.13438).

All convolutions are weight-normalised, pad by reflection and look both ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 128
"""Windows that go through all layers together: their activations stay in the cache of a processor."""


class NormedConv(nn.Module):
    """Convolution or transposed convolution whose weight is a direction times a length.

    Parameters
    ----------
    wide_in, wide_out, kernel, stride : int
    transposed : bool
        The lengths are then those of the input channels.

    Attributes
    ----------
    folded : Tensor or None
        The weight, while it is the same for many calls.
    """

    def __init__(self, wide_in: int, wide_out: int, kernel: int, stride: int = 1, *, transposed: bool = False):
        super().__init__()
        make = nn.ConvTranspose1d if transposed else nn.Conv1d
        plain = make(wide_in, wide_out, kernel, stride)  # for its initialisation
        self.kernel, self.stride, self.transposed = kernel, stride, transposed
        self.weight_v = nn.Parameter(plain.weight.detach().clone())
        self.weight_g = nn.Parameter(plain.weight.detach().flatten(1).norm(dim=1)[:, None, None].clone())
        self.bias = nn.Parameter(torch.zeros(wide_out) if plain.bias is None else plain.bias.detach().clone())
        self.folded: Tensor | None = None

    def weight(self) -> Tensor:
        """Return length times direction."""
        if self.folded is not None:
            return self.folded
        return torch._weight_norm(self.weight_v, self.weight_g, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, in, T) to (rows, out, T / stride), or T * stride."""
        spare = self.kernel - self.stride
        right = spare // 2
        if self.transposed:
            out = F.conv_transpose1d(x, self.weight(), self.bias, self.stride)
            return out[..., spare - right : out.shape[-1] - right]
        steps = math.ceil((x.shape[-1] - self.kernel + spare) / self.stride + 1)
        lacking = (steps - 1) * self.stride + self.kernel - spare - x.shape[-1]
        x = _reflect(x, spare - right, right + lacking)
        return F.conv1d(x, self.weight(), self.bias, self.stride)


class Residual(nn.Module):
    """Two convolutions beside one that replaces the skip."""

    def __init__(self, width: int):
        super().__init__()
        self.first = NormedConv(width, width // 2, 3)
        self.second = NormedConv(width // 2, width, 1)
        self.shortcut = NormedConv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, D, T) to the same."""
        hidden: Tensor = self.second(F.elu(self.first(F.elu(x))))
        return self.shortcut(x) + hidden  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """Two layers of LSTM over time, added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, D, T) to the same."""
        moving = x.permute(2, 0, 1)  # (T, rows, D)
        return (self.lstm(moving)[0] + moving).permute(1, 2, 0)  # type: ignore[no-any-return]


class SeaNet(nn.Module):
    """A stack of layers that is run some rows at a time, its weights folded once.

    Windows are independent of each other, so the result is the same.
    """

    def __init__(self, layers: Sequence[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, in, T) to (rows, out, T')."""
        convs = [module for module in self.modules() if isinstance(module, NormedConv)]
        try:
            for conv in convs:
                conv.folded = conv.weight()
            return torch.cat([self._run(part) for part in torch.split(rows, ROWS)])
        finally:
            for conv in convs:
                conv.folded = None

    def _run(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def encoder(filters: int, ratios: Sequence[int], kernel: int, last_kernel: int, width: int) -> SeaNet:
    """Layers from a channel's window (rows, 1, L) to its tokens (rows, D, S)."""
    layers: list[nn.Module] = [NormedConv(1, filters, kernel)]
    wide = filters
    for ratio in reversed(ratios):
        layers += [Residual(wide), nn.ELU(), NormedConv(wide, 2 * wide, 2 * ratio, ratio)]
        wide *= 2
    return SeaNet([*layers, Recurrent(wide), nn.ELU(), NormedConv(wide, width, last_kernel)])


def decoder(filters: int, ratios: Sequence[int], kernel: int, last_kernel: int, width: int) -> SeaNet:
    """Layers from tokens (rows, D, S) back to a window (rows, 1, L)."""
    wide = filters * 2 ** len(ratios)
    layers: list[nn.Module] = [NormedConv(width, wide, kernel), Recurrent(wide)]
    for ratio in ratios:
        layers += [nn.ELU(), NormedConv(wide, wide // 2, 2 * ratio, ratio, transposed=True), Residual(wide // 2)]
        wide //= 2
    return SeaNet([*layers, nn.ELU(), NormedConv(wide, 1, last_kernel)])


def _reflect(x: Tensor, left: int, right: int) -> Tensor:
    """Pad time by reflection; a signal too short for that gets zeros at its end first, cut off again afterwards."""
    if left == right == 0:
        return x
    lacking = max(0, max(left, right) - x.shape[-1] + 1)
    padded = F.pad(F.pad(x, (0, lacking)), (left, right), mode="reflect")
    return padded[..., : padded.shape[-1] - lacking]
