"""BrainOmni: the tokens of latent sources through criss-cross blocks; pretrained by predicting hidden codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import ConfigError
from neurokit_fm.tokens import masked_mean
from nkfm_brainomni.blocks import CrissCross
from nkfm_brainomni.config import CONTRACT, BrainOmniConfig

REPLACED = 0.8
"""Share of hidden tokens that become the mask token; the others become tokens from elsewhere in the batch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """The randomness of one masking.

    Attributes
    ----------
    keep : Tensor, shape (B, K, W)
        Uniform; a token is hidden where it is at most `mask_ratio`.
    elsewhere : Tensor, shape (B*K*W,), int64
        Token that stands in for each, in flat order: a permutation.
    replace : Tensor, shape (B, K, W)
        Uniform; a hidden token becomes the mask token where it is at most `REPLACED`.
    """

    keep: Tensor
    elsewhere: Tensor
    replace: Tensor

    @classmethod
    def of(cls, mask: Tensor, generator: torch.Generator) -> Draws:
        """Draw for real tokens (B, K, W); none is replaced by padding."""
        keep, replace = (
            torch.rand(mask.shape, generator=generator, device=generator.device).to(mask.device) for _ in range(2)
        )
        real = mask.flatten().nonzero()[:, 0]
        elsewhere = torch.arange(mask.numel(), device=mask.device)
        order = torch.randperm(len(real), generator=generator, device=generator.device).to(mask.device)
        elsewhere[real] = real[order]
        return cls(keep=keep, elsewhere=elsewhere, replace=replace)


