"""Every error the toolkit raises on purpose, and the two helpers that word them.

Each error is also the built-in that fits, so `except LookupError` and `except NkfmError` both work.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


class NkfmError(Exception):
    """Base of every error raised on purpose by neurokit_fm."""


class UnknownName(NkfmError, LookupError):
    """A name that no plugin offers, or a signal or channel that a recording does not have."""


class MissingDependency(NkfmError, ImportError):
    """An optional package is needed and not installed."""


class DataError(NkfmError, ValueError):
    """A recording, signal, channel table or data file is not what it must be."""


class ConfigError(NkfmError, ValueError):
    """A configuration holds an unknown key or a value out of range."""


class ContractError(NkfmError, ValueError):
    """A recording does not fit the input a model was trained on."""


class WeightsError(NkfmError, ValueError):
    """Weights are missing, superfluous, mis-shaped, unsafe or do not replay their fingerprint."""


class StoreError(NkfmError, OSError):
    """A stored file cannot be read, written or trusted."""


class TrainingError(NkfmError, RuntimeError):
    """A training run cannot go on; its last checkpoint is intact."""


class PluginError(NkfmError, RuntimeError):
    """A plugin is broken, or two plugins offer the same name."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest known name, or an empty string."""
    options = list(known)
    folded = {option.lower(): option for option in options}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def need(module: str, purpose: str, *, extra: str | None = None) -> Any:
    """Import an optional module, or say what it is for and how to install it.

    Parameters
    ----------
    module : str
        Dotted module name.
    purpose : str
        What needs it, as the start of a sentence: ``"reading NWB files"``.
    extra : str, optional
        Name of the extra of this distribution that installs it; default: the package itself.

    Raises
    ------
    MissingDependency
        If the module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as err:
        package = module.partition(".")[0]
        target = f"'neurokit-fm[{extra}]'" if extra else package
        raise MissingDependency(f"{purpose} needs {package}, which is not installed.\n  pip install {target}") from err
