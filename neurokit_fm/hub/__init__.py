"""Models on disk and on the Hugging Face Hub: saving, loading through one strict door, publishing, the local cache.

Nothing heavy is imported until `load_model` or `load_contract` is used; the modules hold the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurokit_fm.hub.load import load_contract as load_contract
    from neurokit_fm.hub.load import load_model as load_model

__all__ = ["load_contract", "load_model"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from neurokit_fm.hub import load

    return getattr(load, name)
