"""SpectralVQTokenizer: spectral patches, each replaced by the nearest entry of a learned codebook."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.nn.quantize import Quantized, Quantizer, QuantizerConfig
from nkfm_spectral.config import SpectralConfig, SpectralVQConfig
from nkfm_spectral.frontend import SpectralFrontend


class SpectralVQTokenizer(Tokenizer):
    r"""Encode the patches of each segment of each channel by a transformer and look their vectors up in a codebook.

    $h = \mathrm{Enc}(x W_p + W_{pos})$, $z_n = \arg\min_k \lVert h_n - v_k \rVert^2$, $q_n = v_{z_n}$. Channels share
    all weights and never see each other.

    Parameters
    ----------
    config : SpectralVQConfig
    width : int
        Of the token vectors; another than ``config.dim`` is reached by a linear map.
    sfreq : float, Hz

    Attributes
    ----------
    frontend : SpectralFrontend
    quantizer : Quantizer
    code_shape : (int, int)
        One level, and the size of the codebook.

    Notes
    -----
    Source: EEGFormer, arXiv:2401.10278. Not said there and chosen here: pre-norm layers with a final norm, GELU, 8 heads,
    dropout 0.1, feed-forward of four widths (which the published numbers of parameters confirm). The vector of a token
    has seen the other patches of its segment, so a masked model that hides some patches of a channel and is shown others
    is shown the hidden ones too: hide whole channels, or predict what cannot be read off.
    """

    config_class = SpectralVQConfig
    accepts = (SeriesStream,)
    example = SpectralVQConfig(
        frontend=SpectralConfig(segment_s=0.5, patch_len=10, stride=10),
        dim=32,
        depth=1,
        heads=2,
        ffn=64,
        dropout=0.0,
        quantizer=QuantizerConfig(size=16, width=32, table="learned", start="random"),
    )

    def __init__(self, config: SpectralVQConfig, width: int, sfreq: float):
        super().__init__()
        self.config = config
        self.frontend = SpectralFrontend(config.frontend, sfreq)
        self.raw_width = config.frontend.patch_len
        self.n_patches = self.frontend.n_patches
        self.code_shape = (1, config.quantizer.size)
        self.project = nn.Linear(self.raw_width, config.dim)
        self.position = nn.Parameter(torch.empty(self.n_patches, config.dim))
        nn.init.trunc_normal_(self.position, std=0.02)
        layers = (
            nn.TransformerEncoderLayer(
                config.dim, config.heads, config.ffn, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.depth)
        )
        self.encoder = nn.Sequential(*layers, nn.LayerNorm(config.dim))
        self.quantizer = Quantizer(config.dim, config.quantizer)
        self.out = nn.Linear(config.dim, width) if width != config.dim else nn.Identity()

    def shortest_s(self, sfreq: float) -> float:
        """One segment."""
        return self.frontend.segment / sfreq

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the patches (B, C*S*N, P); see `SpectralFrontend.cut`."""
        return self.frontend.cut(stream)

    def encode(self, raw: Tensor) -> Tensor:
        """Vectors before the look-up, (B, C*S*N, P) to (B, C*S*N, dim); all N patches of each segment, in order."""
        x = raw.reshape(-1, self.n_patches, self.raw_width)  # (B*C*S, N, P)
        hidden: Tensor = self.encoder(self.project(x) + self.position.to(raw.dtype))
        return hidden.view(*raw.shape[:2], -1)

    def quantise(
        self,
        hidden: Tensor,
        mask: Tensor | None = None,
        *,
        learn: bool = False,
        generator: torch.Generator | None = None,
    ) -> Quantized:
        """Look vectors (B, M, dim) up; see `Quantizer`. Codes are (B, M, 1), -1 where the mask (B, M) is False."""
        found: Quantized = self.quantizer(hidden, mask, learn=learn, generator=generator)
        return found

    def codes(self, stream: SeriesStream) -> Tensor:
        """Codes of a stream's tokens, (B, C*S*N, 1), int64; -1 where nothing is real."""
        tokens = self.cut(stream)
        hidden = self.encode(tokens.values.to(self.project.weight.dtype))
        return self.quantise(hidden, tokens.mask).codes

    def embed(self, raw: Tensor) -> Tensor:
        """Vectors of the codes, (B, C*S*N, P) to (B, C*S*N, D), with a gradient for the encoder."""
        return self.out(self.quantise(self.encode(raw)).values)  # type: ignore[no-any-return]
