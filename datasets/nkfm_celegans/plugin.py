"""What nkfm_celegans offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer worms and connectomes."""
    return [
        Entry(
            name="celegans",
            target="nkfm_celegans.dataset:celegans",
            summary="Calcium traces of 912 worms from 12 publications, joined with a connectome by neuron name",
            paper="arXiv:2411.12091",
            licence="MIT",
        ),
        Entry(
            name="celegans-connectomes",
            target="nkfm_celegans.dataset:connectomes",
            summary="Connectomes of C. elegans over 300 named neurons: chemical, gap, functional, extrasynaptic",
            paper="arXiv:2411.12091",
            licence="MIT",
        ),
    ]


@hookimpl
def register_commands() -> list[Entry]:
    """Offer `nkfm worm`."""
    return [
        Entry(
            name="worm",
            target="nkfm_celegans.command:worm",
            summary="Homogenise the recording of a worm and join it with a connectome",
        )
    ]
