"""What nkfm_modalities offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_modalities() -> list[Entry]:
    return [
        Entry(name="eeg", target="nkfm_modalities.table:EEG", summary="Scalp electroencephalography"),
        Entry(name="meg", target="nkfm_modalities.table:MEG", summary="Magnetoencephalography"),
        Entry(name="ieeg", target="nkfm_modalities.table:IEEG", summary="Intracranial EEG"),
        Entry(name="ecg", target="nkfm_modalities.table:ECG", summary="Electrocardiography"),
        Entry(name="emg", target="nkfm_modalities.table:EMG", summary="Electromyography"),
        Entry(name="eog", target="nkfm_modalities.table:EOG", summary="Electrooculography"),
        Entry(name="fnirs", target="nkfm_modalities.table:FNIRS", summary="Functional near-infrared spectroscopy"),
        Entry(name="calcium", target="nkfm_modalities.table:CALCIUM", summary="Calcium imaging traces"),
        Entry(name="fmri", target="nkfm_modalities.table:FMRI", summary="BOLD time courses of regions"),
        Entry(name="spikes", target="nkfm_modalities.table:SPIKES", summary="Spike times of sorted units"),
        Entry(name="mri", target="nkfm_modalities.table:MRI", summary="Structural magnetic resonance images"),
        Entry(
            name="connectome", target="nkfm_modalities.table:CONNECTOME", summary="Wiring between neurons or regions"
        ),
    ]
