"""What nkfm_moabb offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer MOABB's data sets."""
    return [
        Entry(
            name="moabb",
            target="nkfm_moabb.dataset:moabb",
            summary="Any data set of MOABB, cut into labelled trials by one of MOABB's paradigms",
            requires=("moabb",),
            paper="doi 10.5281/zenodo.10034223",
            licence="that of the data set, as MOABB states it",
        )
    ]
