"""Honest models and dishonest ones."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from neurokit_fm import Batch, Features, Loss, Model, SeriesContract, VolumeContract
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.errors import DataError


@dataclass(frozen=True)
class Size:
    """How wide."""

    width: int = 8


class Honest(Model):
    """Patches of 20 samples, each seen beside the mean over the sample's patches."""

    name = "honest"
    config_class = Size
    accepts = (SeriesStream,)
    example_contract = SeriesContract(sfreq=100.0, min_window_s=0.2, window_s=2.0, frame="head")

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.own, self.shared = nn.Linear(20, config.width), nn.Linear(20, config.width)
        self.place = nn.Linear(3, config.width)

    def context(self, x, mask):
        """Mean over real patches: (B, N, 20) to (B, 1, 20)."""
        return x.masked_fill(~mask[..., None], 0).sum(1, keepdim=True) / mask.sum(1).clamp(min=1)[:, None, None]

    def places(self, positions):
        return positions.nan_to_num(0.0)

    def forward(self, batch: Batch) -> Features:
        stream = batch.the(SeriesStream)
        if stream.values.shape[2] < 20:
            raise DataError(f"{stream.values.shape[2]} samples; the minimum is 20 samples (0.2 s)")
        x = stream.values.unfold(2, 20, 20)  # (B, C, S, 20)
        b, c, s, _ = x.shape
        mask = (stream.channel_mask[:, :, None] & stream.time_mask.unfold(1, 20, 20).all(-1)[:, None]).flatten(1)
        where = self.places(stream.positions)[:, :, None].expand(b, c, s, 3).flatten(1, 2)
        rows, steps = torch.arange(c, device=x.device), torch.arange(s, device=x.device)
        index = torch.stack(torch.broadcast_tensors(rows[:, None], steps[None]), -1).flatten(0, 1).expand(b, c * s, 2)
        x = x.flatten(1, 2)
        tokens = torch.tanh(self.own(x) + self.shared(self.context(x, mask)) + self.place(where))
        coords = torch.cat([where, where[..., :1]], -1)
        return Features(tokens=self.finish(tokens, index), mask=mask, coords=coords, index=index)

    def finish(self, tokens, index):
        return tokens

    def loss(self, batch, *, generator=None):
        out = self(batch)
        noise = self.noise(out.tokens, generator)
        return Loss((out.tokens + noise)[out.mask].square().mean())

    def noise(self, tokens, generator):
        return torch.randn(tokens.shape, generator=generator)


class LeaksAcrossBatch(Honest):
    name = "leaks-across-batch"

    def context(self, x, mask):
        own = super().context(x, mask)
        return own + own.mean(0, keepdim=True) if len(own) > 1 else 2 * own


class Random(Honest):
    name = "random"

    def finish(self, tokens, index):
        return tokens + 0.1 * torch.randn_like(tokens)

    loss = None


class IgnoresMask(Honest):
    name = "ignores-mask"

    def context(self, x, mask):
        return x.mean(1, keepdim=True)


class CrossesSegments(Honest):
    """Packs padded batches into one row, and forgets where one sample ends."""

    name = "crosses-segments"

    def context(self, x, mask):
        if x.is_meta or bool(mask.all()):
            return super().context(x, mask)
        return x[mask].mean(0).expand(len(x), 1, 20)


class CountsPadding(Honest):
    """Divides by the padded length: padding may hold anything, but how much of it there is matters."""

    name = "counts-padding"

    def context(self, x, mask):
        return x.masked_fill(~mask[..., None], 0).sum(1, keepdim=True) / mask.shape[1]


class OrderAware(Honest):
    name = "order-aware"

    def finish(self, tokens, index):
        return tokens + index[..., :1].to(tokens.dtype)


class DeclaredOrderAware(OrderAware):
    name = "declared-order-aware"
    order_aware = True


class NeedsPositions(Honest):
    name = "needs-positions"

    def places(self, positions):
        return positions


