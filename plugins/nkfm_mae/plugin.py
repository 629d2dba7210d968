"""What nkfm_mae offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_models() -> list[Entry]:
    return [
        Entry(
            name="mae",
            target="nkfm_mae.model:MaskedAutoencoder",
            summary="Masked autoencoder: hide tokens in space-time blocks, predict their raw values",
            paper="arXiv:2510.21585",
        )
    ]
