"""What nkfm_nwb offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_readers() -> list[Entry]:
    """Offer the reader."""
    return [
        Entry(
            name="nwb-file",
            target="nkfm_nwb.reader:read_nwb",
            summary="Neurodata Without Borders 2: electrodes, calcium traces, sorted units, trials",
            requires=("pynwb",),
            suffixes=(".nwb",),
            paper="doi 10.7554/eLife.78362",
        )
    ]


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer folders of NWB files."""
    return [
        Entry(
            name="nwb",
            target="nkfm_nwb.dataset:nwb",
            summary="NWB files, as a dandiset lays them out, with labels from their trials or subjects",
            requires=("pynwb",),
            paper="doi 10.7554/eLife.78362",
            licence="that of the dandiset, see dandiset.yaml",
        )
    ]
