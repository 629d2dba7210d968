"""What nkfm_signaljepa offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "MIT"
ON_PAGE = "as the page of the weights says"
PAPER = "arXiv:2403.11772"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="signal-jepa",
            target="nkfm_signaljepa.model:SignalJepa",
            summary="Convolutions along each channel, then a transformer over channels and seconds",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="signal-jepa-62",
            target="nkfm_signaljepa.catalogue:NAMED",
            summary="Signal-JEPA, 2.3 M parameters, for any of the 62 electrodes of its pretraining",
            paper=PAPER,
            licence=ON_PAGE,
        ),
        Entry(
            name="signal-jepa-anywhere",
            target="nkfm_signaljepa.catalogue:PLACED",
            summary="Signal-JEPA, 2.3 M parameters, for any electrodes with a position",
            paper=PAPER,
            licence=LICENCE,
            commercial=True,
        ),
    ]
