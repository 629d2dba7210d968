"""SignalJepa: a token a channel and second, made by convolutions; its place is its electrode and its time."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Model, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from neurokit_fm.nn.attention import unless_full
from neurokit_fm.nn.names import channel_rows
from nkfm_signaljepa.config import CONTRACT, SignalJepaConfig

LONGEST_S = 600.0
"""Time that the slowest sine of the encoding of time was made for."""


class SignalJepa(Model):
    """The Signal-JEPA encoder.

    Parameters
    ----------
    config : SignalJepaConfig
    contract : SeriesContract
        `nkfm_signaljepa.config.CONTRACT` for the published weights with a table of electrodes, `CONTRACT_PLACES` for those
        without.

    Notes
    -----
    Source: arXiv:2403.11772, the contextual encoder. Each channel goes through the same convolutions; the first is
    normalised over the whole window, feature by feature. Vectors of electrodes come from a learned table, or from sines of
    their positions, which is how that table was initialised. The predictor of the pretraining is not here. Deviation: no
    dropout.
    """

    name = "signal-jepa"
    config_class = SignalJepaConfig
    accepts = (SeriesStream,)
    example = SignalJepaConfig(
        convs=((4, 32, 8), (16, 4, 4), (16, 4, 4)), depth=2, heads=4, hidden=32, place_width=6, time_width=10
    )
    example_contract = CONTRACT

    def __init__(self, config: SignalJepaConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.sfreq = contract.sfreq
        features = [1, *(layer[0] for layer in config.convs)]
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride=stride, bias=config.conv_bias)
            for before, (after, kernel, stride) in zip(features, config.convs, strict=False)
        )
        self.norm = nn.GroupNorm(features[1], features[1])
        self.electrodes = nn.Embedding(len(config.electrodes), config.place_width) if config.electrodes else None
        layer = nn.TransformerEncoderLayer(config.width, config.heads, config.hidden, dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(
            layer, config.depth, norm=nn.LayerNorm(config.width), enable_nested_tensor=False
        )

    def forward(self, batch: Batch) -> Features:
        """Encode a batch: tokens are seconds, channel by channel.

        Raises
        ------
        DataError
            If the stream has another rate, is too short, or has an electrode that the model does not know: by its name, or
            without a table of names by its position.
        """
        stream = batch.the(SeriesStream)
        self._check(stream)
        (size, channels, _), (length, hop) = stream.values.shape, self.config.field
        mask = stream.channel_mask[..., None] & stream.time_mask.unfold(1, length, hop).all(-1)[:, None]  # (B, C, P)
        x = self._convolve(stream)  # (B, C, P, D)
        steps = torch.arange(x.shape[2], device=x.device)
        times = time_sines(steps, int(self.config.steps_per_s * LONGEST_S), self.config.time_width)  # (P, time_width)
        place = self._places(stream)[:, :, None].expand(*x.shape[:3], -1)
        x = x + torch.cat([place, times.expand(*x.shape[:3], -1)], dim=-1).to(x.dtype)
        real = unless_full(mask.flatten(1))
        x = self.transformer(x.flatten(1, 2), src_key_padding_mask=None if real is None else ~real)  # (B, C*P, D)
        seconds = (steps * (hop / stream.sfreq)).to(torch.float32)[:, None].expand(size, channels, -1, 1)
        where = stream.positions[:, :, None].expand(-1, -1, len(steps), 3)
        row = torch.arange(channels, device=x.device)[:, None].expand(-1, len(steps))
        return Features(
            tokens=x,
            mask=mask.flatten(1),
            coords=torch.cat([where, seconds], dim=-1).flatten(1, 2),
            index=torch.stack([row, steps.expand_as(row)], dim=-1).flatten(0, 1).expand(size, -1, 2),
        )

    def _check(self, stream: SeriesStream) -> None:
        length, sfreq = self.config.field[0], self.sfreq
        if abs(stream.sfreq - sfreq) > 1e-6 * sfreq:
            raise DataError(f"signal-jepa made for {sfreq:g} Hz got {stream.sfreq:g} Hz; apply the contract first")
        if stream.values.shape[2] < length:
            raise DataError(
                f"{stream.values.shape[2]} samples at {sfreq:g} Hz are shorter than one token; the minimum is {length} "
                f"samples ({length / sfreq:g} s)"
            )

    def _convolve(self, stream: SeriesStream) -> Tensor:
        """Convolutions along each channel, (B, C, P, D)."""
        real = unless_full(stream.channel_mask[..., None] & stream.time_mask[:, None])  # (B, C, T)
        x = stream.values if real is None else stream.values.masked_fill(~real, 0)
        x = x.to(self.norm.weight.dtype).flatten(0, 1)[:, None]  # (B*C, 1, T)
        for i, conv in enumerate(self.convs):
            x = conv(x)  # (B*C, F, L)
            if i == 0:
                _, kernel, stride = self.config.convs[0]
                x = (
                    self.norm(x)
                    if real is None
                    else self._norm(x, real.flatten(0, 1).unfold(1, kernel, stride).all(-1))
                )
            x = F.gelu(x)
        return x.transpose(1, 2).unflatten(0, stream.values.shape[:2])  # type: ignore[no-untyped-call, no-any-return]

    def _norm(self, x: Tensor, real: Tensor) -> Tensor:
        """Norm of each feature (R, F, L) over the real steps (R, L) of its row."""
        y, keep = x.float(), real[:, None]
        share = 1 / keep.sum(2, keepdim=True).clamp(min=1)
        y = (y - y.masked_fill(~keep, 0).sum(2, keepdim=True) * share).masked_fill(~keep, 0)
        y = y * (y.square().sum(2, keepdim=True) * share + self.norm.eps).rsqrt()
        return (y * self.norm.weight.float()[:, None] + self.norm.bias.float()[:, None]).to(x.dtype)

    def _places(self, stream: SeriesStream) -> Tensor:
        """Vectors of the electrodes, (B, C, place_width)."""
        if self.electrodes is not None:
            return self.electrodes(channel_rows(stream, self.config.electrodes, self.name))  # type: ignore[no-any-return]
        where = stream.positions.masked_fill(~stream.channel_mask[..., None], 0)  # (B, C, 3)
        if not where.is_meta and not bool(torch.isfinite(where).all()):
            lacking = int((~torch.isfinite(where).all(-1)).sum())
            raise DataError(
                f"signal-jepa places electrodes by position, and {lacking} have none; apply the contract first"
            )
        return place_sines(where, self.config.reach_m, self.config.place_width)


def sines(x: Tensor, rates: Tensor) -> Tensor:
    """Sines (even entries) and cosines (odd) of x (...) at R rates, (..., 2 R)."""
    phase = x[..., None] * rates
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-2)


def time_sines(steps: Tensor, longest: int, width: int) -> Tensor:
    """Encode steps (...) of time; the slowest sine is made for as many as `longest`."""
    return sines(steps, torch.exp(torch.arange(0, width, 2, device=steps.device) * (-math.log(longest) / width)))


def place_sines(positions: Tensor, reach_m: float, width: int) -> Tensor:
    """Encode positions (..., 3): a third of the entries for each coordinate, the fastest first."""
    third = width // 3
    rates = torch.exp((1 - torch.arange(0, third, 2, device=positions.device) / third) * (2 * math.pi))
    return sines((positions.double() / (10 * reach_m)).float(), rates).flatten(-2)
