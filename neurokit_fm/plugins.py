"""Finding and loading plugins, each in its own `try`: a broken one is remembered and breaks nobody else."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy

from neurokit_fm import hooks
from neurokit_fm.errors import PluginError

BUILT_IN = (
    "nkfm_glmhmm",
    "nkfm_mae",
    "nkfm_mne",
    "nkfm_modalities",
    "nkfm_patch",
    "nkfm_pos4d",
    "nkfm_reve",
    "nkfm_samples",
    "nkfm_store",
)
"""Import names of the plugins in this repository, sorted; a test holds folders and tuple together."""

ENTRY_POINT_GROUP = "neurokit_fm"


@dataclass
class Plugins:
    """The plugin manager, and what went wrong while filling it.

    Attributes
    ----------
    manager : pluggy.PluginManager
    broken : dict of str to str
        Plugin name to the reason it was left out, or the reason one of its hooks failed.
    """

    manager: pluggy.PluginManager
    broken: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, load: Callable[[], Any]) -> None:
        """Load and register one plugin; remember why if that fails."""
        try:
            module = load()
            trial = _new_manager()  # alone, so that a misspelt hook is found and named
            trial.register(module, name)
            trial.check_pending()
        except Exception as err:  # noqa: BLE001 - whatever a plugin does, the others must go on
            self.broken[name] = f"{type(err).__name__}: {err}"
            return
        try:
            self.manager.register(module, name)
        except ValueError:
            self.broken[name] = "the plugin is registered twice; is it installed under two entry points?"

    def hint(self) -> str:
        """Say which plugins are broken, for the end of a look-up error; empty if none is."""
        return f" Broken plugins: {', '.join(self.broken)} (see `nkfm doctor`)." if self.broken else ""

    def collect(self, hook: str) -> Iterator[hooks.Entry]:
        """Yield the entries every plugin returns from a collecting hook, stamped with the plugin's name."""
        for impl in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            try:
                entries = list(impl.function())
                wrong = [e for e in entries if not isinstance(e, hooks.Entry)]
                if wrong:
                    raise PluginError(f"{hook} must return Entry values; found {type(wrong[0]).__name__}")
            except Exception as err:  # noqa: BLE001 - one plugin's hook must not break the look-up of another's
                self.broken[impl.plugin_name] = f"{hook}: {type(err).__name__}: {err}"
                continue
            for entry in entries:
                yield replace(entry, plugin=impl.plugin_name)


def _new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("neurokit_fm")
    manager.add_hookspecs(hooks)
    return manager


@functools.cache
def plugins() -> Plugins:
    """Return the plugins of this process, loaded on first use: built-ins first, then entry points."""
    found = Plugins(_new_manager())
    for name in BUILT_IN:
        found.add(name, functools.partial(importlib.import_module, f"{name}.plugin"))
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
        found.add(point.name, point.load)
    return found
