"""The neurons of the hermaphrodite: canonical order, spelling, class, type, transmitter and place.

`data/neurons.csv` is the master sheet of worm-graph (MIT) with ganglia and lineage of wormneuroatlas and cect.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels
from neurokit_fm.errors import UnknownName, did_you_mean

DATA = Path(__file__).with_name("data")

FRAME = "worm-atlas"
"""Frame of soma positions: x and z across the body, y along it from the nose (0) to the tail."""

UNIT_M = 1e-6
"""The sheet's unit of length, about a micrometre; its exact value is not documented."""

ALIASES = {"AWCOFF": "AWCL", "AWCOF": "AWCL", "AWCON": "AWCR"}
"""A convention: which side of AWC is the ON cell differs from animal to animal."""

COLUMNS = ("neuron_class", "type", "neurotransmitter", "ganglion", "category", "cook_sim", "side")
"""Columns of the table that a recording's channels carry."""


@cache
def neuron_table() -> tuple[Mapping[str, str], ...]:
    """All 302 rows of the table, the 300 canonical neurons and CANL and CANR, sorted by name; cells are text.

    Examples
    --------
    >>> [row["neurotransmitter"] for row in neuron_table() if row["label"] == "AVAL"]
    ['acetylcholine']
    """
    with (DATA / "neurons.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@cache
def canonical_neurons() -> tuple[str, ...]:
    """The 300 canonical names in slot order, which is plain ASCII order.

    CANL and CANR are left out: Cook et al. (2019) take them for end organs.

    Examples
    --------
    >>> canonical_neurons()[18:23]
    ('AIYL', 'AIYR', 'AIZL', 'AIZR', 'ALA')
    """
    return tuple(row["label"] for row in neuron_table() if row["slot"])


@cache
def _slots() -> Mapping[str, int]:
    return {name: slot for slot, name in enumerate(canonical_neurons())}


def normal_name(label: str) -> str:
    """Spell a neuron's name the canonical way; what is no neuron is only stripped and upper-cased.

    Blanks go, letters become capitals, zero padding goes (``VA01`` is VA1, ``VA10`` stays), and AWC's ON and OFF cells
    become right and left.

    Examples
    --------
    >>> normal_name(" vb01 "), normal_name("VA10"), normal_name("AWCon")
    ('VB1', 'VA10', 'AWCR')
    """
    given = str(label).strip().upper()
    name = re.sub(r"^([A-Z]+)0+(?=[1-9])", r"\1", given)
    name = ALIASES.get(name, name)
    return name if name in _slots() else given


def slot_of(label: str) -> int:
    """Slot 0 to 299 of a neuron, whatever way it is spelt, or -1 if it is none.

    Examples
    --------
    >>> slot_of("ADAL"), slot_of("VB01") == slot_of("VB1"), slot_of("CANL"), slot_of("17")
    (0, True, -1, -1)
    """
    return _slots().get(normal_name(label), -1)


def neuron_slots(labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Slots of names that must all be neurons.

    Raises
    ------
    UnknownName
        Naming every one that is none of the 300.
    """
    slots = np.array([slot_of(label) for label in labels], dtype=np.int64)
    unknown = [label for label, slot in zip(labels, slots, strict=True) if slot < 0]
    if unknown:
        hint = did_you_mean(unknown[0], canonical_neurons())
        raise UnknownName(
            f"no neuron of C. elegans is called {', '.join(map(repr, unknown))}.{hint} "
            "Known: the 300 names of `nkfm_celegans.neurons.canonical_neurons()`"
        )
    return slots


def classes() -> tuple[str, ...]:
    """The neuron classes, sorted: 117 among the 300, and CAN."""
    return tuple(sorted({row["neuron_class"] for row in neuron_table()}))


def neuron_channels(names: Sequence[str], *, unit: str = "au") -> Channels:
    """Table of named traces or nodes: what is known of each neuron, nothing for the others.

    Parameters
    ----------
    names : sequence of str
        Canonical names, CANL and CANR; any other name is kept without a place, as a cell of unknown identity.
    unit : str

    Returns
    -------
    Channels
        Kind ``"neuron"``, soma positions in metres in the frame `FRAME`; columns ``slot`` (-1 for what has none) and
        those of `COLUMNS`.
    """
    known = {row["label"]: row for row in neuron_table()}
    rows = [known.get(name, {}) for name in names]
    places = np.array(
        [[float(row[axis]) * UNIT_M if row.get(axis) else np.nan for axis in "xyz"] for row in rows], dtype=np.float64
    ).reshape(-1, 3)
    columns = {label: np.array([row.get(label, "") for row in rows], dtype=str) for label in COLUMNS}
    slot = np.array([int(row["slot"]) if row.get("slot") else -1 for row in rows], dtype=np.int64)
    return Channels.of(
        names,
        kind="neuron",
        unit=unit,
        position=places,
        frame=FRAME if np.isfinite(places).any() else "unknown",
        columns={"slot": slot, **columns},
    )
