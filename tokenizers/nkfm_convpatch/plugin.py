"""What nkfm_convpatch offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_tokenizers() -> list[Entry]:
    return [
        Entry(
            name="conv-patch",
            target="nkfm_convpatch.tokenizer:ConvPatchTokenizer",
            summary="Patches of a channel through convolutions, normalised over all patches of a window",
            paper="arXiv:2405.18765",
        )
    ]