class UnusedParameter(Honest):
    name = "unused-parameter"

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.spare = nn.Linear(2, 2)


class GlobalNoise(Honest):
    name = "global-noise"

    def noise(self, tokens, generator):
        return torch.randn(tokens.shape)


class LossReadsPadding(Honest):
    name = "loss-reads-padding"

    def loss(self, batch, *, generator=None):
        return Loss(self(batch).tokens.square().mean())


class Overflows(Honest):
    """Right in float32 only."""

    name = "overflows"

    def finish(self, tokens, index):
        if torch.is_autocast_enabled("cpu"):
            return tokens / 0
        return tokens


class OnTheCpu(Honest):
    name = "on-the-cpu"

    def finish(self, tokens, index):
        return tokens + torch.zeros(1)


class Forgets(Honest):
    """Keeps something learned where saving does not see it."""

    name = "forgets"

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.offset = np.random.default_rng().random()

    def finish(self, tokens, index):
        return tokens + self.offset


class BareError(Honest):
    name = "bare-error"

    def forward(self, batch):
        if batch.the(SeriesStream).values.shape[2] < 20:
            raise IndexError("index out of range")
        return super().forward(batch)


class OneChannelNaN(Honest):
    name = "one-channel-nan"

    def context(self, x, mask):
        own = super().context(x, mask)
        return own / (mask.sum(1) > 1)[:, None, None]


class WrongName(Honest):
    name = "right-name"


class Large(Honest):
    name = "large"
    example = Size(width=100_000)


class Fitted(Model):
    """A mean over recordings; honest."""

    name = "fitted"
    config_class = Size
    accepts = (SeriesStream,)
    example_contract = SeriesContract(sfreq=100.0, min_sfreq=50.0, min_window_s=0.1, window_s=2.0, unit_scale=1e6)

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.register_buffer("mean", torch.zeros(()))

    def start(self, seed):
        return torch.rand((), generator=torch.Generator().manual_seed(seed))

    def fit(self, recordings, *, seed=0):
        ready = [torch.as_tensor(self.contract.apply(r)[self.contract.modality].read()) for r in recordings]
        self.mean.copy_(torch.stack([x.mean() for x in ready]).mean() + self.start(seed))
        return self

    def forward(self, batch):
        stream = batch.the(SeriesStream)
        b, c, t = stream.values.shape
        mask = (stream.channel_mask[:, :, None] & stream.time_mask[:, None]).flatten(1)
        rows, steps = torch.arange(c, device=mask.device), torch.arange(t, device=mask.device)
        index = torch.stack(torch.broadcast_tensors(rows[:, None], steps[None]), -1).flatten(0, 1).expand(b, c * t, 2)
        coords = torch.full((b, c * t, 4), torch.nan, device=mask.device)
        return Features(tokens=(stream.values - self.mean).flatten(1)[..., None], mask=mask, coords=coords, index=index)


class FittedAnyhow(Fitted):
    """Starts from the global random state."""

    name = "fitted-anyhow"

    def start(self, seed):
        return torch.rand(())


class Images(Model):
    """A number a contrast; honest."""

    name = "images"
    config_class = Size
    accepts = (VolumeStream,)
    example_contract = VolumeContract(shape=(6, 5, 4), contrasts=("T1w", "T2w", "FLAIR"))

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.linear = nn.Linear(1, config.width)

    def forward(self, batch):
        stream = batch.the(VolumeStream)
        b, m = stream.contrast_mask.shape
        rows = torch.arange(m, device=stream.values.device)
        index = torch.stack([rows, torch.zeros_like(rows)], -1).expand(b, m, 2)
        coords = torch.full((b, m, 4), torch.nan, device=stream.values.device)
        tokens = self.linear(stream.values.flatten(2).square().mean(2)[..., None])
        return Features(tokens=tokens, mask=stream.contrast_mask, coords=coords, index=index)
