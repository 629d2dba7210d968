"""Labram: patches, a vector for the name of their electrode and one for their second, and a transformer over all of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Model, SeriesContract, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import DataError
from neurokit_fm.nn.attention import unless_full
from neurokit_fm.nn.blocks import Transformer
from neurokit_fm.nn.names import channel_rows
from nkfm_labram.config import CONTRACT, ELECTRODES, LabramConfig


class Labram(Model):
    """The LaBraM encoder.

    Parameters
    ----------
    config : LabramConfig
    contract : SeriesContract
        `nkfm_labram.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: arXiv:2405.18765, the encoder of section 2.2. A token is the sum of convolutions along its patch (step by step,
    each with all its features), the vector of its electrode and that of its time step. The group norms of the
    convolutions see all patches of a window, of which padding is no part. The summary of a window is its class token, or
    with ``pooling="mean"`` the norm of the mean of its tokens. The neural tokenizer of the pretraining is not here.
    """

    name = "labram"
    config_class = LabramConfig
    accepts = (SeriesStream,)
    example = LabramConfig(depth=2, heads=4, stem=((4, 15, 8, 7, 2), (4, 3, 5, 1, 2)), steps=4)
    example_contract = CONTRACT

    def __init__(self, config: LabramConfig, contract: SeriesContract):
        super().__init__(config, contract)
        patch = {"length_s": config.patch_s, "hop_s": config.patch_s, "layers": config.stem, "order": "steps"}
        self.tokenizer = build_part(tokenizers, {"name": "conv-patch", **patch}, width=None, sfreq=contract.sfreq)
        sizes = config.transformer(self.tokenizer.width)
        self.summary = nn.Parameter(torch.empty(1, 1, sizes.width))
        self.places = nn.Parameter(torch.empty(1, 1 + len(ELECTRODES), sizes.width))  # of the class token, then by name
        self.times = nn.Parameter(torch.empty(1, config.steps, sizes.width))
        for table in (self.summary, self.places, self.times):
            nn.init.trunc_normal_(table, std=0.02, a=-0.06, b=0.06)
        self.transformer = Transformer(sizes)
        self.norm = nn.LayerNorm(sizes.width, eps=1e-6)

    def forward(self, batch: Batch) -> Features:
        """Encode a batch; extras hold ``"pooled"`` (B, D).

        Raises
        ------
        DataError
            If an electrode is not in `ELECTRODES`, or the window is longer than the table of times.
        """
        stream = batch.the(SeriesStream)
        raw = self.tokenizer.cut(stream)
        real = unless_full(raw.mask)
        x = self.tokenizer.embed(raw.values.to(self.places.dtype))  # (B, C*P, D)
        x = x + self._where(stream, x.shape[1] // stream.values.shape[1])
        x = torch.cat([(self.summary + self.places[:, :1]).expand(len(x), -1, -1), x], dim=1)  # (B, 1 + C*P, D)
        x, _ = self.transformer(x, None if real is None else F.pad(real, (1, 0), value=True))
        tokens = self.norm(x)
        made = Features(tokens=x[:, 1:], mask=raw.mask, coords=raw.coords, index=raw.index)
        pooled = tokens[:, 0] if self.config.pooling == "class" else self.norm(made.pooled())
        return Features(
            tokens=tokens[:, 1:], mask=raw.mask, coords=raw.coords, index=raw.index, extras={"pooled": pooled}
        )

    def _where(self, stream: SeriesStream, steps: int) -> Tensor:
        """Vectors (B, C*P, D) of electrodes and times, for P steps."""
        if steps > self.config.steps:
            raise DataError(
                f"labram has learned {self.config.steps} steps of {self.config.patch_s:g} s; this window has {steps}. "
                f"Use windows of {self.config.steps * self.config.patch_s:g} s at most"
            )
        place = self.places[0, 1 + channel_rows(stream, ELECTRODES, "labram")]  # (B, C, D)
        return (place[:, :, None] + self.times[:, None, :steps]).flatten(1, 2)
