"""SpectralTokenizer: one token a channel, segment and stretch of frequencies."""

from __future__ import annotations

from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.series import SeriesStream
from nkfm_spectral.config import SpectralConfig
from nkfm_spectral.frontend import SpectralFrontend


class SpectralTokenizer(Tokenizer):
    """Cut the normalised amplitude spectrum of each channel into patches and embed them by one linear map.

    Parameters
    ----------
    config : SpectralConfig
    width : int
        D.
    sfreq : float, Hz

    Attributes
    ----------
    frontend : SpectralFrontend

    Notes
    -----
    Source: EEGFormer, arXiv:2401.10278, front end. A positional encoding says which patch is which, by its time; see
    `SpectralFrontend.cut`.
    """

    config_class = SpectralConfig
    accepts = (SeriesStream,)
    example = SpectralConfig(segment_s=0.5, patch_len=10, stride=10)

    def __init__(self, config: SpectralConfig, width: int, sfreq: float):
        super().__init__()
        self.config = config
        self.frontend = SpectralFrontend(config, sfreq)
        self.raw_width = config.patch_len
        self.project = nn.Linear(config.patch_len, width)

    def shortest_s(self, sfreq: float) -> float:
        """One segment."""
        return self.frontend.segment / sfreq

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the patches (B, C*S*N, P); see `SpectralFrontend.cut`."""
        return self.frontend.cut(stream)

    def embed(self, raw: Tensor) -> Tensor:
        """(B, M, P) to (B, M, D)."""
        return self.project(raw)  # type: ignore[no-any-return]
