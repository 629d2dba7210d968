"""EEGFormer: spectra through a transformer and a codebook, and back from the codes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, SeriesContract, Tokens, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.nn.quantize import Quantized, code_use
from nkfm_eegformer.config import EEGFormerConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What the model makes of a batch.

    Attributes
    ----------
    codes : Tensor, shape (B, C, S*N), int64
        -1 where nothing is real.
    patches : Tensor, shape (B, C, S*N, P)
        Normalised spectra.
    reconstruction, quantisation : Tensor, shape (B, C), float32
        Mean squared error of the decoded spectra, and squared distance of the vectors to their codes, a mean over
        elements. NaN where nothing is real.
    """

    codes: Tensor
    patches: Tensor
    reconstruction: Tensor
    quantisation: Tensor


class EEGFormer(Model):
    r"""Vector-quantised transformer over the amplitude spectra of single channels.

    Parameters
    ----------
    config : EEGFormerConfig
    contract : SeriesContract
        `nkfm_eegformer.config.CONTRACT` is the published input.

    Attributes
    ----------
    tokenizer : Tokenizer
        ``spectral-vq`` of the registry: front end, encoder and codebook.
    n_patches : int
        Patches N of one segment of one channel.
    seen : Tensor, shape (K,), float32
        How often each code was chosen while learning, with the decay of the running means: what is normal to the model.

    Notes
    -----
    Source: EEGFormer, arXiv:2401.10278; no code or weights are published. The decoder sees the vectors of the codes and
    nothing else; the loss is $\lVert \hat X - Z \rVert^2 + \lVert \mathrm{sg}[H] - Q \rVert^2 + \beta \lVert H -
    \mathrm{sg}[Q] \rVert^2$, each term a mean over its elements, Z the normalised spectrum. Nothing is masked.
    Deviation: by default codes are running means, and unused ones are moved (``codebook="ema"``); learned by the second
    term alone, as published, most of them are never chosen (``codebook="learned"``).
    """

    name = "eegformer-vq"
    config_class = EEGFormerConfig
    accepts = (SeriesStream,)
    example = EEGFormerConfig(
        segment_s=0.5, patch_len=10, stride=10, dim=32, ffn=64, heads=2, enc_layers=1, dec_layers=1, n_codes=16,
        codebook="learned",
    )  # fmt: skip
    example_contract = SeriesContract(min_window_s=0.5)
    contract: SeriesContract
    seen: Tensor

    def __init__(self, config: EEGFormerConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.tokenizer = build_part(tokenizers, config.tokenizer, width=config.dim, sfreq=contract.sfreq)
        self.n_patches: int = self.tokenizer.n_patches
        self.position = nn.Parameter(torch.empty(self.n_patches, config.dim))
        nn.init.trunc_normal_(self.position, std=0.02)
        layers = (
            nn.TransformerEncoderLayer(
                config.dim, config.heads, config.ffn, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.dec_layers)
        )
        self.decoder = nn.Sequential(*layers, nn.LayerNorm(config.dim))
        self.to_patch = nn.Linear(config.dim, config.patch_len)
        self.register_buffer("seen", torch.zeros(config.n_codes))

    def forward(self, batch: Batch) -> Features:
        """Features (B, C*S*N, D) by ``config.features``; extras hold ``"codes"`` (B, C*S*N), -1 where nothing is real."""
        return self._features(*self._quantise(batch))

    def encode(self, batch: Batch) -> Tensor:
        """Codes of each channel, (B, C, S*N), int64, -1 where nothing is real; S is the number of whole segments."""
        _, _, found = self._quantise(batch)
        return found.codes.view(*_rows(batch), -1)

    def embed(self, batch: Batch) -> Tensor:
        """Vectors of the codes, (B, C, S*N, D)."""
        _, _, found = self._quantise(batch)
        return found.values.view(*_rows(batch), -1, self.config.dim)

    def decode(self, codes: Tensor) -> Tensor:
        """Normalised spectra that codes stand for, (B, C, S*N) to (B, C, S*N, P)."""
        vectors = self.tokenizer.quantizer.decode(codes.flatten(1)[..., None])  # (B, C*S*N, D)
        made: Tensor = self.to_patch(self._decode(vectors))
        return made.view(*codes.shape, -1)

    @torch.no_grad()
    def read(self, batch: Batch) -> Reading:
        """Read a batch: its codes, and how well they say what was there."""
        tokens, hidden, found = self._quantise(batch)
        made = self.to_patch(self._decode(found.values))
        real = tokens.mask.view(*_rows(batch), -1)  # (B, C, S*N)
        error = (made - tokens.values).float().square().mean(-1)  # (B, C*S*N)
        gap = (hidden - found.values).float().square().mean(-1)
        return Reading(
            codes=found.codes.view_as(real),
            patches=tokens.values.view(*real.shape, -1),
            reconstruction=_mean(error.view_as(real), real),
            quantisation=_mean(gap.view_as(real), real),
        )

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Reconstruction and quantisation; parts: ``rec``, ``codebook``, ``commit`` and the codes' ``perplexity``.

        In training, running means and `seen` learn from the batch when the gradient is computed. Dropout is drawn from
        the generator, if there is one.
        """
        with self._drawing_from(generator):
            tokens, _, found = self._quantise(batch, learn=self.training, generator=generator)
            made = self.to_patch(self._decode(found.values))
        rec = F.mse_loss(made[tokens.mask].float(), tokens.values[tokens.mask].float())
        if self.training and found.values.requires_grad:
            hook: Any = found.values.register_hook
            hook(lambda _: self._see(found.codes))
        _, perplexity = code_use(found.codes, self.config.n_codes)
        parts = {"rec": rec, "codebook": found.codebook, "commit": found.commitment, "perplexity": perplexity[0]}
        return Loss(rec + found.codebook + found.commitment, parts)

    def task_loss(
        self,
        batch: Batch,
        target: Tensor,
        *,
        loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
        generator: torch.Generator | None = None,
    ) -> Loss:
        """Loss of the head's outputs, with the quantisation terms that let encoder and codebook move along.

        Parameters
        ----------
        batch : Batch
        target : Tensor, shape (B, ...)
            What `loss` takes; with the default (B,), int64, places among the head's outputs.
        loss : callable, optional
            Outputs (B, O), float32, and target to a scalar; fine-tuning gives its own.
        generator : torch.Generator, optional
            For dropout, and for codes that are moved.

        Raises
        ------
        ConfigError
            If the model has no head.
        """
        if self.head is None:
            raise ConfigError("classification needs a head; give the model one with attach_head(HeadConfig(...))")
        with self._drawing_from(generator):
            tokens, hidden, found = self._quantise(batch, learn=self.training, generator=generator)
            task = loss(self.head(self._features(tokens, hidden, found)).float(), target)
        parts = {"task": task, "codebook": found.codebook, "commit": found.commitment}
        return Loss(task + found.codebook + found.commitment, parts)

    def anomaly_scores(self, batch: Batch, reference: Tensor | None = None) -> dict[str, Tensor]:
        """How unusual each channel of each sample is to the model, higher = more so; no labels are needed.

        Parameters
        ----------
        batch : Batch
        reference : Tensor, shape (K,), optional
            Counts of codes in recordings that are known to be normal. Default: `seen`.

        Returns
        -------
        dict of str to Tensor, shape (B, C)
            ``reconstruction``, mean squared error of the decoded spectrum; ``quantisation``, mean squared distance to
            the codes; ``rarity``, mean of -log p(code), with one added to each count. NaN where nothing is real.

        Raises
        ------
        DataError
            If there is no reference and the model never learned.
        """
        counts = self.seen if reference is None else reference.to(self.seen)
        if not bool(counts.sum() > 0):
            raise DataError("this model has seen no codes yet; give the counts of normal recordings as `reference`")
        read = self.read(batch)
        surprise = -((counts + 1) / (counts + 1).sum()).log()  # (K,)
        real = read.codes >= 0
        rarity = _mean(surprise[read.codes.clamp(min=0)], real)
        return {"reconstruction": read.reconstruction, "quantisation": read.quantisation, "rarity": rarity}

    def _quantise(
        self, batch: Batch, *, learn: bool = False, generator: torch.Generator | None = None
    ) -> tuple[Tokens, Tensor, Quantized]:
        """Patches, vectors before the look-up (B, M, D), and what the codebook makes of them."""
        tokens: Tokens = self.tokenizer.cut(batch.the(SeriesStream))
        hidden = self.tokenizer.encode(tokens.values.to(self.to_patch.weight.dtype))
        return tokens, hidden, self.tokenizer.quantise(hidden, tokens.mask, learn=learn, generator=generator)

    def _decode(self, vectors: Tensor) -> Tensor:
        """Vectors of codes (B, C*S*N, D) through the decoder, segment by segment."""
        x = vectors.reshape(-1, self.n_patches, self.config.dim)  # (B*C*S, N, D)
        out: Tensor = self.decoder(x + self.position.to(vectors.dtype))
        return out.view_as(vectors)

    @torch.no_grad()
    def _see(self, codes: Tensor) -> None:
        """Count the codes of a batch."""
        counts = torch.bincount(codes[codes >= 0], minlength=self.config.n_codes).to(self.seen)
        self.seen.lerp_(counts, 1 - self.config.decay)

    def _features(self, tokens: Tokens, hidden: Tensor, found: Quantized) -> Features:
        out = hidden if self.config.features == "encoder" else self._decode(found.values)
        codes = found.codes[..., 0]
        return Features(tokens=out, mask=tokens.mask, coords=tokens.coords, index=tokens.index, extras={"codes": codes})

    @contextmanager
    def _drawing_from(self, generator: torch.Generator | None) -> Iterator[None]:
        """Draw what torch draws by itself (dropout) from a generator, and leave its global state alone."""
        if generator is None:
            yield
            return
        device = self.position.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator, device=generator.device)))
            yield


def _rows(batch: Batch) -> tuple[int, int]:
    """Samples and channels, padding included."""
    b, c, _ = batch.the(SeriesStream).values.shape
    return b, c


def _mean(values: Tensor, real: Tensor) -> Tensor:
    """Mean over the last axis where real; NaN where nothing is."""
    return values.float().masked_fill(~real, 0).sum(-1) / real.sum(-1)
