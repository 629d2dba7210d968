"""What nkfm_braintokenizer offers."""

from neurokit_fm import Entry, hookimpl

PAPER = "arXiv:2505.18185"


@hookimpl
def register_tokenizers() -> list[Entry]:
    return [
        Entry(
            name="braintokenizer",
            target="nkfm_braintokenizer.tokenizer:BrainTokenizer",
            summary="Codes of 16 latent sources from EEG and MEG of any montage, four a second",
            paper=PAPER,
        )
    ]


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="braintokenizer",
            target="nkfm_braintokenizer.model:BrainTokenizerModel",
            summary="The tokenizer of EEG and MEG by itself: pretraining, codes, reconstruction at any sensor",
            paper=PAPER,
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="braintokenizer",
            target="nkfm_braintokenizer.catalogue:RELEASED",
            summary="BrainTokenizer, 5.05 M parameters, pretrained on 2,653 h of EEG and MEG",
            paper=PAPER,
            licence="MIT",
        ),
        Entry(
            name="braintokenizer-braindecode",
            target="nkfm_braintokenizer.catalogue:BRAINDECODE",
            summary="BrainTokenizer as braindecode republished it, in safetensors",
            paper=PAPER,
            licence="MIT",
        ),
    ]


@hookimpl
def register_commands() -> list[Entry]:
    return [
        Entry(
            name="tokenize",
            target="nkfm_braintokenizer.command:tokenize",
            summary="Turn a recording into codes",
        ),
        Entry(
            name="decode",
            target="nkfm_braintokenizer.command:decode",
            summary="Turn codes back into signals",
        ),
    ]
