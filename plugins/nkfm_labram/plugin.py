"""What nkfm_labram offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "as the page of the weights says"
PAPER = "arXiv:2405.18765"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="labram",
            target="nkfm_labram.model:Labram",
            summary="EEG encoder with a learned vector for each of 128 electrode names",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="labram-base",
            target="nkfm_labram.catalogue:BASE",
            summary="LaBraM base, 5.8 M parameters, pretrained on 2,500 h of EEG",
            paper=PAPER,
            licence=LICENCE,
        )
    ]
