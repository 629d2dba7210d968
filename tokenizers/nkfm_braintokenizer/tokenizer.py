"""BrainTokenizer: sensors to latent sources, latent sources to codes, and codes back to any sensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from neurokit_fm.nn.norms import RMSNorm
from neurokit_fm.nn.quantize import Quantized, Quantizer, QuantizerConfig
from nkfm_braintokenizer import seanet
from nkfm_braintokenizer.config import BrainTokenizerConfig
from nkfm_braintokenizer.published import config_of, published_keys, published_name
from nkfm_braintokenizer.seanet import NormedConv
from nkfm_braintokenizer.sensors import normalise_positions, normalise_signal, sensor_inputs

BLOCK = 512
"""About how many windows of single channels are encoded at once: long recordings go through piece by piece."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A stream as the tokenizer takes it.

    Attributes
    ----------
    x : Tensor, shape (B, C, T), float32
        Normalised, 0 in padding.
    pos : Tensor, shape (B, C, 6), float32
    kind : Tensor, shape (B, C), int64
    channel_mask : Tensor, shape (B, C), bool
    lengths : Tensor, shape (B,), int64
        Real samples.
    """

    x: Tensor
    pos: Tensor
    kind: Tensor
    channel_mask: Tensor
    lengths: Tensor


class SensorEncoder(nn.Module):
    """Place, direction and type of a sensor as a vector."""

    def __init__(self, width: int):
        super().__init__()
        self.place = nn.Sequential(nn.Linear(6, width // 2), nn.SELU(), nn.Linear(width // 2, width))
        self.kind = nn.Embedding(3, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.SELU(), nn.Linear(4 * width, width))
        self.norm = RMSNorm(width)

    def forward(self, pos: Tensor, kind: Tensor) -> Tensor:
        """(B, C, 6) and (B, C) to (B, C, D)."""
        e = self.place(pos.to(self.kind.weight.dtype)) + self.kind(kind.clamp(min=0).long())
        return self.norm(e + self.mlp(e))  # type: ignore[no-any-return]


class Gather(nn.Module):
    """Latent queries look at all sensors, each moment by itself (the "backward solution")."""

    def __init__(self, width: int, latents: int, heads: int):
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(latents, width))
        self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(3))

    def forward(self, z: Tensor, sensors: Tensor, mask: Tensor | None) -> Tensor:
        """Sensors' tokens (B, C, n, S, D) and vectors (B, C, D) to latent sources (B, K, n, S, D)."""
        b, c, n, s, _ = z.shape
        place = F.linear(sensors, self.key.weight)  # (B, C, D) the key is linear: the sensor's part is computed once
        k = self.key(z) + place[:, :, None, None]
        k, v = (
            x.permute(0, 2, 3, 1, 4).reshape(b, n * s, c, self.heads, -1).transpose(2, 3) for x in (k, self.value(z))
        )
        q = self.queries.to(z.dtype).view(len(self.queries), self.heads, -1).transpose(0, 1)  # (H, K, d)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # (B, n*S, H, K, C)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, None], -torch.inf)
        found = scores.float().softmax(-1).to(v.dtype) @ v  # (B, n*S, H, K, d)
        out: Tensor = self.out(found.transpose(2, 3).flatten(3))  # (B, n*S, K, D)
        return out.view(b, n, s, -1, out.shape[-1]).permute(0, 3, 1, 2, 4)


