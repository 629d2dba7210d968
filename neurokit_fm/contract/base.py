"""What every contract can do, and how one is written to JSON and read back."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from neurokit_fm.config import read_config, write_config
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import ConfigError, ContractError

KINDS = {
    "points": ("neurokit_fm.contract.points", "PointsContract"),
    "series": ("neurokit_fm.contract.series", "SeriesContract"),
    "volume": ("neurokit_fm.contract.volume", "VolumeContract"),
}
"""Where the contract of each layout is defined."""


@dataclass(frozen=True)
class Problem:
    """One reason why a recording does not fit a contract.

    Attributes
    ----------
    what : str
        What was expected and what was found, with the channel and the unit.
    remedy : str
        What the user can do.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


class Contract(ABC):
    """The input a model was trained on."""

    layout: ClassVar[str]

    @abstractmethod
    def check(self, recording: Recording) -> list[Problem]:
        """Return every reason why the recording cannot be used; empty = it fits after `apply`."""

    @abstractmethod
    def apply(self, recording: Recording) -> Recording:
        """Return the recording in model units; the steps done are added to its `info.steps`."""

    @abstractmethod
    def plan(self, recording: Recording) -> list[str]:
        """Say what `apply` will do to a recording that fits, in order, in words."""

    def explain(self, recording: Recording) -> str:
        """Say what `apply` will do to this recording, in order, one step a line; or what stands in the way."""
        try:
            self.require(recording)
        except ContractError as err:
            return str(err)
        return "\n".join([f"{recording.title}:", *(f"  {i}. {step}" for i, step in enumerate(self.plan(recording), 1))])

    def require(self, recording: Recording) -> None:
        """Raise every problem of `check` at once.

        Raises
        ------
        ContractError
        """
        problems = self.check(recording)
        if problems:
            lines = "\n".join(f"  - {p}" for p in problems)
            raise ContractError(f"{recording.title} does not fit the model's input contract:\n{lines}")


def write_contract(contract: Contract) -> dict[str, Any]:
    """Return a contract as JSON values, with its layout."""
    return {"layout": contract.layout, **write_config(contract)}


def read_contract(values: Mapping[str, Any]) -> Contract:
    """Build a contract from what `write_contract` returned, strictly.

    Raises
    ------
    ConfigError
        If the layout or a key is unknown.
    """
    layout = values.get("layout")
    if layout not in KINDS:
        raise ConfigError(f"a contract needs a layout ({', '.join(KINDS)}); got {layout!r}")
    module, name = KINDS[layout]
    cls = getattr(importlib.import_module(module), name)
    contract: Contract = read_config(cls, {k: v for k, v in values.items() if k != "layout"})
    return contract
