"""What nkfm_biot offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "bsd-3-clause (braindecode's conversion; the authors' code is MIT)"
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
    found = {
        "biot-prest": ("PREST", "BIOT, 3.2 M parameters, pretrained on 16 channels of resting EEG (PREST)"),
        "biot-shhs-prest": ("SHHS_PREST", "BIOT, 3.2 M parameters, pretrained on PREST and sleep EEG (SHHS)"),
        "biot-six-datasets": ("SIX_DATASETS", "BIOT, 3.2 M parameters, pretrained on six EEG data sets"),
    }
    return [
        Entry(name=name, target=f"nkfm_biot.catalogue:{target}", summary=summary, paper=PAPER, licence=LICENCE)
        for name, (target, summary) in found.items()
    ]