class Spread(nn.Module):
    """Sensors look at the latent sources, each moment by itself (the "forward solution")."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, latents: Tensor, sensors: Tensor) -> Tensor:
        """Latent sources (B, K, n, S, D) and sensors' vectors (B, C, D) to sensors' tokens (B, C, n, S, D)."""
        _, _, n, s, _ = latents.shape
        k, v = (
            x.permute(0, 2, 3, 1, 4).flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(2, 3)  # (B, n*S, H, K, d)
            for x in self.kv(latents).chunk(2, dim=-1)
        )
        q = sensors.view(*sensors.shape[:2], self.heads, -1).transpose(1, 2)[:, None]  # (B, 1, H, C, d)
        found = F.scaled_dot_product_attention(q.expand(-1, n * s, -1, -1, -1), k, v)  # (B, n*S, H, C, d)
        out: Tensor = self.out(found.transpose(2, 3).flatten(3))  # (B, n*S, C, D)
        return out.view(len(out), n, s, -1, out.shape[-1]).permute(0, 3, 1, 2, 4)


class BrainTokenizer(Tokenizer):
    """EEG and MEG of any montage to codes of K latent sources, and back to any sensors.

    Parameters
    ----------
    config : BrainTokenizerConfig
    width : int
        Of the token vectors that `embed` gives; tokens are projected where it is not the config's.
    sfreq : float, Hz
        Of the streams to come.

    Notes
    -----
    Source: BrainOmni, arXiv:2505.18185, sections on BrainTokenizer. Deviations, for the published code has no padding:
    sensors may be masked, and windows that hold no real sample are no tokens. Running means of codebooks follow the
    vectors from the start (see `QuantizerConfig.reference`). 5,050,338 parameters as released.
    """

    config_class = BrainTokenizerConfig
    accepts = (SeriesStream,)
    example = BrainTokenizerConfig(
        window=64,
        filters=2,
        ratios=(4, 2),
        width=16,
        latents=3,
        heads=2,
        codebook=QuantizerConfig(size=16, width=16, levels=2, gradient="rotation", start="random", dead_below=0.1),
        lonely="absolute",
    )
    example_sfreq = 256.0

    def __init__(self, config: BrainTokenizerConfig, width: int, sfreq: float):
        super().__init__()
        self.config, self.sfreq, self.raw_width = config, sfreq, config.width
        sizes = (config.filters, config.ratios, config.kernel, config.last_kernel, config.width)
        self.sensors = SensorEncoder(config.width)
        self.encoder = seanet.encoder(*sizes)
        self.gather = Gather(config.width, config.latents, config.heads)
        self.quantizer = Quantizer(config.width, config.codebook)
        self.spread = Spread(config.width, config.heads)
        self.decoder = seanet.decoder(*sizes)
        self.project = nn.Identity() if width == config.width else nn.Linear(config.width, width)
        self._start(config.start)

    @torch.no_grad()
    def _start(self, start: str) -> None:
        """Give the weights their first values."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                unit = start == "unit" and isinstance(module, nn.Linear)
                nn.init.trunc_normal_(module.weight, std=module.weight.shape[1] ** -0.5 if unit else 0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
            if start == "unit" and isinstance(module, NormedConv | nn.LSTM):
                for name, parameter in module.named_parameters():
                    parameter.mul_(0 if name.startswith("bias") else 2 if name == "weight_g" else 1)
        if start == "unit":
            self.spread.kv.weight.mul_(self.config.width**0.5)  # what comes in has length 1, not entries of size 1
            first: Any = self.sensors.place[0]
            first.weight.mul_(3)  # places have coordinates of about 1/3
            nn.init.normal_(first.bias)  # or opposite places are told apart by sign only
            nn.init.normal_(self.sensors.kind.weight)  # an electrode is no coil in the same place

    # Streams

    def shortest_s(self, sfreq: float) -> float:
        """One token; the rest of its window is zeros."""
        return self.config.token / sfreq

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the quantised latent sources (B, K*W, D): latent by latent, all W moments of each.

        Tokens belong to no sensor, so their position is unknown. The stream is in SI units.

        Raises
        ------
        DataError
            If the stream has another rate or is shorter than one token; if a sensor is of no known type, has no position,
            or is alone of its type.
        """
        ready = self.prepare(stream)
        made = self.encode(ready.x, ready.pos, ready.kind, channel_mask=ready.channel_mask)
        b, k, n, s, d = made.values.shape
        real = self.window_mask(ready.lengths, n)[:, None, :, None].expand(b, k, n, s)  # (B, K, n, S)
        device = stream.values.device
        start = torch.arange(n, device=device)[:, None] * self.config.step
        seconds = (start + torch.arange(s, device=device) * self.config.token).flatten() / self.sfreq  # (W,)
        coords = torch.full((b, k, n * s, 4), torch.nan, device=device)
        coords[..., 3] = seconds
        index = torch.stack(torch.meshgrid(torch.arange(k), torch.arange(n * s), indexing="ij"), dim=-1).to(device)
        return Tokens(
            values=made.values.reshape(b, k * n * s, d).to(stream.values.dtype),
            mask=real.reshape(b, -1),
            coords=coords.flatten(1, 2),
            index=index.flatten(0, 1).expand(b, -1, -1),
        )

    def embed(self, raw: Tensor) -> Tensor:
        """Project quantised latent sources to the width asked for."""
        return self.project(raw)  # type: ignore[no-any-return]

    def prepare(self, stream: SeriesStream) -> Prepared:
        """Bring a stream in SI units to the scale and the places that were trained on.

        Raises
        ------
        DataError
            See `cut`.
        """
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            raise DataError(
                f"braintokenizer made for {self.sfreq:g} Hz got {stream.sfreq:g} Hz; apply the contract first"
            )
        if stream.values.shape[2] < self.config.token:
            raise DataError(
                f"{stream.values.shape[2]} samples are shorter than one token; the minimum is {self.config.token} samples "
                f"({self.config.token / self.sfreq:g} s)"
            )
        raw, kind = sensor_inputs(stream)
        lonely = self.config.lonely
        pos = normalise_positions(raw, kind, lonely=lonely, grad_positions=self.config.grad_positions)
        x = normalise_signal(stream.values, kind, time_mask=stream.time_mask, lonely=lonely)
        return Prepared(x=x, pos=pos, kind=kind, channel_mask=stream.channel_mask, lengths=stream.time_mask.sum(1))

    # Tensors

    def n_windows(self, n_samples: int) -> int:
        """Windows of a signal: whole ones without overlap, else as many as cover it."""
        beyond = max(0, n_samples - self.config.window)
        return 1 + (math.ceil(beyond / self.config.step) if self.config.overlap else beyond // self.config.step)

    def window_mask(self, lengths: Tensor, n: int) -> Tensor:
        """True for the windows (B, n) that a signal of a length (B,) has."""
        beyond = (lengths - self.config.window).clamp(min=0)
        extra = self.config.step - 1 if self.config.overlap else 0
        count = 1 + (beyond + extra) // self.config.step
        return torch.arange(n, device=lengths.device) < count[:, None]

    def windows(self, x: Tensor) -> Tensor:
        """Cut signals (B, C, T) into windows (B, C, n, L); zeros fill the last one up where they overlap."""
        n, size, step = self.n_windows(x.shape[-1]), self.config.window, self.config.step
        return F.pad(x, (0, max(0, (n - 1) * step + size - x.shape[-1]))).unfold(-1, size, step)[:, :, :n]

    def encode(
        self,
        x: Tensor,
        pos: Tensor,
        sensor_type: Tensor,
        *,
        channel_mask: Tensor | None = None,
        learn: bool = False,
        generator: torch.Generator | None = None,
    ) -> Quantized:
        """Quantise normalised signals.

        Parameters
        ----------
        x : Tensor, shape (B, C, T)
            Normalised by type (`normalise_signal`).
        pos : Tensor, shape (B, C, 6)
            Normalised places (`normalise_positions`) and directions.
        sensor_type : Tensor, shape (B, C), integer
            0 EEG, 1 MAG, 2 GRAD.
        channel_mask : Tensor, shape (B, C), bool, optional
        learn, generator :
            See `Quantizer`.

        Returns
        -------
        Quantized
            Values (B, K, n, S, D) and codes (B, K, n, S, Q).
        """
        latents = self.encode_windows(self.windows(x), self.sensors(pos, sensor_type), channel_mask)
        return self.quantize(latents, learn=learn, generator=generator)

    def encode_windows(self, windows: Tensor, sensors: Tensor, channel_mask: Tensor | None = None) -> Tensor:
        """Latent sources (B, K, n, S, D), before quantisation, of windows (B, C, n, L) and sensors' vectors (B, C, D).

        Padded sensors cost next to nothing: only real rows are convolved.
        """
        mask = None if channel_mask is None or (not channel_mask.is_meta and bool(channel_mask.all())) else channel_mask
        at_once = max(1, BLOCK // (windows.shape[0] * windows.shape[1]))
        parts = [
            self.gather(self._convolved(part, mask), sensors, mask) for part in torch.split(windows, at_once, dim=2)
        ]
        return torch.cat(parts, dim=2)

    def quantize(
        self,
        latents: Tensor,
        mask: Tensor | None = None,
        *,
        learn: bool = False,
        generator: torch.Generator | None = None,
    ) -> Quantized:
        """Quantise the directions of latent sources (..., D)."""
        return self.quantizer(  # type: ignore[no-any-return]
            F.normalize(latents.float(), dim=-1).to(latents.dtype), mask, learn=learn, generator=generator
        )

    def decode_codes(self, codes: Tensor, pos: Tensor, sensor_type: Tensor) -> Tensor:
        """Standardised windows (B, C, n, L) at sensors, which need not be those that were encoded, from codes (B, K, n, S, Q)."""
        return self.decode_latents(self.quantizer.decode(codes), self.sensors(pos, sensor_type))

    def decode_latents(self, latents: Tensor, sensors: Tensor) -> Tensor:
        """Windows (B, C, n, L) at sensors with vectors (B, C, D) from quantised latent sources (B, K, n, S, D)."""
        tokens = self.spread(latents, sensors)  # (B, C, n, S, D)
        rows = self.decoder(tokens.flatten(0, 2).transpose(1, 2))  # (B*C*n, 1, L)
        return rows[:, 0].unflatten(0, tokens.shape[:3])  # type: ignore[no-any-return]

    # Published checkpoints

    @staticmethod
    def published_config(config: Mapping[str, Any]) -> BrainTokenizerConfig:
        """Read a published configuration; see `nkfm_braintokenizer.convert.from_reference`."""
        return config_of(config)

    def published_keys(self) -> dict[str, str]:
        """Published key to ours, of every tensor."""
        return published_keys(self)

    @staticmethod
    def published_name(key: str) -> str | None:
        """Return the published name of a tensor that braindecode renamed; None for one to leave out."""
        return published_name(key)

    def _convolved(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Windows (B, C, n, L) through the convolutions: (B, C, n, S, D), 0 where there is no sensor."""
        windows = windows.to(self.gather.queries.dtype)
        if mask is None or windows.is_meta:
            rows: Any = windows.flatten(0, 2)[:, None]  # (B*C*n, 1, L)
            return self.encoder(rows).transpose(1, 2).unflatten(0, windows.shape[:3])  # type: ignore[no-any-return]
        found = self.encoder(windows[mask].flatten(0, 1)[:, None]).transpose(1, 2)  # (real*n, S, D)
        out = found.new_zeros((*windows.shape[:3], *found.shape[1:]))
        out[mask] = found.unflatten(0, (-1, windows.shape[2]))
        whole: Tensor = out
        return whole
