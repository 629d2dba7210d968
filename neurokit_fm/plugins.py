"""Finding and loading plugins, each in its own `try`: a broken one is remembered and breaks nobody else.

A plugin says which versions of the core it supports where every package does: in the dependencies of its distribution.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy

from neurokit_fm import __version__, hooks
from neurokit_fm.errors import PluginError, did_you_mean

BUILT_IN = (
    "nkfm_bids", "nkfm_biot", "nkfm_brainomni", "nkfm_braintokenizer", "nkfm_cbramod", "nkfm_celegans",
    "nkfm_convpatch", "nkfm_eegformer", "nkfm_eegpt", "nkfm_files", "nkfm_glmhmm", "nkfm_labram", "nkfm_mae",
    "nkfm_mne", "nkfm_moabb", "nkfm_modalities", "nkfm_nwb", "nkfm_patch", "nkfm_pos4d", "nkfm_reve",
    "nkfm_samples", "nkfm_signaljepa", "nkfm_simulate", "nkfm_spectral", "nkfm_store", "nkfm_tiny",
    "nkfm_wormgraph",
)  # fmt: skip
"""Import names of the plugins in this repository, sorted; a test holds folders and tuple together."""

ENTRY_POINT_GROUP = "neurokit_fm"
DISTRIBUTION = re.compile(r"neurokit[-_.]fm(?![\w.-])", re.IGNORECASE)


@dataclass
class Plugins:
    """The plugin manager, and what went wrong while filling it.

    Attributes
    ----------
    manager : pluggy.PluginManager
    broken : dict of str to str
        Plugin name to the reason it was left out (it fails to import, misspells a hook, is made for other versions of
        the core), or the reason one of its hooks failed.
    """

    manager: pluggy.PluginManager
    broken: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, load: Callable[[], Any]) -> None:
        """Load and register one plugin; remember why if that fails."""
        try:
            module = load()
            trial = _new_manager()  # alone, so that a misspelt hook is found and named
            trial.register(module, name)
            _refuse_unknown_hooks(trial, module)
        except (Exception, SystemExit) as err:  # noqa: BLE001 - whatever a plugin does, the others must go on
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
            except (Exception, SystemExit) as err:  # noqa: BLE001 - one hook must not break the look-up of another's
                self.broken[impl.plugin_name] = f"{hook}: {type(err).__name__}: {err}"
                continue
            for entry in entries:
                yield replace(entry, plugin=impl.plugin_name)

    def ask(self, hook: str, **arguments: Any) -> Any:
        """Return the first answer other than None to an asking hook, or None; the plugin registered last is asked first.

        Each plugin is given the arguments it names, so one written before a hook got more of them still answers.
        """
        for impl in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            try:
                answer = impl.function(*(arguments[name] for name in impl.argnames))
            except (Exception, SystemExit) as err:  # noqa: BLE001 - the next plugin may know the answer
                self.broken[impl.plugin_name] = f"{hook}: {type(err).__name__}: {err}"
                continue
            if answer is not None:
                return answer
        return None


def unsupported(requires: Iterable[str], version: str = __version__) -> str:
    """Return the bounds that requirements set on the core if `version` lies outside them, else an empty string.

    Examples
    --------
    >>> unsupported(["numpy", "neurokit-fm>=0.1,<0.3"], version="0.2.1")
    ''
    >>> unsupported(["numpy", "neurokit-fm>=0.1,<0.3"], version="0.3.0")
    '<0.3,>=0.1'
    """
    bounds = [line for line in requires if DISTRIBUTION.match(line)]
    if not bounds:
        return ""
    from packaging.requirements import Requirement  # only where a plugin sets bounds: it costs some 20 ms

    needed = [need for need in map(Requirement, bounds) if need.marker is None or need.marker.evaluate({"extra": ""})]
    return ", ".join(str(n.specifier) for n in needed if not n.specifier.contains(version, prereleases=True))


def _refuse_unknown_hooks(trial: pluggy.PluginManager, module: Any) -> None:
    """Raise PluginError if a plugin implements a hook that there is not, with the closest one that there is."""
    known = [name for name, value in vars(hooks).items() if hasattr(value, "neurokit_fm_spec")]
    for caller in trial.get_hookcallers(module) or []:
        optional = all(impl.optionalhook for impl in caller.get_hookimpls())
        if not caller.has_spec() and not optional:
            raise PluginError(
                f"unknown hook {caller.name!r}.{did_you_mean(caller.name, known)} Known: {', '.join(known)}"
            )


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
        found.add(point.name, functools.partial(_load_supported, point))
    return found


def _load_supported(point: importlib.metadata.EntryPoint) -> Any:
    """Import a plugin, unless its distribution says that it is made for other versions of the core."""
    unfit = unsupported((point.dist.requires if point.dist else None) or ())
    if unfit:
        raise PluginError(
            f"made for neurokit-fm {unfit}, and this is {__version__}; upgrade {point.name} or neurokit-fm"
        )
    return point.load()
