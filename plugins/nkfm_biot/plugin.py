"""What nkfm_biot offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "bsd-3-clause"
ON_PAGE = "as the page of the weights says"
PAPER = "arXiv:2305.10351"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="biot",
            target="nkfm_biot.model:Biot",
            summary="Spectra of short frames through linear attention, for up to 16 or 18 channels",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    size = "BIOT, 3.2 M parameters, pretrained on"
    return [
        Entry(
            name="biot-prest",
            target="nkfm_biot.catalogue:PREST",
            summary=f"{size} 16 channels of resting EEG (PREST)",
            paper=PAPER,
            licence=ON_PAGE,
        ),
        Entry(
            name="biot-shhs-prest",
            target="nkfm_biot.catalogue:SHHS_PREST",
            summary=f"{size} PREST and sleep EEG (SHHS)",
            paper=PAPER,
            licence=ON_PAGE,
        ),
        Entry(
            name="biot-six-datasets",
            target="nkfm_biot.catalogue:SIX_DATASETS",
            summary=f"{size} six EEG data sets",
            paper=PAPER,
            licence=LICENCE,
            commercial=True,
        ),
    ]
