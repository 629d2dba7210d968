"""Check: one rule held against one entry, and the two things that may come of it besides passing.

A rule is a function that takes a `Case`; its name is the check's name, the first sentence of its docstring is the rule.
"""

from __future__ import annotations

import traceback
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from neurokit_fm.errors import MissingDependency, NkfmError
from neurokit_fm.hooks import Entry
from neurokit_fm.registry import KINDS

NOUNS = {kind: {"modalities": "modality", "weights": "weights"}.get(kind, kind.removesuffix("s")) for kind in KINDS}
"""What one entry of each kind is called."""

PAGE = "docs/write-a-plugin.md"


class Broken(Exception):
    """A rule is broken: what was found, and what to do about it."""

    def __init__(self, found: str, mend: str):
        super().__init__(found, mend)
        self.found, self.mend = found, mend


class CheckFailed(NkfmError, AssertionError):
    """A plugin breaks a rule; the message names the rule, what was found and how to mend it."""


class CheckSkipped(unittest.SkipTest):
    """A rule cannot be judged or does not apply; pytest and unittest take it as a skipped test."""


def expect(holds: object, found: str, mend: str) -> None:
    """Raise `Broken` unless the first argument is true."""
    if not holds:
        raise Broken(found, mend)


Rule = Callable[[Any], None]


def rule_text(rule: Rule) -> str:
    """First paragraph of the docstring, on one line."""
    return " ".join((rule.__doc__ or "").split("\n\n")[0].split())


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule for one entry; call it.

    Attributes
    ----------
    kind, entry : str
        ``tokenizer``, ``patch``.
    name, rule : str
        ``padding``, and what it demands in a sentence.
    section : str
        Where the rule is written: ``entries`` for those of every kind, else the kind's plural.
    run : callable
        Raises `Broken`, `CheckSkipped`, or whatever the plugin raises.
    """

    kind: str
    entry: str
    name: str
    rule: str
    section: str
    run: Callable[[], None]

    @property
    def key(self) -> str:
        """``tokenizer:patch/padding``, the key of an expected failure."""
        return f"{self.kind}:{self.entry}/{self.name}"

    @property
    def link(self) -> str:
        """Where the rule is written."""
        return f"{PAGE}#rules-for-{self.section}"

    def __call__(self) -> None:
        """Run the check.

        Raises
        ------
        CheckFailed
            If the rule is broken, or the plugin raises where it must not.
        CheckSkipped
            If the rule does not apply, rests on one that is broken, or needs a package that is not installed.
        """
        try:
            self.run()
        except CheckSkipped:
            raise
        except Broken as err:
            raise CheckFailed(self._message(err.found, err.mend)) from None
        except MissingDependency as err:
            raise CheckSkipped(str(err)) from err
        except Exception as err:
            frames = traceback.extract_tb(err.__traceback__)
            where = [f for f in frames if "/torch/" not in f.filename and "/numpy/" not in f.filename][-1]
            found = f"{type(err).__name__}: {err} (raised in {where.filename}, line {where.lineno})"
            raise CheckFailed(self._message(found, "no error may be raised here; mend what raises it")) from err

    def _message(self, found: str, mend: str) -> str:
        return f"{self.key}: {self.rule}\n  found: {found}\n  mend:  {mend}\n  rule:  {self.link}"


class Case:
    """An entry that is looked at; what is made of it is made once and shared by its checks.

    Parameters
    ----------
    kind : str
        Plural noun of its registry.
    entry : Entry
    """

    def __init__(self, kind: str, entry: Entry):
        self.registry, self.entry, self.noun = KINDS[kind], entry, NOUNS[kind]
        self._holds: dict[Rule, bool] = {}

    @cached_property
    def target(self) -> Any:
        """What the entry points to."""
        try:
            return self.registry.load(self.entry.name)
        except MissingDependency as err:
            raise CheckSkipped(str(err)) from err
        except Exception as err:
            raise CheckSkipped("rests on `imports`, which fails") from err

    def rests_on(self, *rules: Rule) -> None:
        """Skip the check that asks unless these rules hold, so that one fault makes one check fail: the one meant for it."""
        for rule in rules:
            if rule not in self._holds:
                try:
                    rule(self)
                    self._holds[rule] = True
                except CheckSkipped:
                    raise
                except Exception:  # noqa: BLE001 - whatever is wrong, that rule's own check tells
                    self._holds[rule] = False
            if not self._holds[rule]:
                raise CheckSkipped(f"rests on `{rule.__name__}`, which fails")
