"""What nkfm_reve offers."""

from neurokit_fm import Entry, hookimpl

LICENCE = (
    "brain-bzh responsible-use agreement: no re-identification, surveillance or discrimination; no redistribution of weights "
    "or derivatives"
)


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="reve",
            target="nkfm_reve.model:Reve",
            summary="EEG encoder for any electrode layout and length",
            paper="arXiv:2510.21585",
        )
    ]


@hookimpl
def register_weights() -> list[Entry]:
    return [
        Entry(
            name="reve-base",
            target="nkfm_reve.catalogue:BASE",
            summary="REVE base, 69.2 M parameters, pretrained on 61,415 h of EEG",
            paper="arXiv:2510.21585",
            licence=LICENCE,
            gated=True,
        ),
        Entry(
            name="reve-large",
            target="nkfm_reve.catalogue:LARGE",
            summary="REVE large, 390.0 M parameters, pretrained on 61,415 h of EEG",
            paper="arXiv:2510.21585",
            licence=LICENCE,
            gated=True,
        ),
    ]
