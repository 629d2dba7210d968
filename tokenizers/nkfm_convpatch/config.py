"""Settings of the convolutional patch tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ConvPatchConfig:
    """How patches are cut and embedded.

    Attributes
    ----------
    length_s, hop_s : float, seconds
        Length of a patch, and step between patches.
    layers : tuple of (features, kernel, stride, padding, groups)
        A convolution along the samples of a patch each, zero-padded at both ends of the patch, then a group norm.
    order : {"features", "steps"}
        How the last layer's output is laid out: each feature with all its steps, or each step with all its features.
    """

    length_s: float = 1.0
    hop_s: float = 1.0
    layers: tuple[tuple[int, ...], ...] = ((8, 15, 8, 7, 4), (8, 3, 1, 1, 4), (8, 3, 1, 1, 4))
    order: Literal["features", "steps"] = "steps"

    def __post_init__(self) -> None:
        for layer in self.layers:
            if len(layer) != 5 or min(*layer[:3], layer[4]) < 1 or layer[0] % layer[4]:
                raise ConfigError(
                    f"a layer is (features, kernel, stride, padding, groups), groups dividing features; got {layer}"
                )
        if not self.layers or self.order not in ("features", "steps"):
            raise ConfigError(f"one layer or more, and order 'features' or 'steps'; got {self.layers}, {self.order!r}")

    def width(self, length: int) -> int:
        """Width of a token made of a patch of `length` samples.

        Raises
        ------
        ConfigError
            If nothing is left of the patch.
        """
        for _, kernel, stride, padding, _ in self.layers:
            length = (length + 2 * padding - kernel) // stride + 1
        if length < 1:
            raise ConfigError("these layers leave nothing of a patch; use smaller kernels or longer patches")
        return self.layers[-1][0] * length
