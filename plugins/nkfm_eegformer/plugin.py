"""What nkfm_eegformer offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="eegformer-vq",
            target="nkfm_eegformer.model:EEGFormer",
            summary="Spectra of single channels as codes of a vector-quantised transformer, to be read",
            paper="arXiv:2401.10278",
        )
    ]
