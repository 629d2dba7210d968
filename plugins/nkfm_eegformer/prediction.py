"""CodePrediction: hide channels and predict their codes from the others, over any tokenizer that has codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, SeriesContract, Tokens, encodings, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import Part, build_part
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.blocks import Transformer, TransformerConfig
from nkfm_eegformer.model import EEGFormer


@runtime_checkable
class Coding(Protocol):
    """A tokenizer with codes.

    Attributes
    ----------
    code_shape : (int, int)
        Levels Q, and codes V of each.
    """

    code_shape: tuple[int, int]

    def codes(self, stream: SeriesStream) -> Tensor:
        """Codes of the tokens that `cut` returns, (B, M, Q), int64; -1 where a token is not real."""
        ...


@dataclass(frozen=True, kw_only=True)
class CodePredictionConfig:
    """A transformer over the tokens of a frozen tokenizer that predicts their codes.

    Attributes
    ----------
    tokenizer, encoding : mapping
        ``{"name": ..., **settings}``; the tokenizer must have codes.
    transformer : TransformerConfig
    ratio : float
        Share of the channels of a window that are hidden, one at least.
    replaced : float
        Share of the hidden tokens that become the mask token; the others become tokens from elsewhere in the batch.
    """

    tokenizer: Part = field(default_factory=lambda: {"name": "spectral-vq"})
    encoding: Part = field(default_factory=lambda: {"name": "fourier-4d"})
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    ratio: float = 0.5
    replaced: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1 or not 0 <= self.replaced <= 1:
            raise ConfigError(f"ratio must be in (0, 1) and replaced in [0, 1]; got {self.ratio:g}, {self.replaced:g}")


class CodePrediction(Model):
    """Predict the codes of hidden channels.

    Parameters
    ----------
    config : CodePredictionConfig
    contract : SeriesContract

    Notes
    -----
    Source: the second stage of BrainOmni, arXiv:2505.18185: the tokenizer is frozen, hidden tokens become a mask token or
    one from elsewhere in the batch, and the loss is the cross-entropy of their codes. Deviations: tokens are told apart by a
    positional encoding instead of learned names of latent sources, and whole channels are hidden instead of single tokens,
    because the vectors of spectral codes have seen their neighbours in the channel.
    """

    name = "code-prediction"
    config_class = CodePredictionConfig
    accepts = (SeriesStream,)
    example = CodePredictionConfig(
        tokenizer={
            "name": "spectral-vq",
            "frontend": {"segment_s": 0.5, "patch_len": 10, "stride": 10},
            "dim": 16,
            "depth": 1,
            "heads": 2,
            "ffn": 32,
            "dropout": 0.0,
            "quantizer": {"size": 16, "width": 16, "start": "random"},
        },
        encoding={"name": "fourier-4d", "freqs": 3, "step_s": 0.1},
        transformer=TransformerConfig(width=32, depth=1, heads=2, head_dim=16),
    )
    example_contract = SeriesContract(min_window_s=0.5, frame="template")
    contract: SeriesContract

    def __init__(self, config: CodePredictionConfig, contract: SeriesContract):
        super().__init__(config, contract)
        width = config.transformer.width
        self.tokenizer = _coding(config.tokenizer, width, contract.sfreq)
        for name, parameter in self.tokenizer.named_parameters():
            parameter.requires_grad_(name.startswith("out."))  # the way from the codes' vectors to the width here
        self.encoding = build_part(encodings, config.encoding, width=width)
        self.transformer = Transformer(config.transformer)
        self.mask_token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        levels, size = self.tokenizer.code_shape
        self.to_codes = nn.Linear(width, levels * size)

    def forward(self, batch: Batch) -> Features:
        """Features (B, M, D) of all tokens, none hidden."""
        tokens = self._tokens(batch)
        return self._features(tokens, tokens.values)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Cross-entropy of the codes of hidden channels; part: the ``accuracy`` of the first level.

        In evaluation, no generator means the same channels each time.
        """
        if generator is None and not self.training:
            generator = torch.Generator().manual_seed(42)
        tokens = self._tokens(batch)
        hidden = self._hide(tokens, batch.the(SeriesStream).channel_mask, generator)  # (B, M)
        real = tokens.mask.flatten().nonzero()[:, 0]
        swap = torch.arange(tokens.mask.numel(), device=real.device)
        swap[real] = real[torch.randperm(len(real), generator=generator).to(real.device)]
        elsewhere = tokens.values.flatten(0, 1)[swap].view_as(tokens.values)
        masked = torch.rand(hidden.shape, generator=generator).to(real.device) < self.config.replaced
        stand_in = torch.where(masked[..., None], self.mask_token.to(tokens.values.dtype), elsewhere)
        seen = torch.where(hidden[..., None], stand_in, tokens.values)
        levels, size = self.tokenizer.code_shape
        logits = self.to_codes(self._features(tokens, seen).tokens[hidden]).float().view(-1, levels, size)
        truth = self.tokenizer.codes(batch.the(SeriesStream))[hidden]  # (K, Q)
        accuracy = (logits[:, 0].argmax(-1) == truth[:, 0]).float().mean()
        return Loss(F.cross_entropy(logits.flatten(0, 1), truth.flatten()), {"accuracy": accuracy})

    def _tokens(self, batch: Batch) -> Tokens:
        """Vectors of the codes of a batch."""
        tokens: Tokens = self.tokenizer.cut(batch.the(SeriesStream))
        return tokens.with_values(self.tokenizer.embed(tokens.values.to(self.to_codes.weight.dtype)))

    def _features(self, tokens: Tokens, values: Tensor) -> Features:
        x = values + self.encoding(tokens.coords).to(values.dtype)
        out, _ = self.transformer(x, tokens.mask, segment=tokens.segment)
        return Features(tokens=out, mask=tokens.mask, coords=tokens.coords, index=tokens.index)

    def _hide(self, tokens: Tokens, channel_mask: Tensor, generator: torch.Generator | None) -> Tensor:
        """Hide ``int(ratio * channels)`` channels of each sample, one at least: (B, M)."""
        chance = torch.rand(channel_mask.shape, generator=generator).to(channel_mask.device)
        rank = chance.masked_fill(~channel_mask, 2.0).argsort(1).argsort(1)  # (B, C) padding last
        count = (self.config.ratio * channel_mask.sum(1)).long().clamp(min=1)  # (B,)
        hidden: Tensor = (rank < count[:, None]).gather(1, tokens.index[..., 0])  # (B, M)
        return hidden & tokens.mask


def _coding(part: Part, width: int, sfreq: float) -> Any:
    """Build a tokenizer that must have codes."""
    tokenizer = build_part(tokenizers, part, width=width, sfreq=sfreq)
    if not isinstance(tokenizer, Coding):
        raise ConfigError(f"tokenizer {part['name']!r} has no codes to predict; 'spectral-vq' has")
    return tokenizer


def predictor_of(model: EEGFormer, config: CodePredictionConfig) -> CodePrediction:
    """Make a predictor of the codes of a pretrained EEGFormer.

    Parameters
    ----------
    model : EEGFormer
        Its tokenizer's weights are copied, and frozen.
    config : CodePredictionConfig
        Its tokenizer is replaced by the model's.
    """
    settings = {**vars(config), "tokenizer": model.config.tokenizer}
    made = CodePrediction(CodePredictionConfig(**settings), model.contract)
    own = made.tokenizer.state_dict()
    made.tokenizer.load_state_dict({**own, **{k: v for k, v in model.tokenizer.state_dict().items() if k in own}})
    return made
