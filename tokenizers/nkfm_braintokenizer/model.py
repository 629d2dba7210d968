"""BrainTokenizerModel: the tokenizer as a model, so that it is pretrained, saved, loaded and used like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurokit_fm import Batch, Features, Loss, Model, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from neurokit_fm.nn.quantize import Quantized, code_use
from nkfm_braintokenizer.config import CONTRACT, BrainTokenizerConfig
from nkfm_braintokenizer.losses import balance, correlation, reconstruction_losses, target_of, total_of
from nkfm_braintokenizer.tokenizer import BrainTokenizer, Prepared

HIDDEN = 0.25
"""Share of sensors that the encoder does not see in training; all are reconstructed."""

NOISE = 0.1
"""Standard deviation of the noise on those that it sees."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstruction:
    """Windows of a batch, and what codes make of them.

    Attributes
    ----------
    target, made : Tensor, shape (B, C, n, L)
        Standardised windows of every sensor.
    real : Tensor, shape (B, C, n), bool
    kind : Tensor, shape (B, C), int64
        0 EEG, 1 MAG, 2 GRAD.
    hidden : Tensor, shape (B, C), bool
        Sensors that the encoder did not see.
    quantized : Quantized
        Values (B, K, n, S, D), codes (B, K, n, S, Q).
    """

    target: Tensor
    made: Tensor
    real: Tensor
    kind: Tensor
    hidden: Tensor
    quantized: Quantized

    def correlation(self) -> Tensor:
        """Correlation of every window with its reconstruction, (B, C, n)."""
        return correlation(self.made, self.target)


class BrainTokenizerModel(Model):
    """BrainTokenizer by itself: its features are the quantised latent sources.

    Parameters
    ----------
    config : BrainTokenizerConfig
    contract : SeriesContract
        `nkfm_braintokenizer.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: arXiv:2505.18185, first stage of training. Deviation: without a generator, in evaluation, the same sensors
    are hidden and the same noise is added each time; the published code draws anew, so its validation loss is noisy.
    """

    name = "braintokenizer"
    config_class = BrainTokenizerConfig
    accepts = (SeriesStream,)
    example = BrainTokenizer.example
    example_contract = CONTRACT

    def __init__(self, config: BrainTokenizerConfig, contract: Any):
        super().__init__(config, contract)
        cls = tokenizers.load("braintokenizer")
        self.tokenizer: BrainTokenizer = cls(config, width=config.width, sfreq=contract.sfreq)

    def forward(self, batch: Batch) -> Features:
        """Return quantised latent sources (B, K*W, D); nothing is decoded."""
        tokens = self.tokenizer.cut(batch.the(SeriesStream))
        return Features(tokens=tokens.values, mask=tokens.mask, coords=tokens.coords, index=tokens.index)

    def reconstruct(
        self, batch: Batch, *, hide: bool = False, learn: bool = False, generator: torch.Generator | None = None
    ) -> Reconstruction:
        """Encode and decode a batch in SI units.

        Parameters
        ----------
        batch : Batch
        hide : bool
            Hide a quarter of the sensors from the encoder (at least one) and add noise to the others, as in training.
        learn : bool
            See `Quantizer`.
        generator : torch.Generator, optional
            Default: one of seed 42.

        Raises
        ------
        DataError
            If sensors are to be hidden of a sample that has fewer than two.
        """
        generator = generator or torch.Generator().manual_seed(42)
        ready = self.tokenizer.prepare(batch.the(SeriesStream))
        windows = self.tokenizer.windows(ready.x)  # (B, C, n, L)
        hidden = _hide(ready, generator) if hide else torch.zeros_like(ready.channel_mask)
        noise = torch.randn(windows.shape, generator=generator, device=generator.device).to(windows) if hide else 0.0
        sensors = self.tokenizer.sensors(ready.pos, ready.kind)  # (B, C, D)
        seen = ready.channel_mask & ~hidden
        latents = self.tokenizer.encode_windows(windows + NOISE * noise, sensors, seen)
        whole = self.tokenizer.window_mask(ready.lengths, windows.shape[2])  # (B, n)
        real = whole[:, None, :, None].expand(latents.shape[:-1])  # (B, K, n, S)
        quantized = self.tokenizer.quantize(latents, real, learn=learn, generator=generator)
        return Reconstruction(
            target=target_of(windows),
            made=self.tokenizer.decode_latents(quantized.values, sensors),
            real=ready.channel_mask[:, :, None] & whole[:, None],
            kind=ready.kind,
            hidden=hidden,
            quantized=quantized,
        )

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Reconstruct all sensors from the codes of some.

        Parts: ``time, pcc, amplitude, phase, commitment``, and to look at, ``perplexity`` of the first level's codes.
        """
        made = self.reconstruct(batch, hide=True, learn=self.training, generator=generator)
        weight = balance(made.real, made.kind) if self.config.balanced else made.real
        parts = reconstruction_losses(made.made, made.target, weight)
        total = total_of(parts, made.quantized.commitment, self.config.phase)
        use = code_use(made.quantized.codes, self.config.codebook.size)[1][0]
        shown = {"commitment": made.quantized.commitment, "perplexity": use}
        return Loss(total, {**parts, **shown})

    def encode(self, batch: Batch) -> Tensor:
        """Codes (B, K, n, S, Q) of a batch in SI units; -1 where a sample has no window."""
        ready = self.tokenizer.prepare(batch.the(SeriesStream))
        codes = self.tokenizer.encode(ready.x, ready.pos, ready.kind, channel_mask=ready.channel_mask).codes
        whole = self.tokenizer.window_mask(ready.lengths, codes.shape[2])[:, None, :, None, None]
        return codes.masked_fill(~whole, -1)


def _hide(ready: Prepared, generator: torch.Generator) -> Tensor:
    """Choose a quarter of the sensors of each sample, at least one, by one order of sensors for all: (B, C)."""
    counts = ready.channel_mask.sum(1)  # (B,)
    if not counts.is_meta and bool((counts < 2).any()):
        raise DataError("sensors are hidden in training, so every sample needs at least 2 of them; one has fewer")
    order = torch.rand(ready.kind.shape[1], generator=generator, device=generator.device).to(ready.x.device)  # (C,)
    rank = order.expand_as(ready.kind).masked_fill(~ready.channel_mask, 2).argsort(1).argsort(1)  # (B, C)
    return (rank < (counts // 4).clamp(min=1)[:, None]) & ready.channel_mask
