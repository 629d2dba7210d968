"""What nkfm_bids offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer BIDS trees."""
    return [
        Entry(
            name="bids",
            target="nkfm_bids.dataset:bids",
            summary="A BIDS tree of EEG, MEG or intracranial recordings",
            requires=("mne_bids",),
            paper="doi 10.1038/s41597-019-0104-8",
            licence="that of the tree, see dataset_description.json",
        )
    ]
