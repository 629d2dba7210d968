"""MaskedAutoencoder: predict the raw values of hidden tokens from the visible ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, SeriesContract, Tokens
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from neurokit_fm.nn.blocks import Transformer, TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoder, TokenEncoderConfig
from neurokit_fm.nn.pooling import AttentionPool
from nkfm_mae.config import MaskedAutoencoderConfig
from nkfm_mae.masking import draw


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the decoder made of the hidden tokens.

    Attributes
    ----------
    target : Tokens
        All tokens with their raw values.
    hidden : Tensor, shape (B, N), bool
    predicted : Tensor, shape (K, w)
        Raw values of the K hidden tokens, in order of sample and token.
    from_global : Tensor, shape (K, w), or None
        The same, predicted from the global token alone.
    seen : Tokens
        The visible tokens as the encoder left them.
    """

    target: Tokens
    hidden: Tensor
    predicted: Tensor
    from_global: Tensor | None
    seen: Tokens


class MaskedAutoencoder(Model):
    """Masked autoencoder over any tokenizer and encoding.

    Parameters
    ----------
    config : MaskedAutoencoderConfig
    contract : SeriesContract

    Notes
    -----
    Source: REVE, arXiv:2510.21585, section 3. The encoder sees visible tokens only; the decoder gets them and mask
    tokens, each with its position added again; the loss is the mean absolute error over hidden tokens. The secondary
    loss pools all layers of the encoder into one global token, adds each hidden token's position and predicts from
    that. Deviation: its positions have encoder width, so encoder and decoder may differ in width (the published code
    fails there).
    """

    name = "mae"
    config_class = MaskedAutoencoderConfig
    accepts = (SeriesStream,)
    example = MaskedAutoencoderConfig(
        encoder=TokenEncoderConfig(
            tokenizer={"name": "patch", "length_s": 0.5, "hop_s": 0.5},
            encoding={"name": "fourier-4d", "freqs": 3, "step_s": 0.5},
            transformer=TransformerConfig(width=32, depth=2, heads=2, head_dim=16),
        ),
        decoder=TransformerConfig(width=16, depth=1, heads=1, head_dim=16),
    )
    example_contract = SeriesContract(min_window_s=0.5, frame="template")

    def __init__(self, config: MaskedAutoencoderConfig, contract: SeriesContract):
        super().__init__(config, contract)
        wide, narrow = config.encoder.transformer.width, config.decoder.width
        self.encoder = TokenEncoder(config.encoder, contract.sfreq)
        self.decoder = Transformer(config.decoder)
        self.mask_token = nn.Parameter(torch.empty(narrow))
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.06, b=0.06)
        self.to_decoder = nn.Linear(wide, narrow) if wide != narrow else nn.Identity()
        self.position_to_decoder = nn.Linear(wide, narrow) if wide != narrow else nn.Identity()
        raw = self.encoder.tokenizer.raw_width
        self.to_raw = nn.Linear(narrow, raw)
        self.pool = AttentionPool(wide) if config.global_weight else None
        self.global_to_raw = (
            nn.Sequential(nn.Linear(wide, 4 * wide, bias=False), nn.ReLU(), nn.Linear(4 * wide, raw))
            if config.global_weight
            else None
        )
        self.to_spectrum = nn.Linear(wide, raw // 2 + 1) if config.spectrum_weight else None

    def forward(self, batch: Batch) -> Features:
        """Encode all tokens, none hidden; ``"pooled"`` is their mean."""
        features: Features = self.encoder(
            batch.the(SeriesStream), keep_layers=self.head is not None and self.head.needs_layers
        )
        return features

    def reconstruct(
        self,
        batch: Batch,
        *,
        hidden: Tensor | None = None,
        generator: torch.Generator | None = None,
        full: bool = False,
    ) -> Reconstruction:
        """Hide tokens and predict them.

        Parameters
        ----------
        batch : Batch
        hidden : Tensor, shape (B, N), bool, optional
            Tokens to hide, channel-major; drawn by the config's masking when left out.
        generator : torch.Generator, optional
            For the masks and, in training, the position noise. In evaluation, no generator means the same mask always.
        full : bool
            Also predict from the global token.

        Raises
        ------
        DataError
            If no real token is hidden.
        """
        if generator is None and not self.training:
            generator = torch.Generator().manual_seed(42)
        target = self.encoder.tokenizer.cut(batch.the(SeriesStream))
        hidden = draw(target, self.config.mask, generator) if hidden is None else hidden & target.mask
        if not bool(hidden.any()):
            raise DataError(
                f"the masks hide none of {int(target.mask.sum())} tokens, so there is nothing to predict. Block masks hide "
                f"int(ratio * channels) channels at each step; for few channels use kind='random' (now {self.config.mask})"
            )
        coords = self._jitter(target, generator) if self.training and self.config.noise_m else target.coords
        dtype = self.to_raw.weight.dtype
        position = self.encoder.encoding(coords).to(dtype)  # (B, N, D)
        tokens = replace(target, values=self.encoder.tokenizer.embed(target.values.to(dtype)) + position)
        visible = target.mask & ~hidden
        seen = tokens.keep(visible)  # (B, V, D)
        encoded, layers = self.encoder.transformer(seen.values, seen.mask, keep_layers=full)

        place = self.position_to_decoder(position)  # (B, N, Dd)
        x = (self.mask_token.to(dtype) + place).masked_fill(visible[..., None], 0)  # (B, N, Dd)
        back = torch.zeros_like(x)
        back[visible] = self.to_decoder(encoded)[seen.mask].to(back.dtype) + place[visible]
        decoded, _ = self.decoder(x + back, target.mask)
        predicted = self.to_raw(decoded[hidden])  # (K, w)

        from_global = None
        if full and self.pool is not None and self.global_to_raw is not None:
            context = self.pool(layers, seen.mask)  # (B, D)
            from_global = self.global_to_raw((context[:, None] + position)[hidden])  # (K, w)
        return Reconstruction(target, hidden, predicted, from_global, replace(seen, values=encoded))

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None, hidden: Tensor | None = None) -> Loss:
        """Mean absolute error over hidden tokens; in training plus the weighted further losses of the config.

        Parts: ``primary``, and in training ``secondary`` and ``spectrum``, those that have a weight.
        """
        full = self.training and self.pool is not None
        made = self.reconstruct(batch, hidden=hidden, generator=generator, full=full)
        truth = made.target.values[made.hidden]  # (K, w)
        primary = F.l1_loss(made.predicted.float(), truth.float())
        total, parts = primary, {"primary": primary}
        if made.from_global is not None:
            parts["secondary"] = F.l1_loss(made.from_global.float(), truth.float())
            total = total + self.config.global_weight * parts["secondary"]
        if self.training and self.to_spectrum is not None:
            spectra = log_spectra(made.target)  # (B, C, F)
            rows = made.seen.index[..., :1].expand(-1, -1, spectra.shape[2])  # (B, V, F)
            wanted = spectra.gather(1, rows)[made.seen.mask]  # (S, F)
            read = self.to_spectrum(made.seen.values[made.seen.mask])  # (S, F)
            parts["spectrum"] = F.l1_loss(read.float(), wanted)
            total = total + self.config.spectrum_weight * parts["spectrum"]
        return Loss(total, parts)

    def _jitter(self, tokens: Tokens, generator: torch.Generator | None) -> Tensor:
        """Move each channel a little, the same way in every sample and step (one draw of (C, 3), as published)."""
        rows = tokens.index[..., 0]  # (B, N)
        noise = torch.randn((int(rows.max()) + 1, 3), generator=generator).to(tokens.coords) * self.config.noise_m
        return torch.cat([tokens.coords[..., :3] + noise[rows], tokens.coords[..., 3:]], dim=-1)


def log_spectra(tokens: Tokens) -> Tensor:
    """Log power of each channel: Hann-windowed spectra of its tokens' raw values, averaged (Welch 1967), (B, C, w//2 + 1)."""
    x = tokens.values.float()  # (B, N, w)
    power = torch.fft.rfft(x * torch.hann_window(x.shape[2], device=x.device)).abs() ** 2 / x.shape[2]  # (B, N, F)
    rows = tokens.index[..., 0]  # (B, N)
    total = power.new_zeros((len(x), int(rows.max()) + 1, power.shape[2]))
    total.scatter_add_(1, rows[..., None].expand_as(power), power * tokens.mask[..., None])
    count = total.new_zeros(total.shape[:2]).scatter_add_(1, rows, tokens.mask.to(total.dtype))
    return torch.log(total / count.clamp(min=1)[..., None] + 1e-4)
