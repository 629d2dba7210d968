"""Current dipoles: where in the head they sit, where they point and what they are called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels, Modality

Vectors = npt.NDArray[np.float64]

MODALITY = Modality(
    name="sources",
    layout="series",
    kinds=("source",),
    unit_range=(("dipole", 1e-12, 1e-5),),
    summary="Moments of current dipoles in the brain, the ground truth of a simulation",
)

NAMED = {
    "motor-left": (46, 180, 0.80, 35, "back"),
    "motor-right": (46, 0, 0.80, 35, "back"),
    "occipital-left": (80, 252, 0.78, 40, "up"),
    "occipital-right": (80, 288, 0.78, 40, "up"),
    "parietal": (46, 270, 0.75, 25, "back"),
    "auditory-left": (82, 180, 0.62, 80, "up"),
    "auditory-right": (82, 0, 0.62, 80, "up"),
}
"""Inclination from the vertex and azimuth (from the right ear over the nose), degrees; distance from the centre in head
radii; angle between the dipole and the radial direction, degrees, and the side to which it leans. The first two lie under
C3 and C4, the others under O1, O2, Pz, T7 and T8 (angles of the 10-10 system on a sphere)."""

EYES = {"eye-left": (-0.36, 0.90, -0.25), "eye-right": (0.36, 0.90, -0.25)}
"""Directions of the eyes from the centre of the head."""
EYE_DEPTH, EYE_DIRECTION = 0.85, (0.0, 0.6, 0.8)

SHELL, LOWEST = (0.40, 0.80), -0.3
"""Distances of background dipoles from the centre, in head radii, and their lowest direction cosine."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """Dipoles in a head of radius 1 around the origin.

    Attributes
    ----------
    name : tuple of str
        The named ones first (`NAMED`), then the background, then the eyes.
    position : ndarray, shape (S, 3), head radii
    orientation : ndarray, shape (S, 3)
        Unit vectors.
    """

    name: tuple[str, ...]
    position: Vectors
    orientation: Vectors

    def channels(self, centre: Vectors, radius: float) -> Channels:
        """Return the table of the ground truth, places in metres in the head frame."""
        return Channels.of(
            self.name,
            kind="source",
            sensor_type="dipole",
            unit="Am",
            position=centre + radius * self.position,
            orientation=self.orientation,
            frame="head",
        )


def draw_sources(rng: np.random.Generator, background: int) -> Sources:
    """Draw a subject's dipoles: the named ones a few millimetres and degrees from their usual places."""
    spots = np.array([[*row[:3]] for row in NAMED.values()], dtype=np.float64)
    outward = directions(spots[:, 0], spots[:, 1])  # (N, 3)
    lean = np.array([tangent(u, row[4]) for u, row in zip(outward, NAMED.values(), strict=True)])
    angle = np.deg2rad([row[3] for row in NAMED.values()])[:, None]
    named_at = spots[:, 2:3] * outward + 0.03 * rng.standard_normal((len(NAMED), 3))
    named_to = np.cos(angle) * outward + np.sin(angle) * lean + 0.15 * rng.standard_normal((len(NAMED), 3))
    height = rng.uniform(LOWEST, 1.0, background)
    turn = rng.uniform(0, 2 * np.pi, background)
    flat = np.sqrt(1 - height**2)
    depth = np.cbrt(rng.uniform(SHELL[0] ** 3, SHELL[1] ** 3, background))[:, None]  # uniform in volume
    around_at = depth * np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)
    eyes = EYE_DEPTH * _unit(np.array(list(EYES.values())))
    return Sources(
        name=(*NAMED, *(f"background-{i + 1:03d}" for i in range(background)), *EYES),
        position=np.concatenate([named_at, around_at, eyes]),
        orientation=_unit(
            np.concatenate([named_to, rng.standard_normal((background, 3)), np.tile(EYE_DIRECTION, (len(EYES), 1))])
        ),
    )


def directions(inclination: npt.ArrayLike, azimuth: npt.ArrayLike) -> Vectors:
    """Unit vectors (N, 3) of angles in degrees, in the head frame (x right, y front, z up)."""
    down, turn = np.deg2rad(inclination), np.deg2rad(azimuth)
    return np.stack([np.sin(down) * np.cos(turn), np.sin(down) * np.sin(turn), np.cos(down)], axis=-1)


def tangent(outward: Vectors, side: str) -> Vectors:
    """Unit vector along the surface at a place (3,), to the ``back`` or ``up``."""
    wanted = np.array({"back": (0.0, -1.0, 0.0), "up": (0.0, 0.0, 1.0)}[side])
    return _unit(wanted - (wanted @ outward) * outward)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
