"""Reve: patches and 4-D positions through a transformer, one attention-pooled vector a window."""

from __future__ import annotations

from dataclasses import replace

from neurokit_fm import Batch, Features, Model, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.nn.encoder import TokenEncoder
from neurokit_fm.nn.pooling import AttentionPool
from nkfm_reve.config import CONTRACT, ReveConfig


class Reve(Model):
    """The REVE encoder.

    Parameters
    ----------
    config : ReveConfig
    contract : SeriesContract
        `nkfm_reve.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: arXiv:2510.21585. Positions are metres in the template frame. No final norm: the last block's output is
    the feature. Released sizes: base 69,189,632 and large 389,978,496 parameters, pooling query included.
    """

    name = "reve"
    config_class = ReveConfig
    accepts = (SeriesStream,)
    example = ReveConfig(width=32, depth=2, heads=2, head_dim=16, freqs=3)
    example_contract = CONTRACT

    def __init__(self, config: ReveConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.encoder = TokenEncoder(config.encoder, contract.sfreq)
        self.pool = AttentionPool(config.width)

    def forward(self, batch: Batch) -> Features:
        """Encode a batch; extras hold ``"pooled"`` (B, D), and ``"layers"`` where the head wants them."""
        layers = self.head is not None and self.head.needs_layers
        features: Features = self.encoder(batch.the(SeriesStream), keep_layers=layers)
        if self.config.pooling == "mean":
            return features
        pooled = self.pool(features.tokens, features.mask)  # (B, D)
        return replace(features, extras={**features.extras, "pooled": pooled})
