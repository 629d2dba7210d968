"""What nkfm_cbramod offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "bsd-3-clause"
PAPER = "arXiv:2412.07236"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="cbramod",
            target="nkfm_cbramod.model:Cbramod",
            summary="EEG encoder with attention across channels and across time",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="cbramod-base",
            target="nkfm_cbramod.catalogue:BASE",
            summary="CBraMod, 4.9 M parameters, pretrained on the TUH EEG corpus",
            paper=PAPER,
            licence=LICENCE,
            commercial=True,
        )
    ]
