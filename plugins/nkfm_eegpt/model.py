"""Eegpt: for each patch of time, all electrodes and a few summary tokens attend to each other; the summaries are kept."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from neurokit_fm import Batch, Features, Model, SeriesContract, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.nn.attention import unless_full
from neurokit_fm.nn.blocks import Transformer
from neurokit_fm.nn.names import channel_rows
from nkfm_eegpt.config import CONTRACT, ELECTRODES, EegptConfig


class Eegpt(Model):
    """The EEGPT encoder.

    Parameters
    ----------
    config : EegptConfig
    contract : SeriesContract
        `nkfm_eegpt.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: Wang et al., EEGPT, NeurIPS 2024, the encoder of section 2.1. Patches of one time are a sequence of their own:
    nothing passes from one time to another. A token of the output is the summary vectors of one time, side by side; it
    stands for all electrodes, so its place is unknown and its channel row 0. The predictor and the reconstructor of the
    pretraining are not here.

    Deviation: samples after the last full patch are left out, where the published code fills up with zeros.
    """

    name = "eegpt"
    config_class = EegptConfig
    accepts = (SeriesStream,)
    example = EegptConfig(width=32, depth=2, heads=4, summaries=2)
    example_contract = CONTRACT

    def __init__(self, config: EegptConfig, contract: SeriesContract):
        super().__init__(config, contract)
        part = {"name": "patch", "length_s": config.patch_s, "hop_s": config.hop_s}
        self.tokenizer = build_part(tokenizers, part, width=config.width, sfreq=contract.sfreq)
        self.electrodes = nn.Embedding(len(ELECTRODES), config.width)
        self.summary = nn.Parameter(torch.empty(1, config.summaries, config.width))
        for table in (self.electrodes.weight, self.summary):
            nn.init.trunc_normal_(table, std=0.02, a=-0.06, b=0.06)
        self.transformer = Transformer(config.transformer)
        self.norm = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, batch: Batch) -> Features:
        """Encode a batch: a token of width `summaries` x `width` for each patch of time.

        Raises
        ------
        DataError
            If an electrode is not in `ELECTRODES`.
        """
        stream = batch.the(SeriesStream)
        raw = self.tokenizer.cut(stream)
        (size, channels, _), s = stream.values.shape, self.config.summaries
        real = raw.mask.view(size, channels, -1)  # (B, C, P)
        x = self.tokenizer.embed(raw.values.to(self.summary.dtype)).view(*real.shape, -1)  # (B, C, P, D)
        x = x + self.electrodes(channel_rows(stream, ELECTRODES, "eegpt"))[:, :, None]
        x = x.transpose(1, 2).flatten(0, 1)  # (B*P, C, D)
        x = torch.cat([x, self.summary.expand(len(x), -1, -1)], dim=1)  # (B*P, C + S, D)
        mask = unless_full(F.pad(real.transpose(1, 2).flatten(0, 1), (0, s), value=True))
        x, _ = self.transformer(x, mask)
        tokens = self.norm(x[:, -s:]).reshape(size, real.shape[2], -1)  # (B, P, S*D)
        coords = raw.coords.view(*real.shape, 4)[:, 0]  # (B, P, 4)
        index = raw.index.view(*real.shape, 2)[:, 0]  # (B, P, 2)
        nowhere = torch.full_like(coords[..., :3], torch.nan)
        return Features(tokens=tokens, mask=real.any(1), coords=torch.cat([nowhere, coords[..., 3:]], -1), index=index)
