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
        ),
        Entry(
            name="code-prediction",
            target="nkfm_eegformer.prediction:CodePrediction",
            summary="Predicts the codes of hidden channels, over any tokenizer that has codes",
            paper="arXiv:2505.18185",
        ),
    ]


@hookimpl
def register_commands() -> list[Entry]:
    return [
        Entry(
            name="codes",
            target="nkfm_eegformer.command:codes",
            summary="Read the spectral codes of a recording, and which of their patterns are telling",
        )
    ]
