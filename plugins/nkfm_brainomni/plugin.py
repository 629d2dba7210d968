"""What nkfm_brainomni offers."""

from neurokit_fm import Entry, hookimpl

PAPER = "arXiv:2505.18185"


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="brainomni",
            target="nkfm_brainomni.model:BrainOmni",
            summary="One model for EEG and MEG of any montage, over latent sources and time",
            paper=PAPER,
        )
    ]
