"""What the header of an EDF or BDF file promises, checked against the file before MNE reads it.

MNE reads a shortened file without an error, ignores the gaps of EDF+D and resamples slow channels in silence.
Source: the EDF, EDF+ and BDF specifications (edfplus.info, biosemi.com).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

_MAGIC = {b"0": "EDF", b"\xffBIOSEMI": "BDF"}
_SAMPLE_BYTES = {"EDF": 2, "BDF": 3}


@dataclass(frozen=True, kw_only=True)
class EdfHeader:
    """The part of the header that says how large the file must be.

    Attributes
    ----------
    family : str
        ``EDF`` or ``BDF``.
    header_bytes : int
    n_records : int
        -1 while a recording is running.
    record_s : float, seconds
    labels : tuple of str
    samples : tuple of int
        Samples of each signal in one record.
    discontinuous : bool
        EDF+D, BDF+D: records need not follow each other in time.
    """

    family: str
    header_bytes: int
    n_records: int
    record_s: float
    labels: tuple[str, ...]
    samples: tuple[int, ...]
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Size of one record."""
        return sum(self.samples) * _SAMPLE_BYTES[self.family]

    @property
    def is_annotation(self) -> tuple[bool, ...]:
        """Which signals hold annotations instead of samples."""
        return tuple(label in ("EDF Annotations", "BDF Annotations") for label in self.labels)


def read_header(path: Path, family: str) -> EdfHeader:
    """Read the header and check it against the size of the file.

    Raises
    ------
    DataError
        If the file is something else, or shorter than its header promises.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        found = _MAGIC.get(fixed[:8].strip(b" \0"))
        if found is None:
            raise DataError(
                f"{path} is not {family}: it should begin with {'0 and seven spaces' if family == 'EDF' else 'BIOSEMI'}, "
                f"but begins with {fixed[:24]!r}. Is its ending right?"
            )
        if found != family:
            raise DataError(f"{path} is a {found} file; rename it to end in .{found.lower()}")
        try:
            n = int(fixed[252:256])
            table = file.read(256 * n)
            if n < 1 or len(table) < 256 * n:
                raise ValueError(f"{n} signals")
            header = EdfHeader(
                family=family,
                header_bytes=int(fixed[184:192]),
                n_records=int(fixed[236:244]),
                record_s=float(fixed[244:252]),
                labels=tuple(table[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(n)),
                samples=tuple(int(table[216 * n + 8 * i : 216 * n + 8 * i + 8]) for i in range(n)),
                discontinuous=fixed[192:197] in (b"EDF+D", b"BDF+D"),
            )
        except ValueError as err:
            raise DataError(f"{path}: the {family} header is damaged ({err}). Export or copy the file again.") from err
    promised, size = header.header_bytes + max(header.n_records, 0) * header.record_bytes, path.stat().st_size
    if size < promised:
        held = max(0, size - header.header_bytes) // max(1, header.record_bytes)
        raise DataError(
            f"{path} is cut off: its header promises {header.n_records} records of {header.record_s:g} s "
            f"({promised:,} bytes), but it holds {held} ({size:,} bytes). Copy or export it again."
        )
    return header


def mixed_rates(header: EdfHeader) -> str | None:
    """Say which channels were recorded at a lower rate than the fastest; None where all rates are one."""
    real = [(lb, n) for lb, n, a in zip(header.labels, header.samples, header.is_annotation, strict=True) if not a]
    fastest = max((n for _, n in real), default=0)
    slow = [f"{label} ({n / header.record_s:g} Hz)" for label, n in real if n < fastest and header.record_s > 0]
    if not slow:
        return None
    return f"channels recorded at a lower rate were resampled to {fastest / header.record_s:g} Hz on reading: {', '.join(slow)}"


def record_onsets(path: Path, header: EdfHeader) -> npt.NDArray[np.float64]:
    """Start of every record in seconds, from the time-keeping annotations; empty where a record has none.

    Returns
    -------
    ndarray, shape (n_records,) or (0,), float64
    """
    if not any(header.is_annotation):
        return np.empty(0)
    width = _SAMPLE_BYTES[header.family]
    first = header.is_annotation.index(True)
    offset, length = sum(header.samples[:first]) * width, header.samples[first] * width
    onsets = []
    with path.open("rb") as file:
        for record in range(max(header.n_records, 0)):
            file.seek(header.header_bytes + record * header.record_bytes + offset)
            try:
                onsets.append(float(file.read(length).split(b"\x14", 1)[0]))
            except ValueError:
                return np.empty(0)
    return np.array(onsets)
