"""What nkfm_brainomni offers."""

from neurokit_fm import Entry, hookimpl

PAPER = "arXiv:2505.18185"
LICENCE = "MIT"


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


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name=f"brainomni-{size}{suffix}",
            target=f"nkfm_brainomni.catalogue:{target}",
            summary=summary,
            paper=PAPER,
            licence=LICENCE,
        )
        for size, suffix, target, summary in (
            ("tiny", "", "TINY", "BrainOmni tiny, 13.5 M parameters, pretrained on 2,653 h of EEG and MEG"),
            ("base", "", "BASE", "BrainOmni base, 37.8 M parameters, pretrained on 2,653 h of EEG and MEG"),
            (
                "tiny",
                "-braindecode",
                "TINY_BRAINDECODE",
                "BrainOmni tiny, features only, as braindecode republished it",
            ),
            (
                "base",
                "-braindecode",
                "BASE_BRAINDECODE",
                "BrainOmni base, features only, as braindecode republished it",
            ),
        )
    ]
