"""What the tokenizer is told of its sensors: type, place and direction; and signals brought to one scale by type.

Source: arXiv:2505.18185 and its code: EEG 0, magnetometers 1, gradiometers 2 (the paper's text counts otherwise, the
weights follow the code). A type is the coil's: axial gradiometers are gradiometers whatever else calls them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError

KINDS = ("EEG", "MAG", "GRAD")
"""Sensor types, by id."""

EPS = (1e-5, 1e-13, 1e-13)
"""Added to the standard deviation of each type; SI units, and large enough to matter: part of what was trained on."""

ABSOLUTE_M = 0.1 * 3**0.5
"""Unit of length of a sensor without company: a head of 10 cm has about the size that normalised positions have."""

Lonely = Literal["error", "absolute"]


def sensor_inputs(stream: SeriesStream) -> tuple[Tensor, Tensor]:
    """Places and types of the sensors of a stream, before positions are normalised.

    Returns
    -------
    pos : Tensor, shape (B, C, 6), float32
        (x, y, z) in metres as measured (EEG head frame, MEG device frame) and direction; zeros for EEG and padding.
    kind : Tensor, shape (B, C), int64
        0 EEG, 1 MAG, 2 GRAD; -1 in padding.

    Raises
    ------
    DataError
        If a sensor is of another type, or its place, or the direction of a coil, is unknown; naming it.
    """
    real = stream.channel_mask
    kind = torch.where(real, stream.sensor_type.clamp(max=2), -1)  # (B, C) planar and axial are both GRAD
    coil = (kind > 0)[..., None]
    pos = torch.cat([stream.positions, stream.orientations.masked_fill(~coil, 0)], dim=-1)  # (B, C, 6)
    if not pos.is_meta:
        _refuse(stream, real & (kind < 0), "is neither EEG nor a coil of known type", "leave it out")
        lost = real & ~torch.isfinite(pos).all(-1)
        _refuse(stream, lost, "has no position, or a coil without direction", "set positions, or drop it")
    return pos.float().masked_fill(~real[..., None], 0), kind


def normalise_positions(
    pos: Tensor,
    kind: Tensor,
    *,
    lonely: Lonely = "error",
    grad_positions: Literal["normalised", "metres"] = "normalised",
) -> Tensor:
    r"""Centre places and scale them so that $\mathrm{mean} \|x\|^2 = 1/3$: EEG by itself, all coils together.

    Translation and size of a head go, its rotation stays. Directions are left alone.

    Parameters
    ----------
    pos : Tensor, shape (B, C, 6)
    kind : Tensor, shape (B, C), int64
        -1 in padding.
    lonely, grad_positions : str
        See `BrainTokenizerConfig`.

    Raises
    ------
    DataError
        If a group has one sensor only, or all in one place, and `lonely` is "error".
    """
    xyz = pos[..., :3].double()
    out = xyz.clone()
    groups = (kind == 0, kind == 1 if grad_positions == "metres" else kind > 0)
    for label, group in zip(("EEG", "MEG"), groups, strict=True):
        inside = group[..., None]  # (B, C, 1)
        n = inside.sum(1, keepdim=True)  # (B, 1, 1)
        middle = (xyz * inside).sum(1, keepdim=True) / n.clamp(min=1)
        spread = ((xyz - middle).square() * inside).sum((1, 2), keepdim=True) / n.clamp(min=1)  # (B, 1, 1)
        flat = (n > 0) & ((n == 1) | (spread <= 0))
        if lonely == "error" and not pos.is_meta and bool(flat.any()):
            raise DataError(
                f"a sample has one {label} sensor only, or all in one place, so there is no scale for its position; give "
                f"at least 2 {label} sensors, drop it, or set lonely='absolute'"
            )
        scaled = torch.where(flat, xyz / ABSOLUTE_M, (xyz - middle) / (3 * spread).sqrt().masked_fill(flat, 1))
        out = torch.where(inside, scaled, out)
    return torch.cat([out.to(pos.dtype), pos[..., 3:]], dim=-1)


def normalise_signal(x: Tensor, kind: Tensor, *, time_mask: Tensor | None = None, lonely: Lonely = "error") -> Tensor:
    r"""Bring a segment to one scale, type by type: $(x - \bar{x}_t) / (\sigma + \epsilon)$.

    The mean is over the sensors of a type at each sample (an average reference, for coils too), the standard deviation
    over all its sensors and samples.

    Parameters
    ----------
    x : Tensor, shape (B, C, T)
        SI units: volts, tesla, tesla per metre.
    kind : Tensor, shape (B, C), int64
        -1 in padding.
    time_mask : Tensor, shape (B, T), bool, optional
    lonely : {"error", "absolute"}

    Returns
    -------
    Tensor, shape (B, C, T), float32
        0 in padding.

    Raises
    ------
    DataError
        If a type has one sensor only and `lonely` is "error".
    """
    real = kind[..., None] >= 0 if time_mask is None else (kind[..., None] >= 0) & time_mask[:, None]  # (B, C, 1 or T)
    x = x.double().masked_fill(~real, 0)
    out = torch.zeros_like(x)
    for number, (label, eps) in enumerate(zip(KINDS, EPS, strict=True)):
        inside = (kind == number)[..., None]  # (B, C, 1)
        n = inside.sum(1, keepdim=True)  # (B, 1, 1)
        if lonely == "error" and not x.is_meta and bool((n == 1).any()):
            raise DataError(
                f"a sample has one {label} sensor only, which an average reference over {label} would erase; give at "
                f"least 2 {label} sensors, drop it, or set lonely='absolute'"
            )
        middle = (x * inside).sum(1, keepdim=True) / n.clamp(min=1)  # (B, 1, T)
        y = (x - middle.masked_fill(n == 1, 0)) * (inside & real)  # (B, C, T)
        count = (inside & real).expand_as(x).sum((1, 2), keepdim=True).clamp(min=1)
        mean = y.sum((1, 2), keepdim=True) / count  # 0 but for a sensor without company
        var = (y - mean).square().masked_fill(~(inside & real), 0).sum((1, 2), keepdim=True) / count
        out = torch.where(inside & real, y / (var.sqrt() + eps), out)
    return out.float()


def _refuse(stream: SeriesStream, wrong: Tensor, what: str, remedy: str) -> None:
    """Raise, naming the first channels that are wrong (B, C)."""
    if not bool(wrong.any()):
        return
    places = wrong.nonzero().tolist()
    names = [stream.names[b][c] if stream.names is not None else f"channel {c} of sample {b}" for b, c in places]
    shown = ", ".join(dict.fromkeys(names[:12]))
    raise DataError(f"{len(places)} sensors cannot be used: each {what} ({shown}); {remedy}")
