"""One honest tokenizer a layout, and dishonest ones for series."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from neurokit_fm import Tokenizer, Tokens
from neurokit_fm.batch.graph import GraphStream
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.errors import DataError


@dataclass(frozen=True)
class NoConfig:
    """Nothing to set."""


@dataclass(frozen=True)
class Mutable:
    """A setting that JSON turns into something else."""

    sizes: tuple = ((1, 2),)


def grid(rows: torch.Tensor, steps: torch.Tensor, b: int) -> torch.Tensor:
    """Index (B, C*S, 2), channel-major."""
    return torch.stack(torch.broadcast_tensors(rows[:, None], steps[None]), -1).flatten(0, 1).expand(b, -1, 2)


class Honest(Tokenizer):
    """Patches of 20 samples, end to end."""

    config_class = NoConfig
    accepts = (SeriesStream,)
    raw_width = 20

    def __init__(self, config, width, sfreq):
        super().__init__()
        self.config, self.sfreq = config, sfreq
        self.project = nn.Linear(20, width)

    def shortest_s(self, sfreq):
        return 20 / sfreq

    def cut(self, stream):
        if stream.values.shape[2] < 20:
            raise DataError(f"{stream.values.shape[2]} samples; the minimum is 20 samples ({20 / self.sfreq:g} s)")
        x = stream.values.unfold(2, 20, 20)  # (B, C, S, 20)
        b, c, s, _ = x.shape
        real = stream.channel_mask[:, :, None] & stream.time_mask.unfold(1, 20, 20).all(-1)[:, None]
        seconds = torch.arange(s, device=x.device) * (20 / self.sfreq)
        coords = torch.cat([stream.positions[:, :, None].expand(b, c, s, 3), seconds.expand(b, c, s)[..., None]], -1)
        index = grid(torch.arange(c, device=x.device), torch.arange(s, device=x.device), b)
        return Tokens(values=x.flatten(1, 2), mask=real.flatten(1), coords=coords.flatten(1, 2), index=index)

    def embed(self, raw):
        return self.project(raw)

    def decode(self, tokens):
        steps = int(tokens.index[..., 1].max()) + 1
        return tokens.values.unflatten(1, (-1, steps)).flatten(2)  # (B, C, S*20)


class WrongMask(Honest):
    def cut(self, stream):
        tokens = super().cut(stream)
        return replace(tokens, mask=torch.ones_like(tokens.mask))


class MissingTokens(Honest):
    """Calls the last patch of every padded sample unreal."""

    def cut(self, stream):
        tokens = super().cut(stream)
        last = tokens.index[..., 1] == (stream.time_mask.sum(1) // 20 - 1)[:, None]
        return replace(tokens, mask=tokens.mask & ~(last & ~stream.time_mask.all(1)[:, None]))


class TimeMajor(Honest):
    """Says so in its index."""

    def cut(self, stream):
        tokens = super().cut(stream)
        rows, steps = tokens.index[0].unbind(-1)
        order = (steps * (rows.max() + 1) + rows).argsort()
        parts = {name: getattr(tokens, name)[:, order] for name in ("values", "mask", "coords", "index")}
        return Tokens(**parts)

    decode = None


class LyingIndex(TimeMajor):
    """Time-major, and says it is channel-major: masks and permuted channels do not fit either."""

    def cut(self, stream):
        return replace(super().cut(stream), index=Honest.cut(self, stream).index)


class ReadsPadding(Honest):
    def cut(self, stream):
        values = stream.values - stream.values.mean(2, keepdim=True)
        return super().cut(replace(stream, values=values))

    decode = None


class LosesDtype(Honest):
    def cut(self, stream):
        return super().cut(replace(stream, values=stream.values.float()))

    def embed(self, raw):
        return self.project(raw.to(self.project.weight.dtype)).float()


class InventsPositions(Honest):
    def cut(self, stream):
        tokens = super().cut(stream)
        return replace(tokens, coords=tokens.coords.nan_to_num(0.0))


class OtherPositions(Honest):
    """Gives every token the place of the first channel."""

    def cut(self, stream):
        tokens = super().cut(replace(stream, positions=stream.positions[:, :1].expand_as(stream.positions)))
        return replace(tokens, coords=tokens.coords.clone())


class PrefersFirst(Honest):
    """Treats channel 0 unlike the others."""

    def embed(self, raw):
        return self.project(raw) + torch.linspace(0, 1, raw.shape[1])[:, None].to(raw)


class OnTheCpu(Honest):
    def embed(self, raw):
        return self.project(raw) + torch.zeros(1, dtype=raw.dtype)


class BareError(Honest):
    def cut(self, stream):
        if stream.values.shape[2] < 20:
            raise ValueError("too short")
        return super().cut(stream)


class LossyDecode(Honest):
    def decode(self, tokens):
        return super().decode(tokens).round()


class LostSetting(Honest):
    config_class = Mutable


class Spikes(Tokenizer):
    """One token an event."""

    config_class = NoConfig
    accepts = (PointStream,)
    raw_width = 1

    def __init__(self, config, width, sfreq):
        super().__init__()
        self.project = nn.Linear(1, width)

    def shortest_s(self, sfreq):
        return 1.0

    def cut(self, stream):
        b, n = stream.mask.shape
        key = torch.where(stream.mask, stream.source, stream.source.new_full((), 10**6))
        source, order = key.sort(dim=1, stable=True)
        times = stream.times.gather(1, order)
        mask = stream.mask.gather(1, order)
        nth = torch.arange(n, device=key.device) - torch.searchsorted(source, source)
        source = source.masked_fill(~mask, 0)
        place = stream.positions.gather(1, source[..., None].expand(b, n, 3))
        return Tokens(
            values=times[..., None],
            mask=mask,
            coords=torch.cat([place, times[..., None]], -1),
            index=torch.stack([source, nth], -1),
        )

    def embed(self, raw):
        return self.project(raw)


class Images(Tokenizer):
    """One token a contrast: its mean."""

    config_class = NoConfig
    accepts = (VolumeStream,)
    raw_width = 1

    def __init__(self, config, width, sfreq):
        super().__init__()
        self.project = nn.Linear(1, width)

    def shortest_s(self, sfreq):
        return 1.0

    def cut(self, stream):
        b, m = stream.contrast_mask.shape
        centre = stream.affine[:, None, :3, 3].float().expand(b, m, 3)
        coords = torch.cat([centre, torch.full_like(centre[..., :1], torch.nan)], -1)
        rows = torch.arange(m, device=coords.device)
        index = torch.stack([rows, torch.zeros_like(rows)], -1).expand(b, m, 2)
        mean = stream.values.flatten(2).mean(2)[..., None]
        return Tokens(values=mean, mask=stream.contrast_mask, coords=coords, index=index)

    def embed(self, raw):
        return self.project(raw)


class Nodes(Tokenizer):
    """One token a node: the weight of what leaves it."""

    config_class = NoConfig
    accepts = (GraphStream,)
    raw_width = 1

    def __init__(self, config, width, sfreq):
        super().__init__()
        self.project = nn.Linear(1, width)

    def shortest_s(self, sfreq):
        return 1.0

    def cut(self, stream):
        b, v = stream.node_mask.shape
        weight = stream.weight.masked_fill(~stream.edge_mask, 0)
        out = weight.new_zeros((b, v)).scatter_add(1, stream.edges[:, 0], weight)
        coords = torch.cat([stream.positions, torch.full_like(stream.positions[..., :1], torch.nan)], -1)
        rows = torch.arange(v, device=weight.device)
        index = torch.stack([rows, torch.zeros_like(rows)], -1).expand(b, v, 2)
        return Tokens(values=out[..., None], mask=stream.node_mask, coords=coords, index=index)

    def embed(self, raw):
        return self.project(raw)
