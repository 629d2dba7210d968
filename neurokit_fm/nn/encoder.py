"""TokenEncoder: a tokenizer, a positional encoding and a transformer, the first two composed by registry name."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from neurokit_fm.batch.batch import Stream
from neurokit_fm.config import Part, build_part
from neurokit_fm.nn.blocks import Transformer, TransformerConfig
from neurokit_fm.registry import encodings, tokenizers
from neurokit_fm.tokens import Features, Tokens


@dataclass(frozen=True, kw_only=True)
class TokenEncoderConfig:
    """The parts of a token encoder.

    Attributes
    ----------
    tokenizer, encoding : mapping
        ``{"name": ..., **settings}``, looked up in the registries.
    transformer : TransformerConfig
    """

    tokenizer: Part = field(default_factory=lambda: {"name": "patch"})
    encoding: Part = field(default_factory=lambda: {"name": "fourier-4d"})
    transformer: TransformerConfig = field(default_factory=TransformerConfig)


class TokenEncoder(nn.Module):
    """Stream to features: tokens plus their positions through the transformer.

    Parameters
    ----------
    config : TokenEncoderConfig
    sfreq : float, Hz
        Rate of the streams to come (the contract's).
    """

    def __init__(self, config: TokenEncoderConfig, sfreq: float):
        super().__init__()
        self.config = config
        width = config.transformer.width
        self.tokenizer = build_part(tokenizers, config.tokenizer, width=width, sfreq=sfreq)
        self.encoding = build_part(encodings, config.encoding, width=width)
        self.transformer = Transformer(config.transformer)

    def forward(self, stream: Stream, *, keep_layers: bool = False, pack: bool = True) -> Features:
        """Return features of every token; extras hold ``"layers"`` if asked for."""
        raw: Tokens = self.tokenizer.cut(stream)
        dtype = next(self.transformer.parameters(), raw.values).dtype
        x = self.tokenizer.embed(raw.values.to(dtype)) + self.encoding(raw.coords).to(dtype)  # (B, N, D)
        out, layers = self.transformer(x, raw.mask, segment=raw.segment, keep_layers=keep_layers, pack=pack)
        extras = {"layers": layers} if keep_layers else {}
        return Features(tokens=out, mask=raw.mask, coords=raw.coords, index=raw.index, extras=extras)
