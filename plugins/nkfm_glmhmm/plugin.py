"""What nkfm_glmhmm offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="glm-hmm",
            target="nkfm_glmhmm.model:GlmHmm",
            summary="Switching brain states: a population GLM whose couplings change with a hidden state",
            paper="arXiv:2310.15263",
        )
    ]


@hookimpl
def register_commands() -> list[Entry]:
    return [
        Entry(
            name="states",
            target="nkfm_glmhmm.command:states",
            summary="Find the hidden states of a recording and the couplings in each",
        )
    ]
