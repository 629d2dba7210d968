"""SeriesStream: a batch of time series with everything known about their sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.batch.moving import moved
from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesStream:
    """Sampled signals at one rate, padded to the largest number of channels and samples.

    Attributes
    ----------
    values : Tensor, shape (B, C, T), float32, units of the model's contract
        Padding may hold anything; no model may depend on it.
    sfreq : float, Hz
    channel_mask : Tensor, shape (B, C), bool
        True where the channel is real.
    time_mask : Tensor, shape (B, T), bool
        True where the sample is real.
    positions : Tensor, shape (B, C, 3), float32, metres
        NaN where unknown; padding 0.
    orientations : Tensor, shape (B, C, 3), float32
        NaN where unknown or not applicable; padding 0.
    sensor_type : Tensor, shape (B, C), int64
        Index into `neurokit_fm.data.channels.SENSOR_TYPES`, -1 for any other type and for padding.
    start : Tensor, shape (B,), float64, seconds
        Time of the first sample on the recording's clock.
    names : tuple of tuple of str, or None
        Channel names of each sample, without padding.
    frame : str
        Coordinate frame of `positions`.
    """

    values: Tensor
    sfreq: float
    channel_mask: Tensor
    time_mask: Tensor
    positions: Tensor
    orientations: Tensor
    sensor_type: Tensor
    start: Tensor
    names: tuple[tuple[str, ...], ...] | None = None
    frame: str = "unknown"

    def __post_init__(self) -> None:
        if self.values.ndim != 3:
            raise DataError(f"a series stream is (batch, channels, samples); got shape {tuple(self.values.shape)}")
        b, c, t = self.values.shape
        wanted = {
            "channel_mask": (b, c),
            "time_mask": (b, t),
            "positions": (b, c, 3),
            "orientations": (b, c, 3),
            "sensor_type": (b, c),
            "start": (b,),
        }
        wrong = {k: tuple(getattr(self, k).shape) for k, s in wanted.items() if tuple(getattr(self, k).shape) != s}
        if wrong:
            raise DataError(
                f"series stream of shape {(b, c, t)}: " + ", ".join(f"{k} has {s}" for k, s in wrong.items())
            )

    @classmethod
    def from_arrays(
        cls,
        values: Any,
        *,
        sfreq: float,
        positions: Any = None,
        orientations: Any = None,
        sensor_type: Any = None,
        names: Sequence[str] | Sequence[Sequence[str]] | None = None,
        channel_mask: Any = None,
        time_mask: Any = None,
        frame: str = "unknown",
    ) -> SeriesStream:
        """Build a stream from arrays or tensors already in the model's units.

        Parameters
        ----------
        values : array, shape (B, C, T)
        sfreq : float, Hz
        positions, orientations : array, shape (B, C, 3) or (C, 3), optional
            Metres in `frame`; unknown when left out.
        sensor_type : array of int, shape (B, C) or (C,), optional
            Default 0, EEG.
        names : sequence of str (C names for all), or of sequences (B of them), optional
        channel_mask, time_mask : array of bool, shape (B, C) / (B, T), optional
            Default: all real.
        """
        x = torch.as_tensor(values)
        x = x if x.is_floating_point() else x.float()
        if x.ndim != 3:
            raise DataError(f"a series stream is (batch, channels, samples); got shape {tuple(x.shape)}")
        b, c, t = x.shape

        def spread(value: Any, fill: float | bool, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
            if value is None:
                return torch.full(shape, fill, dtype=dtype, device=x.device)
            given = torch.as_tensor(value, dtype=dtype, device=x.device)
            if given.shape not in (shape, shape[1:]):
                raise DataError(
                    f"for values of shape {(b, c, t)} expected {shape} or {shape[1:]}; got {tuple(given.shape)}"
                )
            return given.expand(shape)

        each: tuple[tuple[str, ...], ...] | None = None
        if names is not None:
            one = tuple(names)
            each = (tuple(map(str, one)),) * b if all(isinstance(n, str) for n in one) else tuple(map(tuple, one))
        return cls(
            values=x,
            sfreq=float(sfreq),
            channel_mask=spread(channel_mask, True, (b, c), torch.bool),
            time_mask=spread(time_mask, True, (b, t), torch.bool),
            positions=spread(positions, float("nan"), (b, c, 3), torch.float32),
            orientations=spread(orientations, float("nan"), (b, c, 3), torch.float32),
            sensor_type=spread(sensor_type, 0, (b, c), torch.int64),
            start=torch.zeros(b, dtype=torch.float64, device=x.device),
            names=each,
            frame=frame,
        )

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> SeriesStream:
        """Move every tensor to `device`; cast `values` alone to `dtype`."""
        return moved(self, device, dtype, "values")
