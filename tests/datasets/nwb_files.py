"""NWB files for tests, written by pynwb."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pynwb = pytest.importorskip("pynwb")

VOLTS = 2e-8
"""A step of the integers in the files made here."""


def blank(subject: str = "m1", **known: Any) -> Any:
    """A file with nothing in it but a subject."""
    about = {"session_description": "a test", "identifier": "x", "institution": "one", **known}
    nwb = pynwb.NWBFile(session_start_time=datetime(2020, 1, 2, tzinfo=UTC), **about)
    nwb.subject = pynwb.file.Subject(subject_id=subject, species="Mus musculus", sex="F", age="P90D")
    return nwb


def electrodes(nwb: Any, names: list[str], group: str = "probe", column: str = "label", **columns: list[Any]) -> Any:
    """Rows of the electrodes table for some more electrodes, and the region of them."""
    device = nwb.create_device(name=f"device of {group}") if f"device of {group}" not in nwb.devices else None
    made = nwb.create_electrode_group(
        name=group, description=group, location="CA1", device=device or nwb.devices[f"device of {group}"]
    )
    first = 0 if nwb.electrodes is None else len(nwb.electrodes)
    if not first:
        for name in [column, *columns]:
            nwb.add_electrode_column(name, name)
    for i, name in enumerate(names):
        nwb.add_electrode(group=made, location="CA1", **{column: name}, **{k: v[i] for k, v in columns.items()})
    return nwb.create_electrode_table_region(region=list(range(first, first + len(names))), description="some")


def voltages(region: Any, data: Any, name: str = "ElectricalSeries", **timing: Any) -> Any:
    timing = timing or {"rate": 100.0}
    return pynwb.ecephys.ElectricalSeries(name=name, data=data, electrodes=region, conversion=VOLTS, **timing)


def write(nwb: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path
