"""Rules for modalities."""

from __future__ import annotations

from neurokit_fm.data.modality import LAYOUTS, Modality
from neurokit_fm.testing.checks.check import Case, Rule, expect


def value(case: Case) -> None:
    """The target is a `Modality` of the same name, with one of the four layouts."""
    found = case.target
    expect(isinstance(found, Modality), f"a {type(found).__name__}", "let the target be a `neurokit_fm.Modality`")
    expect(found.name == case.entry.name, f"a modality called {found.name!r}", f"call it {case.entry.name!r}")
    expect(found.layout in LAYOUTS, repr(found.layout), f"choose one of {', '.join(LAYOUTS)}")


def kinds(case: Case) -> None:
    """It names the channel kinds that carry it, in lower case, and ranges of standard deviations that ascend."""
    case.rests_on(value)
    found = case.target
    good = found.kinds and all(kind and kind == kind.lower() for kind in found.kinds)
    expect(good, f"kinds={found.kinds}", "name the `Channels.kind` of the sensors, ('eeg',) for example")
    wrong = [row for row in found.unit_range if not 0 < row[1] < row[2]]
    expect(not wrong, f"unit_range={wrong}", "give (sensor type, lowest, highest) in SI units, lowest below highest")


CASE = Case
CHECKS: tuple[Rule, ...] = (value, kinds)
