"""What nkfm_eegpt offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = "bsd-3-clause (braindecode's conversion; see the authors' page for theirs)"
PAPER = "NeurIPS 2024, EEGPT: Pretrained Transformer for Universal and Reliable Representation of EEG Signals"


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
