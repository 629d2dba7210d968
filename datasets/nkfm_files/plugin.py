"""What nkfm_files offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer labelled files, epochs files and folders of windows."""
    return [
        Entry(
            name="epochs-files",
            target="nkfm_files.epochs:epochs_files",
            summary="Labelled trials in MNE's epochs files or objects, one a recording",
            licence="yours",
        ),
        Entry(
            name="labelled-files",
            target="nkfm_files.labelled:labelled_files",
            summary="Recordings and a CSV table that says what is to be predicted of each",
            licence="yours",
        ),
        Entry(
            name="zarr-windows",
            target="nkfm_files.windows:zarr_windows",
            summary="Windows in the Zarr layout of braindecode's Hub data sets, which Open EEG Bench uses",
            requires=("zarr",),
            licence="that of the folder",
        ),
    ]
