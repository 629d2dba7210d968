"""Imports what it should not."""

import numpy as np

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_modalities() -> list[Entry]:
    return [Entry(name=f"heavy-{np.ones(1).sum():g}", target="nkfm_bad.values:HONEST", summary="made up")]
