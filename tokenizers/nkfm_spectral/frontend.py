"""From samples to patches of normalised amplitude spectra: the formulas, and the geometry of a segment."""

from __future__ import annotations

import torch
from torch import Tensor

from neurokit_fm import Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from nkfm_spectral.config import SpectralConfig

EPS = 1e-5
"""Added to the variance of a spectrum, so that a flat channel gives zeros."""


def amplitude(x: Tensor, *, keep_dc: bool = False) -> Tensor:
    r"""One-sided amplitude spectrum, $|\sum_t x_t e^{-2\pi i k t / T}|$.

    Parameters
    ----------
    x : Tensor, shape (..., T)
    keep_dc : bool
        Begin with bin 0; otherwise with bin 1.

    Returns
    -------
    Tensor, shape (..., L), float32
        L is ``T // 2``, one more with `keep_dc`; bin k is at k / T of the sampling rate.

    Notes
    -----
    The mean over time touches bin 0 only. Where that is dropped it is taken off first: in float32 a large offset would
    leak into all others, and a channel that never changes would not give zeros.
    """
    x = x.float()
    spectrum: Tensor = torch.fft.rfft(x if keep_dc else x - x.mean(-1, keepdim=True)).abs()
    return spectrum if keep_dc else spectrum[..., 1:]


def instance_norm(spectrum: Tensor, eps: float = EPS) -> tuple[Tensor, Tensor, Tensor]:
    r"""Normalise each spectrum by its own mean and (biased) variance, $(A - \mu) / \sqrt{\sigma^2 + \epsilon}$.

    Parameters
    ----------
    spectrum : Tensor, shape (..., L)
    eps : float

    Returns
    -------
    normalised : Tensor, shape (..., L)
    mean, scale : Tensor, shape (..., 1)
        ``spectrum = normalised * scale + mean``.
    """
    normalised, mean, inverse = torch.native_layer_norm(spectrum, spectrum.shape[-1:], None, None, eps)
    return normalised, mean, 1 / inverse


def patches(spectrum: Tensor, patch_len: int, stride: int) -> Tensor:
    """Cut a spectrum into patches, (..., L) to (..., N, P) with N = (L - P) // S + 1; what is left over is dropped."""
    return spectrum.unfold(-1, patch_len, stride)


class SpectralFrontend:
    """The geometry of a segment at one rate, and the way from a stream to its patches.

    Parameters
    ----------
    config : SpectralConfig
    sfreq : float, Hz

    Attributes
    ----------
    segment, piece : int
        Samples.
    bands : int
        Patches of one piece.
    n_patches : int
        Patches N of one segment, piece by piece and, within a piece, from low to high frequency.

    Raises
    ------
    ConfigError
        If a segment is no whole number of pieces, a piece no whole number of samples, or a patch wider than a spectrum.
    """

    def __init__(self, config: SpectralConfig, sfreq: float):
        self.config, self.sfreq = config, sfreq
        self.segment, self.piece = _samples(config.segment_s, sfreq), _samples(config.piece, sfreq)
        if self.segment % self.piece:
            raise ConfigError(
                f"segment_s={config.segment_s:g} s is no whole number of pieces of {config.piece:g} s at {sfreq:g} Hz"
            )
        bins = self.piece // 2 + config.keep_dc
        if config.patch_len > bins:
            raise ConfigError(
                f"patch_len={config.patch_len} is wider than the spectrum of {config.piece:g} s at {sfreq:g} Hz, "
                f"which has {bins} bins; make it at most that, or the piece longer"
            )
        self.bands = (bins - config.patch_len) // config.stride + 1
        self.n_patches = self.segment // self.piece * self.bands

    def bins_hz(self) -> Tensor:
        """Frequency of each bin of each patch of a segment, (N, P), Hz."""
        first = torch.arange(self.bands)[:, None] * self.config.stride + (not self.config.keep_dc)  # (bands, 1)
        hz = (first + torch.arange(self.config.patch_len)) * (self.sfreq / self.piece)  # (bands, P)
        return hz.repeat(self.segment // self.piece, 1)

    def normalised(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Patches of segments, (..., segment samples) to (..., N, P), with mean and scale (..., 1) of their spectra."""
        spectrum = amplitude(x.reshape(*x.shape[:-1], -1, self.piece), keep_dc=self.config.keep_dc)  # (..., pieces, L)
        z, mean, scale = instance_norm(spectrum.flatten(-2))  # over all bins of all pieces
        cut = patches(z.view_as(spectrum), self.config.patch_len, self.config.stride)
        return cut.flatten(-3, -2), mean, scale  # (..., pieces*bands, P) piece-major

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the patches of all whole segments, (B, C*S*N, P), channel-major, then segment by segment.

        A patch describes its whole piece, so any instant of it is as true as another: the times of the patches of a
        segment are spread evenly over it, in their order. That keeps the coordinates of all tokens apart, and lets a
        positional encoding tell frequencies apart.

        Raises
        ------
        DataError
            If the stream has another rate, or is shorter than one segment.
        """
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            raise DataError(
                f"spectral tokenizer made for {self.sfreq:g} Hz got {stream.sfreq:g} Hz; apply the contract first"
            )
        if stream.values.shape[2] < self.segment:
            raise DataError(
                f"{stream.values.shape[2]} samples at {stream.sfreq:g} Hz are shorter than one segment; "
                f"the minimum is {self.segment} samples ({self.config.segment_s:g} s)"
            )
        x = stream.values.unfold(2, self.segment, self.segment)  # (B, C, S, samples)
        values = self.normalised(x)[0].to(stream.values.dtype)  # (B, C, S, N, P)
        b, c, s, n, _ = values.shape
        real = stream.time_mask.unfold(1, self.segment, self.segment).all(-1)  # (B, S)
        mask = (stream.channel_mask[:, :, None] & real[:, None])[..., None].expand(b, c, s, n)
        step = torch.arange(s * n, device=x.device)
        seconds = (step * (self.config.segment_s / n)).to(torch.float32)  # (S*N,)
        place = stream.positions[:, :, None].expand(b, c, s * n, 3)
        coords = torch.cat([place, seconds[:, None].expand(b, c, s * n, 1)], dim=-1)  # (B, C, S*N, 4)
        row = torch.arange(c, device=x.device)[:, None].expand(c, s * n)
        index = torch.stack([row, step.expand(c, s * n)], dim=-1)  # (C, S*N, 2)
        return Tokens(
            values=values.flatten(1, 3),  # (B, C*S*N, P) channel-major
            mask=mask.flatten(1),
            coords=coords.flatten(1, 2),
            index=index.flatten(0, 1).expand(b, c * s * n, 2),
        )


def _samples(seconds: float, sfreq: float) -> int:
    n = seconds * sfreq
    if abs(n - round(n)) > 1e-6 or round(n) < 2:
        raise ConfigError(f"{seconds:g} s is not a whole number of samples, two at least, at {sfreq:g} Hz ({n:g})")
    return round(n)
