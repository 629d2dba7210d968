"""What nkfm_spectral offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_tokenizers() -> list[Entry]:
    return [
        Entry(
            name="spectral",
            target="nkfm_spectral.tokenizer:SpectralTokenizer",
            summary="Patches of each channel's amplitude spectrum, linearly embedded",
            paper="arXiv:2401.10278",
        ),
        Entry(
            name="spectral-vq",
            target="nkfm_spectral.vq:SpectralVQTokenizer",
            summary="Patches of each channel's amplitude spectrum, encoded and replaced by codes",
            paper="arXiv:2401.10278",
        ),
    ]
