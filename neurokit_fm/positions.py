"""Where sensors sit, in the frame a model wants: from the recording, from plugins by name, or by a rigid fit."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels, Positions
from neurokit_fm.errors import UnknownName
from neurokit_fm.plugins import plugins

FIT_NAMES = 4
"""Fewest sensors known in both frames from which a rigid fit is made."""

ANCHORS = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "P7",
    "P3",
    "Pz",
    "P4",
    "P8",
    "O1",
    "O2",
)
"""Electrodes by which two frames of one cap are compared."""

FIT_RMS_M = 0.02
"""Largest residual of a rigid fit, metres (root mean square)."""


def known_positions(names: tuple[str, ...], modality: str, frame: str) -> Positions:
    """Ask the plugins where sensors sit: all at once, then name by name.

    Returns
    -------
    ndarray, shape (C, 3), float64, metres
        NaN for names that no plugin knows in that frame.
    """

    def ask(wanted: tuple[str, ...]) -> Positions | None:
        return cast("Positions | None", plugins().ask("find_positions", names=wanted, modality=modality, frame=frame))

    found = ask(names)
    if found is not None:
        return np.asarray(found, dtype=np.float64)
    rows = [ask((name,)) for name in names]
    return np.array([np.full(3, np.nan) if row is None else np.asarray(row)[0] for row in rows]).reshape(-1, 3)


def place(
    channels: Channels, modality: str, frame: str, dev_head_t: npt.ArrayLike | None = None
) -> tuple[Channels, list[str]]:
    """Return the channels with every position in `frame`, and what was done in words.

    Positions already in `frame` are kept, and those of coils in the device frame are carried to the head frame by
    `dev_head_t` (4, 4). Otherwise the name decides; sensors whose name is unknown there are carried
    over by the rigid motion (rotation and shift, Kabsch) that best maps the sensors known in both frames. In the frame
    ``"native"`` every sensor stays where it was measured; electrodes without a place get one in the head frame.

    Raises
    ------
    UnknownName
        Listing every channel that has no position in `frame` and cannot be given one.
    """
    steps: list[str] = []
    if channels.frame == "device" and frame == "head" and dev_head_t is not None:
        channels = _to_head(channels, dev_head_t)
        steps.append(f"{len(channels)} positions moved from the device to the head frame by the recording's dev_head_t")
    asked, modality = frame, modality.partition("+")[0]
    frame = frame if frame != "native" else "head" if channels.frame == "unknown" else channels.frame
    position = channels.position.copy() if channels.frame == frame else np.full((len(channels), 3), np.nan)
    lacking = _unknown(position)
    if lacking.any():
        names = tuple(n for n, miss in zip(channels.name, lacking, strict=True) if miss)
        position[lacking] = known_positions(names, modality, frame)
        by_name = int(lacking.sum() - _unknown(position[lacking]).sum())
        if by_name:
            steps.append(f"{by_name} of {len(channels)} positions in the {frame} frame taken by electrode name")
    lacking = _unknown(position)
    movable = lacking & channels.has_position & (channels.frame not in (frame, "unknown"))
    if movable.any():
        shared = ~lacking & channels.has_position
        moved = _rigid_fit(channels.position[shared], position[shared], channels.position[movable])
        if moved is not None:
            position[movable] = moved
            steps.append(
                f"{int(movable.sum())} positions ({', '.join(np.array(channels.name)[movable][:6])}) moved from the "
                f"{channels.frame} to the {frame} frame by a rigid fit on {int(shared.sum())} shared electrodes"
            )
    lacking = _unknown(position)
    if lacking.any():
        missing = [n for n, miss in zip(channels.name, lacking, strict=True) if miss]
        raise UnknownName(
            f"{len(missing)} of {len(channels)} channels have no position in the {frame} frame: "
            f"{', '.join(missing[:20])}{' ...' if len(missing) > 20 else ''}; "
            "set positions, rename them to 10-05 names, mark them bad or drop them (`nkfm embed --drop`)"
            f"{plugins().hint().rstrip('.')}"
        )
    return replace(channels, position=position, frame=asked), steps


def _to_head(channels: Channels, dev_head_t: npt.ArrayLike) -> Channels:
    """Carry places and directions of coils into the head frame."""
    motion = np.asarray(dev_head_t, dtype=np.float64)
    turn, shift = motion[:3, :3], motion[:3, 3]
    position, orientation = channels.position @ turn.T + shift, channels.orientation @ turn.T
    return replace(channels, position=position, orientation=orientation, frame="head")


def move(points: Positions, modality: str, source: str, target: str) -> Positions:
    """Carry unnamed places (C, 3) from one frame to another, by the cap that the plugins know in both.

    Raises
    ------
    UnknownName
        If no plugin knows the 10-20 electrodes in both frames.
    """
    anchors = [known_positions(ANCHORS, modality, frame) for frame in (source, target)]
    both = np.isfinite(anchors[0]).all(axis=1) & np.isfinite(anchors[1]).all(axis=1)
    moved = _rigid_fit(anchors[0][both], anchors[1][both], points)
    if moved is None:
        raise UnknownName(
            f"no plugin knows how the {source} frame lies in the {target} frame; give positions in {target!r}"
        )
    return moved


def _unknown(position: Positions) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isnan(position).any(axis=1), dtype=np.bool_)


def _rigid_fit(source: Positions, target: Positions, points: Positions) -> Positions | None:
    """Map `points` by the rotation and shift that best takes `source` to `target` (Kabsch 1976)."""
    if len(source) < FIT_NAMES:
        return None
    a, b = source - source.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ flip @ vt  # row vectors: x @ rotation
    if np.sqrt(((a @ rotation - b) ** 2).sum(1).mean()) > FIT_RMS_M:
        return None
    return np.asarray((points - source.mean(0)) @ rotation + target.mean(0))
