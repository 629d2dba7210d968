"""All hooks a plugin may implement, and the light entries they return.

Collecting hooks take no arguments and return lists of `Entry`; nothing heavy is imported until an entry is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from neurokit_fm.data.channels import Positions

hookspec = pluggy.HookspecMarker("neurokit_fm")
hookimpl = pluggy.HookimplMarker("neurokit_fm")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing a plugin offers, described without importing it.

    Attributes
    ----------
    name : str
        Registry name, lower case with hyphens.
    target : str
        ``"package.module:attribute"``, imported when the entry is loaded.
    summary : str
        One line.
    requires : tuple of str
        Optional packages that must be importable.
    suffixes : tuple of str
        Readers: file name endings it reads, lower case, with the dot (``".edf"``, ``"-epo.fif"``).
    paper, licence : str
        Where it was published; terms of data or weights.
    gated : bool
        Weights and data sets: whether their owner must grant access first.
    commercial : bool or None
        Weights and data sets: whether the licence allows commercial use; None = it does not say.
    plugin : str
        Filled in by the registry: who offers it.
    """

    name: str
    target: str
    summary: str
    requires: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    paper: str = ""
    licence: str = ""
    gated: bool = False
    commercial: bool | None = None
    plugin: str = ""


@hookspec
def register_modalities() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `Modality` values. Called once, the first time a modality is looked up."""


@hookspec
def register_readers() -> list[Entry]:  # type: ignore[empty-body]
    """Offer readers `(path: Path) -> Recording`, each with its `suffixes`. Called once, at the first read."""


@hookspec
def register_datasets() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `Dataset` factories. Called once, the first time a dataset is looked up."""


@hookspec
def register_tokenizers() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `Tokenizer` classes. Called once, the first time a tokenizer is looked up."""


@hookspec
def register_encodings() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `PositionalEncoding` classes. Called once, the first time an encoding is looked up."""


@hookspec
def register_models() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `Model` classes. Called once, the first time a model is looked up."""


@hookspec
def register_weights() -> list[Entry]:  # type: ignore[empty-body]
    """Offer `PublishedWeights`, checkpoints others published, or `ShippedWeights`, which come with the plugin.

    Called once, at the first look-up.
    """


@hookspec
def register_commands() -> list[Entry]:  # type: ignore[empty-body]
    """Offer click commands for `nkfm`. Called once, when the command line starts."""


@hookspec(firstresult=True)
def find_positions(names: tuple[str, ...], modality: str, frame: str) -> Positions | None:
    """Say where the named sensors sit in `frame` (metres, shape (C, 3)), or return None.

    Answer only when *every* name is known in that very frame: the core asks again name by name before it gives up,
    and never lets a channel without a position slip through in silence. The plugin registered last is asked first.
    """
