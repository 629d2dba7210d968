"""BeatTokenizer: one token a channel and heartbeat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt
from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from nkfm_heartbeat.config import BeatConfig


def find_beats(x: npt.NDArray[np.floating], sfreq: float, config: BeatConfig) -> npt.NDArray[np.int64]:
    """Samples of the R peaks: where the QRS band is largest near each peak of its energy, over all channels together.

    Parameters
    ----------
    x : ndarray, shape (C, T)
    sfreq : float, Hz
    config : BeatConfig

    Returns
    -------
    ndarray, shape (beats,), int64
        Ascending. Only peaks with a whole token around them; of these the strongest is always one.

    Notes
    -----
    Source: the band, the squared slope and the moving average of Pan & Tompkins (1985). Deviation: one threshold for
    the whole window, at a share of the median of the strongest peak of each second, instead of two that adapt.
    """
    before, after = round(config.before_s * sfreq), round(config.after_s * sfreq)
    high = min(config.band[1], 0.45 * sfreq)
    sos = butter(2, (min(config.band[0], high / 2), high), btype="bandpass", fs=sfreq, output="sos")
    fast = sosfiltfilt(sos, x.astype(np.float64), axis=1, padlen=min(x.shape[1] - 1, round(sfreq)))  # (C, T)
    slope = (np.gradient(fast, axis=1) ** 2).sum(axis=0)  # (T,) a beat is a beat in all channels
    energy = uniform_filter1d(slope, max(1, round(config.smooth_s * sfreq)))
    inside = energy[before : len(energy) - after + 1]  # (T - L + 1,) a whole token around each
    second = max(1, round(sfreq))
    typical = np.median([inside[i : i + second].max() for i in range(0, len(inside), second)])
    rough, _ = find_peaks(inside, config.threshold * typical, distance=max(1, round(config.refractory_s * sfreq)))
    rough = rough if len(rough) else inside.argmax()[None]
    height, reach = (fast**2).sum(axis=0)[before : len(energy) - after + 1], round(config.smooth_s * sfreq / 2)
    starts = np.maximum(rough - reach, 0)
    return np.array([before + a + height[a : p + reach + 1].argmax() for a, p in zip(starts, rough, strict=True)])


class BeatTokenizer(Tokenizer):
    """Cut a window around each heartbeat, in every channel at the same time, and map it to a vector.

    Windows of one length may hold different numbers of beats, at any times: the tokens of a beat that is not there are
    masked. There is room for one beat every ``refractory_s``.

    Parameters
    ----------
    config : BeatConfig
    width : int
        D.
    sfreq : float, Hz

    Notes
    -----
    Source: detection after Pan & Tompkins (1985), doi 10.1109/TBME.1985.325532; see `find_beats`. A beat as one token
    is this package's own choice.
    """

    config_class = BeatConfig
    accepts = (SeriesStream,)

    def __init__(self, config: BeatConfig, width: int, sfreq: float):
        super().__init__()
        self.config = config
        self.sfreq = sfreq
        self.before, self.after = round(config.before_s * sfreq), round(config.after_s * sfreq)
        self.refractory = max(1, round(config.refractory_s * sfreq))
        if min(self.before, self.after) < 1:
            raise ConfigError(f"before_s and after_s must be at least one sample at {sfreq:g} Hz; got {config}")
        self.raw_width = self.before + self.after
        self.project = nn.Linear(self.raw_width, width)

    def shortest_s(self, sfreq: float) -> float:
        """One beat."""
        return self.raw_width / sfreq

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the beats (B, C*S, L), channel-major, S = beats there is room for; time is that of the peak.

        Raises
        ------
        DataError
            If the stream has another rate, or is shorter than one token.
        """
        b, c, t = stream.values.shape
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            raise DataError(
                f"beat tokenizer made for {self.sfreq:g} Hz got {stream.sfreq:g} Hz; apply the contract first"
            )
        if t < self.raw_width:
            raise DataError(
                f"{t} samples at {stream.sfreq:g} Hz are shorter than one beat; the minimum is {self.raw_width} samples "
                f"({self.raw_width / stream.sfreq:g} s)"
            )
        s = (t - self.raw_width) // self.refractory + 1
        peak, real = self._peaks(stream, s)  # (B, S) both
        span = torch.arange(-self.before, self.after, device=peak.device)  # (L,)
        where = (peak[..., None] + span).flatten(1)  # (B, S*L)
        x = stream.values.gather(2, where[:, None].expand(b, c, -1)).unflatten(2, (s, -1))  # (B, C, S, L)
        mask = stream.channel_mask[:, :, None] & real[:, None]  # (B, C, S)
        place = stream.positions[:, :, None].expand(b, c, s, 3)  # (B, C, S, 3)
        seconds = (peak / stream.sfreq).to(torch.float32)[:, None, :, None].expand(b, c, s, 1)  # (B, C, S, 1)
        row = torch.arange(c, device=peak.device)[:, None].expand(c, s)
        step = torch.arange(s, device=peak.device).expand(c, s)
        return Tokens(
            values=x.flatten(1, 2),  # (B, C*S, L) channel-major
            mask=mask.flatten(1),
            coords=torch.cat([place, seconds], dim=-1).flatten(1, 2),
            index=torch.stack([row, step], dim=-1).flatten(0, 1).expand(b, c * s, 2),
        )

    def embed(self, raw: Tensor) -> Tensor:
        """(B, N, L) to (B, N, D)."""
        return self.project(raw)

    def _peaks(self, stream: SeriesStream, slots: int) -> tuple[Tensor, Tensor]:
        """Sample of each beat (B, S) and whether there is one (B, S)."""
        peak = torch.full((len(stream), slots), self.before, device=stream.values.device)
        real = torch.zeros((len(stream), slots), dtype=torch.bool, device=stream.values.device)
        if stream.values.is_meta:  # shapes only: there is nothing to look at
            return peak, real
        for b in range(len(stream)):
            there = stream.time_mask[b].nonzero().squeeze(1)  # (t,)
            rows = stream.channel_mask[b]
            if not len(there) or not bool(rows.any()):
                continue
            first, last = int(there[0]), int(there[-1]) + 1
            x = (stream.values[b, rows, first:last].float() * stream.time_mask[b, first:last]).cpu().numpy()  # (C, t)
            if x.shape[1] < self.raw_width:
                continue
            found = first + torch.from_numpy(find_beats(x, self.sfreq, self.config)).to(peak.device)  # (beats,)
            span = torch.arange(-self.before, self.after, device=peak.device)
            found = found[stream.time_mask[b][found[:, None] + span].all(1)]  # all its samples are real
            peak[b, : len(found)], real[b, : len(found)] = found, True
        return peak, real
