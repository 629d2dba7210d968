"""What nkfm_eegpt offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "as the page of the weights says"
PAPER = "Wang et al., NeurIPS 2024 (EEGPT)"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="eegpt",
            target="nkfm_eegpt.model:Eegpt",
            summary="Summary vectors of all electrodes, patch of time by patch of time",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="eegpt-large",
            target="nkfm_eegpt.catalogue:LARGE",
            summary="EEGPT, 25.3 M parameters, pretrained on 58 electrodes of five data sets",
            paper=PAPER,
            licence=LICENCE,
        )
    ]
