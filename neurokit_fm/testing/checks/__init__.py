"""The conformance suite: named checks for everything a plugin offers, the same for built-ins and third parties.

Run it with ``nkfm check PLUGIN``, or in pytest with `parametrize_checks`. What each check demands is written in its
function in the module of its kind, and in docs/write-a-plugin.md.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from neurokit_fm.errors import ConfigError, UnknownName, did_you_mean, need
from neurokit_fm.plugins import plugins
from neurokit_fm.registry import KINDS
from neurokit_fm.testing.checks import entries
from neurokit_fm.testing.checks.check import NOUNS, Check, CheckFailed, CheckSkipped, Rule, rule_text

__all__ = ["Check", "CheckFailed", "CheckSkipped", "checks_for", "parametrize_checks", "rules"]


def checks_for(plugin: str | None = None) -> list[Check]:
    """Every check of one plugin, or of all that are found.

    Parameters
    ----------
    plugin : str, optional
        As `nkfm doctor` lists it; ``-`` and ``_`` are the same.

    Raises
    ------
    UnknownName
        If there is no such plugin.
    """
    offered = [(kind, entry) for kind, registry in KINDS.items() for entry in registry.entries()]
    broken = plugins().broken  # complete only now that every hook was called
    known = sorted({*(name for name, _ in plugins().manager.list_name_plugin()), *broken})
    wanted = known if plugin is None else [name for name in known if _same(name, plugin)]
    if not wanted:
        raise UnknownName(
            f"no plugin called {plugin!r}.{did_you_mean(str(plugin), known)} Found: {', '.join(known)}. "
            "Is it installed in this environment?"
        )
    checks = []
    for name in wanted:
        only = () if name not in broken else (entries.loads,)
        checks += [_check("plugin", name, rule, "plugins", name) for rule in only or entries.PLUGIN_CHECKS]
        for kind, entry in offered:
            if entry.plugin == name:
                case = _module(kind).CASE(kind, entry)
                for section, each in (("entries", entries.CHECKS), (kind, _rules_of(kind))):
                    checks += [_check(NOUNS[kind], entry.name, rule, section, case) for rule in each]
    return checks


def rules() -> dict[str, list[tuple[str, str]]]:
    """Names and words of all rules by section: ``plugins``, ``entries`` (of every kind), and each kind."""
    found = {"plugins": entries.PLUGIN_CHECKS, "entries": entries.CHECKS, **{kind: _rules_of(kind) for kind in KINDS}}
    return {section: [(rule.__name__, rule_text(rule)) for rule in each] for section, each in found.items()}


def parametrize_checks(plugin: str, *, xfail: Mapping[str, str] | None = None) -> Any:
    """Make a pytest test with the parameter ``check`` run once for each check of a plugin.

    Parameters
    ----------
    plugin : str
    xfail : mapping of str to str, optional
        Checks that are known to fail, ``"tokenizer:patch/meta_device"``, each with its reason. One that passes all the
        same fails the test, so that the list stays true.

    Raises
    ------
    UnknownName
        If there is no such plugin, or no such check.
    ConfigError
        If a reason is empty.

    Examples
    --------
    >>> @parametrize_checks("nkfm_patch")
    ... def test_conformance(check):
    ...     check()
    """
    pytest = need("pytest", "parametrize_checks", extra="dev")
    checks, expected = checks_for(plugin), dict(xfail or {})
    keys = [check.key for check in checks]
    for key, reason in expected.items():
        if key not in keys:
            raise UnknownName(f"{plugin} has no check {key!r} that could be expected to fail.{did_you_mean(key, keys)}")
        if not reason.strip():
            raise ConfigError(f"the expected failure {key!r} needs a reason, and what would have to change")
    marks = {key: pytest.mark.xfail(strict=True, raises=CheckFailed, reason=why) for key, why in expected.items()}
    params = [
        pytest.param(check, id=check.key, marks=[marks[check.key]] if check.key in marks else []) for check in checks
    ]
    return pytest.mark.parametrize("check", params)


def _check(kind: str, entry: str, rule: Rule, section: str, subject: Any) -> Check:
    run, words = partial(rule, subject), rule_text(rule)
    return Check(kind=kind, entry=entry, name=rule.__name__, rule=words, section=section, run=run)


def _rules_of(kind: str) -> tuple[Rule, ...]:
    return (*entries.FIELDS.get(kind, ()), *_module(kind).CHECKS)


def _module(kind: str) -> Any:
    return importlib.import_module(f"{__name__}.{kind}")


def _same(name: str, asked: str) -> bool:
    return name.replace("-", "_") == asked.replace("-", "_")
