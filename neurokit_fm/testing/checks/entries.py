"""Rules for plugins as a whole, and for entries of every kind: what can be said without knowing what they do."""

from __future__ import annotations

import re
import subprocess
import sys

from neurokit_fm.errors import MissingDependency
from neurokit_fm.plugins import plugins
from neurokit_fm.testing.checks.check import Case, Rule, expect


def loads(plugin: str) -> None:
    """The plugin is imported, all its hooks are known, and each returns entries."""
    expect(
        plugin not in plugins().broken, plugins().broken.get(plugin, ""), "see docs/hooks.md for names and arguments"
    )


def light(plugin: str) -> None:
    """Importing `plugin.py` and calling its hooks loads nothing but `neurokit_fm` and the standard library.

    Otherwise every `nkfm list` would pay for it.
    """
    module = getattr(plugins().manager.get_plugin(plugin), "__name__", "")
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import neurokit_fm.plugins; before = {name.partition('.')[0] for name in sys.modules}\n"
        f"import {module} as plugin\n"
        "for name in dir(plugin):\n"
        "    if name.startswith('register_'): getattr(plugin, name)()\n"
        "after = {name.partition('.')[0] for name in sys.modules}\n"
        f"print(*sorted(after - before - set(sys.stdlib_module_names) - {{{module.partition('.')[0]!r}}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    expect(not done.returncode, done.stderr.strip().rpartition("\n")[2], f"`import {module}` must work by itself")
    heavy = (done.stdout.splitlines() or [""])[-1]
    expect(
        not heavy, f"{module} loads {heavy}", "import these in the module that the entry points to, not in plugin.py"
    )


def name(case: Case) -> None:
    """A name is lower case, words joined by hyphens."""
    good = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case.entry.name)
    expect(good, repr(case.entry.name), "rename the entry, for example 'glm-hmm'")


def unique(case: Case) -> None:
    """No other entry of this kind has the same name."""
    owners = [entry.plugin for entry in case.registry.entries() if entry.name == case.entry.name]
    expect(len(owners) == 1, f"offered by {' and '.join(owners)}", "rename yours; names of built-ins are taken")


def summary(case: Case) -> None:
    """The summary is one line of at most 100 characters, without a full stop."""
    text = case.entry.summary
    good = text.strip() == text and 0 < len(text) <= 100 and "\n" not in text and not text.endswith(".")
    expect(good, repr(text), "say what it is in one phrase; it is a row of `nkfm list`")


def requires(case: Case) -> None:
    """`requires` names modules as they are imported."""
    wrong = [module for module in case.entry.requires if not all(part.isidentifier() for part in module.split("."))]
    expect(not wrong, ", ".join(map(repr, wrong)), "give import names, 'sklearn' rather than 'scikit-learn'")


def imports(case: Case) -> None:
    """The target can be imported; a package that may be missing stands in `requires`."""
    case.rests_on(unique)
    try:
        case.registry.load(case.entry.name)
    except MissingDependency as err:
        named = [module for module in case.entry.requires if module in str(err)]
        expect(named, f"{err} It stands not in requires={case.entry.requires}", "add it to the entry's `requires`")
        raise


def paper(case: Case) -> None:
    """`paper` says where it was published, or 'none'."""
    expect(case.entry.paper, "an empty `paper`", "give an arXiv id, a DOI or 'author year'; 'none' if there is none")


def licence(case: Case) -> None:
    """`licence` states the terms of the data or weights."""
    expect(
        case.entry.licence, "an empty `licence`", "give the SPDX name, or the terms in words; 'unknown' is an answer"
    )


PLUGIN_CHECKS: tuple[Rule, ...] = (loads, light)

CHECKS: tuple[Rule, ...] = (name, unique, summary, requires, imports)

FIELDS: dict[str, tuple[Rule, ...]] = {
    "models": (paper,),
    "tokenizers": (paper,),
    "encodings": (paper,),
    "datasets": (licence,),
    "weights": (paper, licence),
}
"""Fields of an entry that must be filled in, beyond those of every kind."""
