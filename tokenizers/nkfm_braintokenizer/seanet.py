"""SEANet: convolutions that turn a window of one channel into tokens and back, after Encodec (arXiv:2210.13438).

All convolutions are weight-normalised, pad by reflection and look both ways. Inside, a row is (channels, 1, time) with the
channels next to each other in memory, for which processors have convolutions several times as fast. Each layer has `fold`, its
weights ready for many calls, which it is then called with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 64
"""Windows that go through all layers together: their activations stay in the cache of a processor."""


class NormedConv(nn.Module):
    """Convolution or transposed convolution whose weight is a direction times a length.

    Parameters
    ----------
    wide_in, wide_out, kernel, stride : int
    transposed : bool
        The lengths are then those of the input channels.
    """

    def __init__(self, wide_in: int, wide_out: int, kernel: int, stride: int = 1, *, transposed: bool = False):
        super().__init__()
        make = nn.ConvTranspose1d if transposed else nn.Conv1d
        plain = make(wide_in, wide_out, kernel, stride)  # for its initialisation
        self.kernel, self.stride, self.transposed = kernel, stride, transposed
        self.weight_v = nn.Parameter(plain.weight.detach().clone())
        self.weight_g = nn.Parameter(plain.weight.detach().flatten(1).norm(dim=1)[:, None, None].clone())
        self.bias = nn.Parameter(torch.zeros(wide_out) if plain.bias is None else plain.bias.detach().clone())

    def fold(self) -> Tensor:
        """Return length times direction, (out, in, 1, kernel); (in, out, 1, kernel) of a transposed one."""
        weight = torch._weight_norm(self.weight_v, self.weight_g, 0)[:, :, None]
        return weight.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """(rows, in, 1, T) to (rows, out, 1, T / stride), or T * stride."""
        spare = self.kernel - self.stride
        right = spare // 2
        if self.transposed:
            out = F.conv_transpose2d(x, weight, self.bias, (1, self.stride))
            return out[..., spare - right : out.shape[-1] - right]
        steps = math.ceil((x.shape[-1] - self.kernel + spare) / self.stride + 1)
        lacking = (steps - 1) * self.stride + self.kernel - spare - x.shape[-1]
        if lacking or spare % 2 or x.shape[1] == 1 or x.shape[-1] < 2 * self.kernel:
            return self._convolve(_reflect(x, spare - right, right + lacking), weight)
        out = self._convolve(x, weight, right)
        if spare:  # zeros beyond the ends are wrong only there: mend the ends instead of copying everything
            n = -(-right // self.stride)  # outputs at each end that saw them
            reach = (n - 1) * self.stride + self.kernel - right  # samples that they need
            start = _reflect(x[..., : max(reach, right + 1)], right, 0)[..., : right + reach]
            end = _reflect(x[..., -max(reach, right + 1) :], 0, right)[..., -(right + reach) :]
            first, last = self._convolve(torch.cat([start, end]), weight).chunk(2)
            if out.requires_grad:
                return torch.cat([first, out[..., n:-n], last], dim=-1)
            out[..., :n], out[..., -n:] = first, last
        return out

    def _convolve(self, x: Tensor, weight: Tensor, padding: int = 0) -> Tensor:
        """Convolve with zeros beyond the ends."""
        if x.shape[1] == 1 and not padding and self.stride == 1:  # a matrix product is faster, and leaves channels last
            places = x[:, 0, 0].unfold(-1, self.kernel, 1)  # (rows, T, kernel)
            return F.linear(places, weight[:, 0, 0], self.bias).transpose(1, 2)[:, :, None]
        return F.conv2d(x, weight, self.bias, (1, self.stride), (0, padding))


class Elu(nn.Module):
    """Exponential linear unit that writes over its input."""

    def fold(self) -> None:
        """Nothing: it has no weights."""

    def forward(self, x: Tensor, folded: None) -> Tensor:
        """Same shape."""
        return _elu(x, overwrite=True)


class Residual(nn.Module):
    """Two convolutions beside one that replaces the skip."""

    def __init__(self, width: int):
        super().__init__()
        self.first = NormedConv(width, width // 2, 3)
        self.second = NormedConv(width // 2, width, 1)
        self.shortcut = NormedConv(width, width, 1)

    def fold(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights of the three."""
        return self.first.fold(), self.second.fold(), self.shortcut.fold()

    def forward(self, x: Tensor, folded: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """(rows, D, 1, T) to the same."""
        first, second, shortcut = folded
        hidden: Tensor = self.second(_elu(self.first(_elu(x), first), overwrite=True), second)
        return hidden.add_(self.shortcut(x, shortcut))


class Recurrent(nn.Module):
    """Two layers of LSTM over time, added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, 2)

    def fold(self) -> None:
        """Nothing: its weights are used as they are."""

    def forward(self, x: Tensor, folded: None) -> Tensor:
        """(rows, D, 1, T) to the same."""
        moving = x[:, :, 0].permute(2, 0, 1).contiguous()  # (T, rows, D)
        out: Tensor = self.lstm(moving)[0] + moving
        return out.permute(1, 2, 0)[:, :, None].contiguous(memory_format=torch.channels_last)


class SeaNet(nn.Module):
    """A stack of layers that is run some rows at a time, its weights folded once.

    Windows are independent of each other, so the result is the same.
    """

    def __init__(self, layers: Sequence[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, in, T) to (rows, out, T')."""
        layers: list[Any] = list(self.layers)
        folded = [layer.fold() for layer in layers]

        def run(x: Tensor) -> Tensor:
            x = x.contiguous(memory_format=torch.channels_last)
            for layer, weights in zip(layers, folded, strict=True):
                x = layer(x, weights)
            return x

        return torch.cat([run(part[:, :, None])[:, :, 0] for part in torch.split(rows, ROWS)])


def encoder(filters: int, ratios: Sequence[int], kernel: int, last_kernel: int, width: int) -> SeaNet:
    """Layers from a channel's window (rows, 1, L) to its tokens (rows, D, S)."""
    layers: list[nn.Module] = [NormedConv(1, filters, kernel)]
    wide = filters
    for ratio in reversed(ratios):
        layers += [Residual(wide), Elu(), NormedConv(wide, 2 * wide, 2 * ratio, ratio)]
        wide *= 2
    return SeaNet([*layers, Recurrent(wide), Elu(), NormedConv(wide, width, last_kernel)])


def decoder(filters: int, ratios: Sequence[int], kernel: int, last_kernel: int, width: int) -> SeaNet:
    """Layers from tokens (rows, D, S) back to a window (rows, 1, L)."""
    wide = filters * 2 ** len(ratios)
    layers: list[nn.Module] = [NormedConv(width, wide, kernel), Recurrent(wide)]
    for ratio in ratios:
        layers += [
            Elu(),
            NormedConv(wide, wide // 2, 2 * ratio, ratio, transposed=True),
            Residual(wide // 2),
        ]
        wide //= 2
    return SeaNet([*layers, Elu(), NormedConv(wide, 1, last_kernel)])


def _reflect(x: Tensor, left: int, right: int) -> Tensor:
    """Pad time by reflection; a signal too short for that gets zeros at its end first, cut off again afterwards."""
    if not left and not right:
        return x
    lacking = max(0, max(left, right) - x.shape[-1] + 1)
    if lacking:
        x = F.pad(x, (0, lacking))
    last = x.shape[-1] - 1
    places = last - (last - torch.arange(-left, last + 1 + right - lacking, device=x.device).abs()).abs()
    return x.index_select(-1, places)


def _elu(x: Tensor, *, overwrite: bool = False) -> Tensor:
    """max(x, exp(min(x, 0)) - 1), the same as the usual form and faster, for exp is and expm1 is not."""
    if x.requires_grad:
        return F.elu(x, inplace=overwrite)
    y = x.clamp(max=0).exp_().sub_(1)
    return torch.maximum(x, y, out=x if overwrite else y)
