"""Volume: one or several image contrasts on a voxel grid, still or over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.data.series import SampleArray
from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """Images in one voxel grid.

    Attributes
    ----------
    data : SampleArray, shape (M, X, Y, Z), or (T, M, X, Y, Z) when `sfreq` is given
    affine : ndarray, shape (4, 4), float64
        Voxel index to metres.
    channels : Channels
        One row a contrast (T1w, T2w, FLAIR, BOLD).
    missing : ndarray, shape (M,), bool
        True for contrasts that were not measured; their values are ignored.
    sfreq : float or None, Hz
        Volumes a second, for data over time.
    start : float, seconds
    modality : str
    """

    layout: ClassVar[str] = "volume"

    data: SampleArray
    affine: npt.NDArray[np.float64]
    channels: Channels
    missing: npt.NDArray[np.bool_]
    sfreq: float | None = None
    start: float = 0.0
    modality: str = "mri"

    def __post_init__(self) -> None:
        wanted = 4 if self.sfreq is None else 5
        if len(self.data.shape) != wanted:
            raise DataError(
                f"a volume {'without' if wanted == 4 else 'with'} sfreq has {wanted} axes; found {self.data.shape}"
            )
        contrasts = self.data.shape[wanted - 4]
        if contrasts != len(self.channels) or contrasts != len(self.missing):
            raise DataError(
                f"{contrasts} contrasts in data, {len(self.channels)} channels, {len(self.missing)} missing flags"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise DataError("affine must be a finite (4, 4) matrix from voxel index to metres")

    @property
    def duration(self) -> float:
        """Length in seconds, 0 for a still volume."""
        return 0.0 if self.sfreq is None else int(self.data.shape[0]) / self.sfreq

    @property
    def stop(self) -> float:
        """Time just after the last volume, seconds."""
        return self.start + self.duration

    @property
    def spacing_m(self) -> npt.NDArray[np.float64]:
        """Voxel edge lengths in metres, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=np.float64)

    def crop(self, start: float, stop: float) -> Volume:
        """Return the volumes with start <= time < stop (seconds); a still volume is returned as it is."""
        if self.sfreq is None:
            return self
        first = max(0, int(np.ceil((start - self.start) * self.sfreq - 1e-6)))
        last = min(int(self.data.shape[0]), int(np.ceil((stop - self.start) * self.sfreq - 1e-6)))
        if last <= first:
            raise DataError(
                f"no volume between {start:g} s and {stop:g} s; they span {self.start:g} to {self.stop:g} s"
            )
        frames: Any = np.asarray(self.data[first:last])
        return replace(self, data=frames, start=self.start + first / self.sfreq)
