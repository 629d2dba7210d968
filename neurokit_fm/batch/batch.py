"""Batch: named streams that belong together, and what is to be predicted from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from neurokit_fm.batch.graph import GraphStream
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.errors import DataError, UnknownName

Stream = SeriesStream | PointStream | VolumeStream | GraphStream
StreamT = TypeVar("StreamT", SeriesStream, PointStream, VolumeStream, GraphStream)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What a model takes.

    Attributes
    ----------
    streams : mapping of str to Stream
        All with the same number of samples B.
    target : Tensor, shape (B, ...), or None
    """

    streams: Mapping[str, Stream]
    target: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = {name: len(stream) for name, stream in self.streams.items()}
        if len(set(sizes.values())) > 1:
            raise DataError(f"streams of one batch must have the same number of samples; found {sizes}")

    def __len__(self) -> int:
        return next((len(stream) for stream in self.streams.values()), 0)

    def __getitem__(self, name: str) -> Stream:
        if name not in self.streams:
            raise UnknownName(f"this batch has no stream {name!r}; it holds {', '.join(self.streams) or 'nothing'}")
        return self.streams[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.streams)

    def the(self, kind: type[StreamT]) -> StreamT:
        """Return the only stream of a type.

        Raises
        ------
        DataError
            If there is none or more than one, naming what there is.
        """
        found = [stream for stream in self.streams.values() if isinstance(stream, kind)]
        if len(found) != 1:
            have = ", ".join(f"{n}: {type(s).__name__}" for n, s in self.streams.items()) or "nothing"
            raise DataError(f"expected exactly one {kind.__name__} in the batch; it holds {have}")
        return found[0]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Batch:
        """Move to a device; cast signal values to `dtype`."""
        target = None if self.target is None else self.target.to(device)
        return replace(self, streams={n: s.to(device, dtype) for n, s in self.streams.items()}, target=target)
