"""The bad plugins, registered for one module of tests and gone afterwards."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurokit_fm.plugins import plugins
from neurokit_fm.registry import KINDS

HERE = str(Path(__file__).parent)
BAD = {"nkfm-bad": "nkfm_bad.plugin", "nkfm-heavy": "nkfm_heavy.plugin", "nkfm-absent": "nkfm_absent.plugin"}


def forget_entries() -> None:
    for registry in KINDS.values():
        vars(registry).pop("_offers", None)


@pytest.fixture(scope="module")
def bad_plugins() -> Iterator[None]:
    """Two plugins beside this file, and one that cannot be imported."""
    sys.path.insert(0, HERE)
    found = plugins()
    for name, module in BAD.items():
        found.add(name, lambda module=module: importlib.import_module(module))
    forget_entries()
    yield
    for name in BAD:
        found.broken.pop(name, None)
        if found.manager.has_plugin(name):
            found.manager.unregister(name=name)
    forget_entries()
    sys.path.remove(HERE)
