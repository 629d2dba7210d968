"""An honest encoding and dishonest ones."""

from dataclasses import dataclass

import torch
from torch import nn

from neurokit_fm import PositionalEncoding


@dataclass(frozen=True)
class NoConfig:
    """Nothing to set."""


class Honest(PositionalEncoding):
    config_class = NoConfig

    def __init__(self, config, width):
        super().__init__()
        self.linear = nn.Linear(4, width)

    def forward(self, coords):
        with torch.autocast("cpu", enabled=False):
            return self.linear(coords.nan_to_num(0.0).float())


class NaN(Honest):
    def forward(self, coords):
        with torch.autocast("cpu", enabled=False):
            return self.linear(coords)


class CountsPlaces(Honest):
    """Uses the place in the sequence instead of the time."""

    def forward(self, coords):
        return super().forward(coords) + 0.1 * torch.arange(coords.shape[1], device=coords.device)[:, None]


class Half(Honest):
    def forward(self, coords):
        return self.linear(coords.nan_to_num(0.0))


class Unused(Honest):
    def __init__(self, config, width):
        super().__init__(config, width)
        self.scale = nn.Parameter(torch.ones(width))


class OnTheCpu(Honest):
    def forward(self, coords):
        return super().forward(coords) * torch.ones(1)


class Narrow(Honest):
    def forward(self, coords):
        return super().forward(coords)[..., :3]
