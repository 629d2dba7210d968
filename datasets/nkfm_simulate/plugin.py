"""What nkfm_simulate offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer the simulator."""
    return [
        Entry(
            name="simulated",
            target="nkfm_simulate.dataset:simulated",
            summary="EEG and MEG of known sources in a spherical head: any montage, labelled trials, as much as needed",
            licence="CC0 (made by a program)",
            commercial=True,
        )
    ]


@hookimpl
def register_modalities() -> list[Entry]:
    """Offer the modality of the ground truth."""
    return [
        Entry(
            name="sources",
            target="nkfm_simulate.sources:MODALITY",
            summary="Moments of current dipoles in the brain, the ground truth of a simulation",
        )
    ]