class BrainOmni(Model):
    """BrainOmni.

    Parameters
    ----------
    config : BrainOmniConfig
    contract : SeriesContract
        `nkfm_brainomni.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: arXiv:2505.18185, second stage. Features are those of all blocks but the last, at unit length; the last one
    serves the prediction of codes only. Deviations: attention is dropped in training only; samples may differ in sensors
    and length (the published code has no masks); in evaluation without a generator the same tokens are hidden each time.
    Released sizes: tiny 13,475,042 and base 37,757,666 parameters, tokenizer included.
    """

    name = "brainomni"
    config_class = BrainOmniConfig
    accepts = (SeriesStream,)
    example = BrainOmniConfig(
        tokenizer={
            "name": "braintokenizer",
            "window": 64,
            "overlap": 0.25,
            "filters": 2,
            "ratios": [4, 2],
            "width": 16,
            "latents": 3,
            "heads": 2,
            "codebook": {"size": 16, "width": 16, "levels": 2, "gradient": "rotation", "start": "random"},
            "lonely": "absolute",
        },
        width=32,
        depth=3,
        heads=4,
        dropout=0.0,
    )
    example_contract = CONTRACT

    def __init__(self, config: BrainOmniConfig, contract: Any):
        super().__init__(config, contract)
        cls = tokenizers.load(config.tokenizer["name"])
        settings = {**config.tokenizer}
        self.tokenizer: Any = build_part(tokenizers, settings, width=_width(cls, settings), sfreq=contract.sfreq)
        self.tokenizer.requires_grad_(False)
        inner, codebook = self.tokenizer.config.width, self.tokenizer.config.codebook
        self.projection = nn.Linear(inner, config.width) if inner != config.width else nn.Identity()
        self.blocks = nn.ModuleList(
            CrissCross(config.width, config.heads, config.dropout, config.rope) for _ in range(config.depth)
        )
        if config.pretraining:
            self.mask_token = nn.Parameter(torch.randn(inner))
            self.predict_head = nn.Linear(config.width, codebook.levels * codebook.size)
        if config.classes:
            wide = self.tokenizer.config.latents * config.width
            self.class_head = nn.Sequential(
                nn.Dropout(0.1), nn.Linear(wide, config.width), nn.SELU(), nn.Linear(config.width, config.classes)
            )
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.startswith(("tokenizer", "class_head")):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, batch: Batch) -> Features:
        """Encode a batch in SI units: features (B, K*W, D), and ``"pooled"`` (B, K*D), the mean over time of each latent."""
        with torch.no_grad():
            cut = self.tokenizer.cut(batch.the(SeriesStream))
        k = self.tokenizer.config.latents
        mask = cut.mask.unflatten(1, (k, -1))  # (B, K, W)
        x = self.encode_tokens(cut.values.unflatten(1, (k, -1)).to(self.tokenizer.gather.queries.dtype), mask[:, 0])
        return Features(
            tokens=x.flatten(1, 2),
            mask=cut.mask,
            coords=cut.coords,
            index=cut.index,
            extras={"pooled": _summary(x, mask)},
        )

    def encode(self, x: Tensor, pos: Tensor, sensor_type: Tensor, *, channel_mask: Tensor | None = None) -> Tensor:
        """Features (B, K, W, D), of unit length, of normalised signals.

        Parameters
        ----------
        x : Tensor, shape (B, C, T)
        pos : Tensor, shape (B, C, 6)
        sensor_type : Tensor, shape (B, C), integer
        channel_mask : Tensor, shape (B, C), bool, optional
            All as for `BrainTokenizer.encode`.
        """
        return self.encode_tokens(self.tokenize(x, pos, sensor_type, channel_mask=channel_mask)[0])

    @torch.no_grad()
    def tokenize(
        self, x: Tensor, pos: Tensor, sensor_type: Tensor, *, channel_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantised latent sources (B, K, W, D) and their codes (B, K, W, Q) of normalised signals."""
        made = self.tokenizer.encode(x, pos, sensor_type, channel_mask=channel_mask)
        return made.values.flatten(2, 3), made.codes.flatten(2, 3)

    def encode_tokens(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Features (B, K, W, D) of tokens (B, K, W, d); the last block is not run. `mask` (B, W) as in `CrissCross`."""
        x = self.run_blocks(tokens, self.config.depth - 1, mask)
        return F.normalize(x.float(), dim=-1, eps=1e-6).to(x.dtype)

    def run_blocks(self, tokens: Tensor, depth: int, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, K, W, d), named by their latent and projected, through the first blocks: (B, K, W, D)."""
        x = self.projection(tokens + self.tokenizer.gather.queries.detach()[:, None])
        if mask is not None and not mask.is_meta and bool(mask.all()):
            mask = None
        for block in self.blocks[:depth]:
            x = block(x, mask)
        return x  # type: ignore[no-any-return]

    def predict_codes(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (B, K, W, Q, V), float32, of the codes at every place.

        Raises
        ------
        ConfigError
            If the model has no such head.
        """
        if not self.config.pretraining:
            raise ConfigError(
                "this brainomni has no head that predicts codes (pretraining=false): it gives features only"
            )
        logits = self.predict_head(self.run_blocks(tokens, self.config.depth, mask))
        return logits.float().unflatten(-1, (self.tokenizer.config.codebook.levels, -1))  # type: ignore[no-any-return]

    def hide(self, tokens: Tensor, draws: Draws, real: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return tokens (B, K, W, d) with some hidden, and which (B, K, W)."""
        hidden = draws.keep <= self.config.mask_ratio
        hidden = hidden if real is None else hidden & real
        elsewhere = tokens.flatten(0, 2)[draws.elsewhere].view_as(tokens)
        stand_in = torch.where((draws.replace <= REPLACED)[..., None], self.mask_token.to(tokens.dtype), elsewhere)
        return torch.where(hidden[..., None], stand_in, tokens), hidden

    def masked_prediction(
        self, tokens: Tensor, codes: Tensor, draws: Draws, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of hidden codes over all levels, and accuracy (Q,) of each.

        Parameters
        ----------
        tokens, codes : Tensor, shape (B, K, W, d) and (B, K, W, Q)
        draws : Draws
        mask : Tensor, shape (B, W), bool, optional
        """
        real = None if mask is None else mask[:, None].expand(tokens.shape[:3])
        seen, hidden = self.hide(tokens, draws, real)
        logits = self.predict_codes(seen, mask)[hidden]  # (M, Q, V)
        truth = codes[hidden]  # (M, Q)
        loss = F.cross_entropy(logits.flatten(0, 1), truth.flatten()) if len(truth) else logits.sum()
        return loss, (logits.argmax(-1) == truth).float().mean(0)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Predict the codes of hidden tokens; parts: the accuracy of each level."""
        generator = generator or torch.Generator().manual_seed(42)
        ready = self.tokenizer.prepare(batch.the(SeriesStream))
        with torch.no_grad():
            made = self.tokenizer.encode(ready.x, ready.pos, ready.kind, channel_mask=ready.channel_mask)
        whole = self.tokenizer.window_mask(ready.lengths, made.values.shape[2])  # (B, n)
        mask = whole.repeat_interleave(made.values.shape[3], dim=1)  # (B, W)
        tokens, codes = made.values.flatten(2, 3), made.codes.flatten(2, 3)
        draws = Draws.of(mask[:, None].expand(tokens.shape[:3]), generator)
        total, accuracy = self.masked_prediction(tokens, codes, draws, mask)
        return Loss(total, {f"accuracy_{level + 1}": value for level, value in enumerate(accuracy)})

    def classify(self, features: Features) -> Tensor:
        """Logits (B, classes) of the published kind of classifier.

        Raises
        ------
        ConfigError
            If the model has none.
        """
        if not self.config.classes:
            raise ConfigError("this brainomni has no classifier; set classes, or give it a head with attach_head")
        return self.class_head(features.pooled())  # type: ignore[no-any-return]

    def predict(self, batch: Batch) -> Tensor:
        """Predictions of the classifier or, where there is none, of the head."""
        return self.classify(self(batch)) if self.config.classes else super().predict(batch)


def _width(cls: Any, settings: dict[str, Any]) -> int:
    """Width of the tokenizer's own tokens."""
    return int(settings.get("width", cls.config_class().width))


def _summary(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over real moments of each latent, latent by latent: (B, K, W, D) to (B, K*D)."""
    b, k, n, d = x.shape
    return masked_mean(x.reshape(b * k, n, d), mask.reshape(b * k, n)).view(b, k * d)
