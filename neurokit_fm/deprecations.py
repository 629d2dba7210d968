"""Public names that moved: the only place where an old name lives on, with the version that removes it."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any

from neurokit_fm.errors import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Where a public name went.

    Attributes
    ----------
    to : str
        Dotted path of what replaces it: ``"neurokit_fm.Channels"``.
    since, gone_in : str
        Versions: the first that warns, and the one that removes the old name.
    """

    to: str
    since: str
    gone_in: str


DEPRECATED: dict[str, Moved] = {}
"""Old name in `neurokit_fm` to where it went; a test fails once `gone_in` is reached and the entry is still here."""


def resolve(name: str, known: list[str]) -> Any:
    """Return what an old public name stands for now, warning the caller once.

    Raises
    ------
    AttributeError
        If the name never was public, with the closest name in `known`.
    """
    if name not in DEPRECATED:
        raise AttributeError(f"module 'neurokit_fm' has no attribute {name!r}.{did_you_mean(name, known)}")
    moved = DEPRECATED[name]
    warnings.warn(
        f"neurokit_fm.{name} is now {moved.to}; the old name goes away in {moved.gone_in}", FutureWarning, stacklevel=3
    )
    module, _, attribute = moved.to.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
