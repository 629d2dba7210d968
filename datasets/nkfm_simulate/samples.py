"""Samples that are computed when they are asked for: any crop equals the same stretch of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nkfm_simulate.activity import Activity
from nkfm_simulate.artefacts import Disturbance
from nkfm_simulate.noise import Rows


class Hops(Protocol):
    """Something that yields hops [first, last) of a fixed length, each (R, hop)."""

    hop: int

    def hops(self, first: int, last: int) -> Iterator[Rows]:
        """Yield them in order."""
        ...


class Measurement:
    """What sensors see of an activity.

    Parameters
    ----------
    activity : Activity
    gain : ndarray, shape (C, S)
        Sensor unit per A m.
    disturbance : Disturbance
    reference : ndarray, shape (C,), bool, or None
        Subtract the mean over these channels.
    flat : ndarray, shape (C,), bool
        Channels that read 0.
    """

    def __init__(
        self,
        activity: Activity,
        gain: npt.NDArray[np.float64],
        disturbance: Disturbance,
        *,
        reference: npt.NDArray[np.bool_] | None,
        flat: npt.NDArray[np.bool_],
    ):
        self.activity, self.disturbance, self.flat, self.hop = activity, disturbance, flat, activity.hop
        self.gain = np.concatenate([gain, disturbance.mixing], axis=1).astype(np.float32)  # (C, S + 2F)
        self.weight = None if reference is None else (reference / max(1, reference.sum())).astype(np.float32)

    def hops(self, first: int, last: int) -> Iterator[Rows]:
        """Yield hops [first, last), each (C, H) float32, sensor units."""
        for number, moments in zip(range(first, last), self.activity.hops(first, last), strict=True):
            values = self.gain @ np.concatenate([moments, self.disturbance.waves(number)])  # (C, H)
            values += self.disturbance.noise(number)
            if self.weight is not None:
                values -= self.weight @ values
            values[self.flat] = 0.0
            yield values


class SimulatedSamples:
    """An array (C, T) of which nothing exists before it is read; memory is that of what is read.

    Parameters
    ----------
    source : Hops
    shape : (int, int)
        (C, T).
    """

    def __init__(self, source: Hops, shape: tuple[int, int]):
        self.source, self.shape = source, shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any) -> Any:
        rows, samples = index if isinstance(index, tuple) and len(index) == 2 else (index, slice(None))
        numbers = np.arange(self.shape[1])[samples]
        if not np.size(numbers):
            return np.empty((self.shape[0], *np.shape(numbers)), np.float32)[rows]
        first, last = int(np.min(numbers)), int(np.max(numbers)) + 1
        values = self._read(first, last)  # (C, last-first)
        plain = isinstance(samples, slice) and samples.step in (None, 1)
        return (values if plain else values[:, numbers - first])[rows]

    def _read(self, first: int, last: int) -> Rows:
        hop = self.source.hop
        values = np.empty((self.shape[0], last - first), np.float32)
        begin = first // hop
        for number, block in enumerate(self.source.hops(begin, -(-last // hop)), begin):
            low, high = max(first, number * hop), min(last, (number + 1) * hop)
            values[:, low - first : high - first] = block[:, low - number * hop : high - number * hop]
        return values
