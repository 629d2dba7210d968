"""Memory that is used again: page-faulting a fresh array can cost more than filling it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Values = npt.NDArray[np.float32]
"""Values of some windows, shape (B, C, T), physical units."""


class BufferRing:
    """Buffers that are handed out in turn, for ever.

    Parameters
    ----------
    buffers : sequence of ndarray, shape (B, C, T), float32, C-contiguous
        At least one; numpy views of pinned tensors, for instance.
    """

    def __init__(self, buffers: Sequence[Values]):
        if not buffers:
            raise DataError("a ring needs at least one buffer")
        self.buffers = tuple(buffers)
        self._turn = 0

    def next(self) -> Values:
        """Return the buffer that was handed out longest ago; what it held is lost."""
        self._turn = (self._turn + 1) % len(self.buffers)
        return self.buffers[self._turn]
