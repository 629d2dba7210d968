"""Registries: what the plugins offer, by kind and name."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from neurokit_fm.errors import MissingDependency, PluginError, UnknownName, did_you_mean
from neurokit_fm.hooks import Entry
from neurokit_fm.plugins import plugins


class Registry:
    """Entries of one kind, collected from the plugins on first use.

    Iterating gives names in order; ``registry[name]`` the entry, ``registry.load(name)`` the object it points to.

    Parameters
    ----------
    kind : str
        Plural noun: ``models``, ``tokenizers`` ... The hook is ``register_<kind>``.
    """

    def __init__(self, kind: str):
        self.kind = kind

    @functools.cached_property
    def _offers(self) -> dict[str, list[Entry]]:
        offers: dict[str, list[Entry]] = {}
        for entry in plugins().collect(f"register_{self.kind}"):
            offers.setdefault(entry.name, []).append(entry)
        return dict(sorted(offers.items()))

    def __contains__(self, name: object) -> bool:
        return name in self._offers

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)

    def __repr__(self) -> str:
        return f"<{self.kind}: {', '.join(self) or 'none'}>"

    def entries(self) -> list[Entry]:
        """Every entry, by name; a name offered twice appears twice."""
        return [entry for offers in self._offers.values() for entry in offers]

    def __getitem__(self, name: str) -> Entry:
        offers = self._offers.get(name, [])
        if len(offers) == 1:
            return offers[0]
        if offers:
            who = " and ".join(entry.plugin for entry in offers)
            raise PluginError(f"{self.kind}: {name!r} is offered by {who}; uninstall one of them or rename its entry.")
        noun = self.kind if self.kind == "weights" else self.kind.removesuffix("s")
        raise UnknownName(
            f"no {noun} called {name!r}.{did_you_mean(name, self)} "
            f"Run `nkfm list {self.kind}` to see all {len(self)}.{plugins().hint()}"
        )

    def load(self, name: str) -> Any:
        """Import and return what an entry points to.

        Raises
        ------
        UnknownName
            With the closest known name.
        MissingDependency
            If a package in `requires` is not installed.
        PluginError
            If the target cannot be imported, naming the plugin.
        """
        entry = self[name]
        missing = [module for module in entry.requires if importlib.util.find_spec(module) is None]
        if missing:
            raise MissingDependency(f"{name} needs {', '.join(missing)}.\n  pip install {' '.join(missing)}")
        module, _, attribute = entry.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except MissingDependency:
            raise
        except (ImportError, AttributeError) as err:
            raise PluginError(
                f"{entry.plugin} offers {name!r} at {entry.target}, which cannot be imported: {err}"
            ) from err


modalities = Registry("modalities")
readers = Registry("readers")
datasets = Registry("datasets")
tokenizers = Registry("tokenizers")
encodings = Registry("encodings")
models = Registry("models")
weights = Registry("weights")
commands = Registry("commands")

KINDS = {r.kind: r for r in (models, tokenizers, encodings, datasets, readers, modalities, weights, commands)}
"""Every registry by its plural noun, in the order they are listed."""
