"""What nkfm_tiny offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "BSD-3-Clause"


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="nkfm-tiny",
            target="nkfm_tiny.catalogue:TINY",
            summary="Small masked autoencoder for EEG and MEG, comes with the package",
            paper="arXiv:2510.21585 (the method)",
            licence=LICENCE,
            commercial=True,
        )
    ]
