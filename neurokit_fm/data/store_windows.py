"""Windows in one HDF5 file, one after the other, read in any order at the speed of memory.

Fresh memory can cost several times the read itself (the system hands it out page by page), so batches are filled into
a few buffers that are used again and again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.buffers import BufferRing, Values
from neurokit_fm.data.channels import Channels
from neurokit_fm.data.recording import Info
from neurokit_fm.data.store_file import FileMap, blocks_along, opened, write_array, writing
from neurokit_fm.data.store_int16 import Scale, choose_scale, encode
from neurokit_fm.data.store_tables import (
    info_attributes,
    read_channels,
    read_columns,
    read_info,
    write_channels,
    write_columns,
)
from neurokit_fm.errors import DataError, StoreError


def save_windows(
    path: str | os.PathLike[str],
    blocks: Iterable[npt.NDArray[Any]],
    *,
    sfreq: float,
    channels: Channels,
    modality: str = "eeg",
    dtype: str = "float32",
    scale: npt.ArrayLike | None = None,
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
    info: Info | None = None,
) -> int:
    """Store windows one after the other, so that each is one stretch of the file; return how many.

    The windows go through an unnamed file in the same folder first (until they end, neither their number nor their
    range is known), which takes the size of the float32 windows for the time of writing.

    Parameters
    ----------
    path : path-like
    blocks : iterable of ndarray, shape (C, T)
        Physical values, taken one by one.
    sfreq : float, Hz
    channels : Channels
        C rows.
    modality : str
    dtype : {"float32", "int16"}
        ``"int16"`` halves the file; values come back within half a step of each channel (see `save_recording`) and
        float32 rounding.
    scale : array, shape () or (C,), optional
        The step in the channel's unit, where all values are whole multiples of it: stored as int16 without loss.
    columns : mapping of str to ndarray, shape (W, ...), optional
        What is known of each window: label, recording, start.
    info : Info, optional

    Raises
    ------
    DataError
        If windows differ in shape, or a column has another length.
    StoreError
        If the disk is full, or values do not fit int16; nothing is left behind.
    """
    if dtype not in ("float32", "int16"):
        raise StoreError(f"windows are stored as float32 or int16; got {dtype!r}")
    path, dtype = Path(path), dtype if scale is None else "int16"
    attributes: dict[str, str | int | float] = {
        "modality": modality,
        "sfreq": float(sfreq),
        **info_attributes(info or Info()),
    }
    with (
        writing(path, "windows", needed=None, attributes=attributes) as file,
        tempfile.TemporaryFile(dir=path.parent) as spool,
    ):
        shape, lowest, highest = _spool(spool, blocks, len(channels))
        wrong = {label: len(values) for label, values in (columns or {}).items() if len(values) != shape[0]}
        if wrong:
            raise DataError(f"{shape[0]} windows, but columns of other lengths: {wrong}")
        write_channels(file, channels)
        write_columns(file, columns or {})
        offset = np.zeros(len(channels))
        if dtype == "int16":
            step, offset = choose_scale(lowest, highest)
            if scale is not None:
                step, offset = np.broadcast_to(np.asarray(scale, dtype=np.float64), step.shape), np.zeros_like(step)
            write_array(file, "scale", step)
            write_array(file, "offset", offset)
        dataset = file.create_dataset("windows", shape=shape, dtype=dtype)
        spool.seek(0)
        for (block,) in blocks_along(shape, 4, axis=0):
            size = (block.stop - block.start, *shape[1:])
            values = np.frombuffer(spool.read(4 * int(np.prod(size))), np.float32).reshape(size)  # (some W, C, T)
            if dtype == "int16":
                dataset[block] = encode(values, step, offset, channels.name, exact=scale is not None)
            else:
                dataset[block] = values
    return shape[0]


class WindowStore:
    """An open file of windows.

    Parameters
    ----------
    path : path-like
    verify : bool
        Compare all content with its hashes first, which reads the whole file.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        (W, C, T).
    sfreq : float, Hz
    modality : str
    channels : Channels
    columns : dict of str to ndarray, shape (W, ...)
    info : Info
    sha256 : str
        Hash of the content, made when the file was written.

    Raises
    ------
    FileNotFoundError, StoreError
        As `open_recording`.
    """

    def __init__(self, path: str | os.PathLike[str], *, verify: bool = False):
        self.path = Path(path)
        with opened(path, "windows", verify=verify) as file:
            self.sfreq, self.modality = float(file.attrs["sfreq"]), str(file.attrs["modality"])
            self.channels, self.columns, self.info = read_channels(file), read_columns(file), read_info(file)
            self.sha256 = str(file.attrs["sha256"])
            dataset = file["windows"]
            # a plain view: numpy.memmap slices slowly
            self._map: npt.NDArray[Any] | None = np.asarray(FileMap(file).array(dataset))
            self._place = (dataset.id.get_offset() or 0, dataset.dtype, dataset.shape)
            self._stamp = _stamp(self.path)
            self._scale = file["scale"][()].astype(np.float32)[:, None] if "scale" in file else None
            offset = (
                file["offset"][()].astype(np.float32)[:, None] if "offset" in file else np.zeros((1, 1), np.float32)
            )
        self._offset = offset if offset.any() else None
        self.shape: tuple[int, int, int] = self._place[2]
        self._idle: dict[tuple[int, int], list[BufferRing]] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> tuple[type[WindowStore], tuple[Path]]:
        return WindowStore, (self.path,)  # a worker maps the file itself

    @property
    def _data(self) -> npt.NDArray[Any]:
        if self._map is None:
            offset, dtype, shape = self._place
            if _stamp(self.path) != self._stamp:
                raise StoreError(f"{self.path} was replaced while it was in use; open it again")
            if 0 in shape:
                self._map = np.zeros(shape, dtype)
            else:
                self._map = np.asarray(np.memmap(self.path, dtype, "r", offset=offset, shape=shape))
        return self._map

    def unmap(self) -> None:
        """Give the map of the file back; the next read makes it again, cheaply.

        For those who hold more stores than a process may have open files.
        """
        self._map = None

    def fill(self, index: int, out: npt.NDArray[np.float32]) -> None:
        """Read the start of one window into a part of a larger array.

        Parameters
        ----------
        index : int
        out : ndarray, shape (C, at most T), float32
            Need not be contiguous.
        """
        np.copyto(out, self._data[index, :, : out.shape[1]])
        if self._scale is not None:
            out *= self._scale
            if self._offset is not None:
                out += self._offset

    def read(self, indices: npt.ArrayLike, out: Values | None = None) -> Values:
        """Read windows in any order.

        Parameters
        ----------
        indices : array, shape (B,), int
        out : ndarray, shape (at least B, C, T), float32, C-contiguous, optional
            Where to put them. Default: new memory.

        Returns
        -------
        ndarray, shape (B, C, T), float32, physical units
            The first B of `out`.

        Raises
        ------
        IndexError
            If there is no such window.
        DataError
            If `out` does not fit.
        """
        rows = np.asarray(indices, dtype=np.int64)
        if rows.ndim != 1 or (rows.size and not (rows.min() >= 0 and rows.max() < len(self))):
            raise IndexError(
                f"{self.path.name} has windows 0 to {len(self) - 1}; asked for {np.array2string(rows, threshold=8)}"
            )
        if out is None:
            out = np.empty((len(rows), *self.shape[1:]), np.float32)
        if (
            out.dtype != np.float32
            or not out.flags.c_contiguous
            or out.shape[1:] != self.shape[1:]
            or len(out) < len(rows)
        ):
            wanted = (len(rows), *self.shape[1:])
            raise DataError(f"out must be C-contiguous float32 of at least {wanted}; got {out.dtype} {out.shape}")
        batch = out[: len(rows)]
        if self._scale is None:
            np.take(self._data, rows, axis=0, out=batch, mode="clip")  # "raise" would copy through a buffer
            return batch
        for values, row in zip(batch, rows, strict=True):  # window by window stays in the cache
            self.fill(int(row), values)
        return batch

    def batches(
        self,
        batch_size: int,
        *,
        order: npt.ArrayLike | None = None,
        rng: np.random.Generator | None = None,
        copy: bool = False,
        ring: int | BufferRing = 2,
    ) -> Iterator[tuple[npt.NDArray[np.int64], Values]]:
        """Go once through windows, in batches.

        **A batch is valid until `ring` batches later**, counted on through the next call: its memory is then filled
        anew. Use it, copy it to a device, or ask for `copy`; ``list(store.batches(64))`` without `copy` holds the last
        batches several times over.

        Parameters
        ----------
        batch_size : int
        order : array, shape (W,), int, optional
            Which windows, in which order; default all, as stored.
        rng : numpy.random.Generator, optional
            Shuffles `order`.
        copy : bool
            Give every batch memory of its own, at a cost that depends on the allocator: see ``benchmarks/store.py``.
        ring : int or BufferRing
            How many buffers, or the buffers to fill, each of at least `batch_size` windows.

        Yields
        ------
        indices : ndarray, shape (B,), int64
        values : ndarray, shape (B, C, T), float32, physical units
            The last batch may be smaller.

        Raises
        ------
        IndexError
            If `order` names a window that is not there.
        DataError
            If `batch_size` or `ring` is below 1, or the buffers do not fit.
        """
        if batch_size < 1 or (isinstance(ring, int) and ring < 1):
            raise DataError(f"batch_size and ring must be at least 1; got {batch_size} and {ring}")
        rows = np.arange(len(self)) if order is None else np.asarray(order, dtype=np.int64)
        rows = rows if rng is None else rng.permutation(rows)
        chunks = [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
        if copy:
            return ((chunk, self.read(chunk)) for chunk in chunks)
        return self._fill(chunks, batch_size, ring)

    def _fill(
        self, chunks: list[npt.NDArray[np.int64]], batch_size: int, ring: int | BufferRing
    ) -> Iterator[tuple[npt.NDArray[np.int64], Values]]:
        if isinstance(ring, BufferRing):
            yield from ((chunk, self.read(chunk, ring.next())) for chunk in chunks)
            return
        idle = self._idle.setdefault((batch_size, ring), [])
        shape = (batch_size, *self.shape[1:])
        mine = idle.pop() if idle else BufferRing([np.empty(shape, np.float32) for _ in range(ring)])
        try:  # two loops at once have a ring each
            yield from ((chunk, self.read(chunk, mine.next())) for chunk in chunks)
        finally:
            idle.append(mine)


def _stamp(path: Path) -> tuple[int, int, int]:
    """Tell one file at a place from another that was put there later."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _spool(
    spool: IO[bytes], blocks: Iterable[npt.NDArray[Any]], n_channels: int
) -> tuple[tuple[int, int, int], Scale, Scale]:
    """Write windows as float32; their joint shape, and the smallest and largest value of each channel."""
    lowest, highest = np.full(n_channels, np.inf), np.full(n_channels, -np.inf)
    count, shape = 0, (n_channels, 0)
    for block in blocks:
        values = np.ascontiguousarray(block, dtype=np.float32)
        if values.ndim != 2 or len(values) != n_channels or (count and values.shape != shape):
            wanted = shape if count else (n_channels, "T")
            raise DataError(f"window {count} has shape {values.shape}; all must be {wanted}")
        shape, count = (n_channels, values.shape[1]), count + 1
        if values.size:
            lowest, highest = np.minimum(lowest, values.min(axis=1)), np.maximum(highest, values.max(axis=1))
        spool.write(values.data)
    if not count or not shape[1]:
        lowest, highest = np.zeros(n_channels), np.zeros(n_channels)
    return (count, *shape), lowest, highest
