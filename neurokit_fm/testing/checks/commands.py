"""Rules for commands."""

from __future__ import annotations

import click

from neurokit_fm.testing.checks.check import Case, Rule, expect


def command(case: Case) -> None:
    """The target is a click command whose help says what it does."""
    found = case.target
    expect(isinstance(found, click.Command), f"a {type(found).__name__}", "decorate the function with @click.command()")
    expect(found.help, "no help", "give the function a docstring; `nkfm NAME --help` shows it")


CASE = Case
CHECKS: tuple[Rule, ...] = (command,)
