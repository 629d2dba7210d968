"""What nkfm_patch offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_tokenizers() -> list[Entry]:
    return [
        Entry(
            name="patch",
            target="nkfm_patch.tokenizer:PatchTokenizer",
            summary="Stretches of raw signal of each channel, linearly embedded",
            paper="arXiv:2510.21585",
        )
    ]
