"""What nkfm_store offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_readers() -> list[Entry]:
    """Offer the reader of stored recordings."""
    return [
        Entry(
            name="nkfm-store",
            target="neurokit_fm.data.store:open_recording",
            summary="a recording stored by neurokit_fm",
            suffixes=(".nkfm.h5", ".h5"),
        )
    ]
