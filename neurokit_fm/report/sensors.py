"""Where the sensors sit, seen from above."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from neurokit_fm.data.channels import Channels, Positions
from neurokit_fm.report.canvas import COLOURS, FAINT, INK, SOFT, canvas, styled

HEAD_FRAMES = ("head", "template", "mri", "mni")
"""Frames whose x points right, y to the nose and z up."""

NAMED = 80
"""Most sensors whose names are written into the map."""


def project(position: Positions, frame: str = "head") -> npt.NDArray[np.float64]:
    """Azimuthal equidistant projection from above: distance from the middle is the angle from the vertex.

    Parameters
    ----------
    position : ndarray, shape (C, 3), metres
        x right, y to the nose, z up; NaN rows stay NaN.
    frame : str

    Returns
    -------
    ndarray, shape (C, 2)
        x right, y to the nose; 1 = 90 degrees from the vertex, the rim of the head.

    Notes
    -----
    Angles are seen from `head_centre`.
    """
    known = np.isfinite(position).all(axis=1)
    outward = position - head_centre(position[known], frame)
    radius = np.linalg.norm(outward, axis=1)
    angle = np.arccos(np.clip(outward[:, 2] / np.where(radius > 0, radius, 1), -1, 1))
    flat = np.linalg.norm(outward[:, :2], axis=1)
    return np.asarray(outward[:, :2] / np.where(flat > 0, flat, 1)[:, None] * (angle / (np.pi / 2))[:, None])


def head_centre(position: Positions, frame: str) -> npt.NDArray[np.float64]:
    """Return the middle of the sphere that fits sensors best, shape (3,), metres.

    Where they do not determine one (fewer than ten, or a fit that is no head: a radius outside 5 to 20 cm) it is a point
    4 cm above the origin of the head frame, which lies at ear height, and the origin of any other frame.
    """
    usual = np.array([0.0, 0.0, 0.04 if frame == "head" else 0.0])
    if len(position) < 10:
        return usual
    # |p|^2 = 2 p.c + (r^2 - |c|^2), linear in the middle c
    design = np.column_stack([2 * position, np.ones(len(position))])
    found, _, rank, _ = np.linalg.lstsq(design, (position**2).sum(axis=1), rcond=None)
    radius = np.sqrt(max(0.0, found[3] + found[:3] @ found[:3]))
    return found[:3] if rank == 4 and 0.05 < radius < 0.20 else usual


@styled
def sensor_map(
    channels: Channels, values: npt.NDArray[np.float64] | None = None, *, label: str = "", scale: float = 1.0
) -> Figure:
    """Draw sensors from above, nose up, by name.

    Parameters
    ----------
    channels : Channels
        Those without a position are counted below the map; bad ones are crossed out.
    values : ndarray, shape (C,), optional
        A number for each, shown as colour.
    label : str
        What the values are, with unit.
    scale : float
        Factor from the values' unit to that of the label.
    """
    figure, axes = canvas(6.4 if values is not None else 5.4, 5.4)
    known = channels.has_position
    axes.set_aspect("equal")
    axes.set_axis_off()
    if not known.any():
        axes.text(0.5, 0.5, "no sensor has a position", ha="center", transform=axes.transAxes)
        return figure
    xy = project(channels.position, channels.frame)
    upright = channels.frame in HEAD_FRAMES
    _outline(axes, upright)
    size = np.clip(1900 / max(1, known.sum()), 14, 62)
    if values is None:
        axes.scatter(*xy[known].T, s=size, color=COLOURS[0], zorder=3)
    else:
        shown = np.asarray(values)[known] * scale
        dots = axes.scatter(*xy[known].T, s=2.2 * size, c=shown, cmap="viridis", edgecolor=INK, linewidth=0.5, zorder=3)
        figure.colorbar(dots, ax=axes, label=label, shrink=0.6)
    crossed = known & channels.bad
    if crossed.any():
        axes.scatter(*xy[crossed].T, s=2 * size, marker="x", color=COLOURS[1], zorder=4)
    if known.sum() <= NAMED:
        for row in np.flatnonzero(known):
            axes.annotate(channels.name[row], xy[row], (0, 7), textcoords="offset points", ha="center", fontsize=8)
    limit = max(1.22, float(np.abs(xy[known]).max()) + 0.12)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    missing = int((~known).sum())
    words = [f"{channels.frame} frame", *([f"{missing} without position"] if missing else [])]
    words += [f"{int(crossed.sum())} bad (crossed)"] if crossed.any() else []
    axes.text(0.5, -0.01, " · ".join(words), ha="center", va="top", color=SOFT, fontsize=9, transform=axes.transAxes)
    return figure


def _outline(axes: object, upright: bool) -> None:
    """Rim of the head; nose, ears and sides only where the frame says which way is up."""
    turn = np.linspace(0, 2 * np.pi, 181)
    lines = [(np.cos(turn), np.sin(turn))]
    if upright:
        lines.append((np.array([-0.13, 0.0, 0.13]), np.array([0.99, 1.16, 0.99])))
        ear = np.deg2rad(np.linspace(-75, 75, 41))
        lines += [(side * (0.985 + 0.09 * np.cos(ear)), 0.17 * np.sin(ear)) for side in (-1, 1)]
        for side, name in ((-1.17, "L"), (1.17, "R")):
            axes.text(side, 0, name, ha="center", va="center", color=SOFT, fontsize=10)  # type: ignore[attr-defined]
    for x, y in lines:
        axes.plot(x, y, color=FAINT, linewidth=2, zorder=1)  # type: ignore[attr-defined]
