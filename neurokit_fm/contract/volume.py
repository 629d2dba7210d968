"""VolumeContract: the images a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurokit_fm.contract.base import Contract, Problem
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.volume import Volume


@dataclass(frozen=True, kw_only=True)
class VolumeContract(Contract):
    """Grid and contrasts of a volume model.

    Attributes
    ----------
    modality : str
    spacing_m : float
        Edge of the cubic voxels.
    shape : tuple of int
        Grid (X, Y, Z).
    contrasts : tuple of str
        Channel names the model knows; those absent from a recording are masked.
    """

    layout: ClassVar[str] = "volume"

    modality: str = "mri"
    spacing_m: float = 0.001
    shape: tuple[int, int, int] = (128, 128, 128)
    contrasts: tuple[str, ...] = ("T1w",)

    def check(self, recording: Recording) -> list[Problem]:
        """Compare grid, spacing and contrasts, and look for values that are not numbers."""
        volumes = [s for s in recording.signals.values() if isinstance(s, Volume) and s.modality == self.modality]
        if len(volumes) != 1:
            return [Problem(f"expected one {self.modality} volume, found {len(volumes)}", "name the one to use")]
        volume, problems = volumes[0], []
        grid = tuple(int(n) for n in volume.data.shape[-3:])
        if grid != self.shape or not np.allclose(volume.spacing_m, self.spacing_m, rtol=1e-3):
            found = " x ".join(f"{1e3 * s:.2f}" for s in volume.spacing_m)
            problems.append(
                Problem(
                    f"grid {grid} of {found} mm voxels, expected {self.shape} of {1e3 * self.spacing_m:g} mm",
                    "resample the image first",
                )
            )
        unknown = [n for n in volume.channels.name if n not in self.contrasts]
        if unknown:
            problems.append(
                Problem(
                    f"unknown contrasts {', '.join(unknown)}",
                    f"rename or drop them; known: {', '.join(self.contrasts)}",
                )
            )
        if not np.isfinite(np.asarray(volume.data)).all():
            problems.append(Problem("values that are not finite numbers", "repair or mask the image"))
        return problems

    def apply(self, recording: Recording) -> Recording:
        """Return the recording unchanged once it fits.

        Raises
        ------
        ContractError
            If it does not.
        """
        self.require(recording)
        return recording

    def plan(self, recording: Recording) -> list[str]:
        """Say that images that fit are used as they are."""
        return ["used as it is"]
