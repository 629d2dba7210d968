"""Seeded noise of any spectrum, of which any stretch can be had on demand and is always the same.

Time is cut into *hops* of a fixed number of samples. Everything is computed hop by hop, from random streams that are
keyed by the hop's number, so a window costs what its length says and equals the same window of the whole, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft

Rows = npt.NDArray[np.float32]
"""Values, shape (rows, samples)."""


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of a seed and a key, independent of every other."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


def hop_length(sfreq: float) -> int:
    """Samples of a hop: the power of two that is nearest above two seconds."""
    return 1 << int(np.ceil(np.log2(2 * sfreq)))


class ShapedNoise:
    r"""Independent Gaussian rows of unit variance, each with its own amplitude spectrum.

    Parameters
    ----------
    shape : ndarray, shape (R, H + 1)
        Amplitude at the frequencies of a transform of 2H samples; H is the hop. Those of 0 Hz and of the Nyquist
        frequency are taken as 0.
    seed : int
    key : tuple of int

    Notes
    -----
    Independent periodic segments of two hops overlap by one and are weighted by a sine, so that
    $\sin^2 + \cos^2 = 1$ keeps the variance constant.
    """

    def __init__(self, shape: npt.NDArray[np.float64], seed: int, key: tuple[int, ...]):
        self.seed, self.key = seed, key
        inner = np.array(shape, dtype=np.float64)
        inner[:, [0, -1]] = 0.0
        self.hop = inner.shape[1] - 1
        norm = self.hop / np.sqrt((inner**2).sum(axis=1, keepdims=True))
        self.amplitude = (inner * norm).astype(np.float32)  # (R, H+1)
        self.window = np.sin(np.pi * (np.arange(2 * self.hop) + 0.5) / (2 * self.hop)).astype(np.float32)  # (2H,)

    def hops(self, first: int, last: int) -> Iterator[Rows]:
        """Yield hops [first, last), each (R, H)."""
        before = self._segment(first)
        for number in range(first, last):
            after = self._segment(number + 1)
            yield before[:, self.hop :] + after[:, : self.hop]
            before = after

    def _segment(self, number: int) -> Rows:
        normal = generator(self.seed, *self.key, number).standard_normal((*self.amplitude.shape, 2), dtype=np.float32)
        spectrum = normal.view(np.complex64)[..., 0] * self.amplitude  # (R, H+1)
        segment: Rows = irfft(spectrum, n=2 * self.hop, axis=1, overwrite_x=True)
        segment *= self.window
        return segment


def white_hop(rows: int, hop: int, seed: int, key: tuple[int, ...], number: int) -> Rows:
    """Return one hop of independent white noise of unit variance, (R, H)."""
    return generator(seed, *key, number).standard_normal((rows, hop), dtype=np.float32)
