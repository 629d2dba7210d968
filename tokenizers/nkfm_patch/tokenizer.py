"""PatchTokenizer: one token a channel and stretch of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from nkfm_patch.config import PatchConfig


class PatchTokenizer(Tokenizer):
    r"""Cut each channel into patches of raw samples and embed them by one linear map shared by all.

    $S = \lfloor (T - w) / s \rfloor + 1$ patches of w samples every s; trailing samples are ignored.

    Parameters
    ----------
    config : PatchConfig
    width : int
        D.
    sfreq : float, Hz
        Patch length and hop must be whole numbers of samples at this rate.

    Raises
    ------
    ConfigError
        If they are not.

    Notes
    -----
    Source: REVE, arXiv:2510.21585, section 3 (the paper prints the number of patches with its indicator inverted; the
    released code computes the formula above).
    """

    config_class = PatchConfig
    accepts = (SeriesStream,)

    def __init__(self, config: PatchConfig, width: int, sfreq: float):
        super().__init__()
        self.config = config
        self.sfreq = sfreq
        self.length, self.hop = _samples(config.length_s, sfreq), _samples(config.hop_s, sfreq)
        self.raw_width = self.length
        self.project = nn.Linear(self.length, width) if config.linear else nn.Identity()

    def shortest_s(self, sfreq: float) -> float:
        """One patch."""
        return self.length / sfreq

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the patches (B, C*S, w), channel-major.

        Raises
        ------
        DataError
            If the stream has another rate, or is shorter than one patch.
        """
        if abs(stream.sfreq - self.sfreq) > 1e-6 * self.sfreq:
            raise DataError(
                f"patch tokenizer made for {self.sfreq:g} Hz got {stream.sfreq:g} Hz; apply the contract first"
            )
        if stream.values.shape[2] < self.length:
            raise DataError(
                f"{stream.values.shape[2]} samples at {stream.sfreq:g} Hz are shorter than one patch; "
                f"the minimum is {self.length} samples ({self.config.length_s:g} s)"
            )
        x = stream.values.unfold(2, self.length, self.hop)  # (B, C, S, w)
        b, c, s, _ = x.shape
        real = stream.time_mask.unfold(1, self.length, self.hop).all(-1)  # (B, S) all its samples are real
        mask = stream.channel_mask[:, :, None] & real[:, None]  # (B, C, S)
        step = torch.arange(s, device=x.device)
        seconds = (step * (self.hop / self.sfreq)).to(torch.float32)  # (S,)
        place = stream.positions[:, :, None].expand(b, c, s, 3)  # (B, C, S, 3)
        coords = torch.cat([place, seconds[:, None].expand(b, c, s, 1)], dim=-1)  # (B, C, S, 4)
        row = torch.arange(c, device=x.device)[:, None].expand(c, s)
        index = torch.stack([row, step.expand(c, s)], dim=-1)  # (C, S, 2)
        return Tokens(
            values=x.flatten(1, 2),  # (B, C*S, w) channel-major
            mask=mask.flatten(1),
            coords=coords.flatten(1, 2),
            index=index.flatten(0, 1).expand(b, c * s, 2),
        )

    def embed(self, raw: Tensor) -> Tensor:
        """(B, N, w) to (B, N, D); to itself if the configuration says so."""
        return self.project(raw)  # type: ignore[no-any-return]


def _samples(seconds: float, sfreq: float) -> int:
    n = seconds * sfreq
    if abs(n - round(n)) > 1e-6 or round(n) < 1:
        raise ConfigError(f"{seconds:g} s is not a whole number of samples at {sfreq:g} Hz ({n:g})")
    return round(n)
