"""What nkfm_samples offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_datasets() -> list[Entry]:
    """Offer the sample data sets."""
    return [
        Entry(
            name="eeglab-attention",
            target="nkfm_samples.dataset:eeglab_attention",
            summary="Scalp EEG of a visual attention task: 30 electrodes and 2 EOG, 128 Hz, 238 s, 154 events",
            licence="BSD-2-Clause",
            commercial=True,
        ),
        Entry(
            name="finger-movements",
            target="nkfm_samples.dataset:finger_movements",
            summary="Labelled EEG trials before left and right key presses: 316 to train, 100 to test",
            paper="Blankertz et al. 2002",
            licence="BSD-3-Clause",
            commercial=True,
        ),
        Entry(
            name="finger-movements-repaired",
            target="nkfm_samples.dataset:finger_movements_repaired",
            summary="The same trials, each of 16 electrodes put back in order: the published rows overlap",
            paper="Blankertz et al. 2002",
            licence="BSD-3-Clause",
            commercial=True,
        ),
        Entry(
            name="kit-meg",
            target="nkfm_samples.dataset:kit_meg",
            summary="MEG of 157 axial gradiometers with geometry, 1000 Hz, 2 s",
            licence="BSD-3-Clause",
            commercial=True,
        ),
        Entry(
            name="songbird-spikes",
            target="nkfm_samples.dataset:songbird_spikes",
            summary="Spikes of 75 units of a singing zebra finch, 22 s",
            paper="eLife 38471",
            licence="MIT",
            commercial=True,
        ),
    ]
