"""One `Modality` value a line; ranges of plausible channel standard deviations in SI units (specs: unit guard)."""

from neurokit_fm import Modality

EEG = Modality(
    name="eeg",
    layout="series",
    kinds=("eeg",),
    unit_range=(("eeg", 1e-7, 1e-3),),
    summary="Scalp electroencephalography",
)
MEG = Modality(
    name="meg",
    layout="series",
    kinds=("meg",),
    unit_range=(("mag", 1e-15, 1e-10), ("grad_axial", 1e-15, 1e-10), ("grad_planar", 1e-14, 1e-9)),
    summary="Magnetoencephalography",
)
IEEG = Modality(
    name="ieeg",
    layout="series",
    kinds=("seeg", "ecog", "dbs"),
    unit_range=(("seeg", 1e-7, 1e-2), ("ecog", 1e-7, 1e-2), ("dbs", 1e-7, 1e-2)),
    summary="Intracranial EEG: SEEG, ECoG, DBS leads",
)
ECG = Modality(name="ecg", layout="series", kinds=("ecg",), summary="Electrocardiography")
EMG = Modality(name="emg", layout="series", kinds=("emg",), summary="Electromyography")
EOG = Modality(name="eog", layout="series", kinds=("eog",), summary="Electrooculography")
FNIRS = Modality(name="fnirs", layout="series", kinds=("fnirs",), summary="Functional near-infrared spectroscopy")
CALCIUM = Modality(name="calcium", layout="series", kinds=("neuron",), summary="Calcium imaging traces of neurons")
FMRI = Modality(name="fmri", layout="series", kinds=("region",), summary="BOLD time courses of regions")
SPIKES = Modality(name="spikes", layout="points", kinds=("neuron",), summary="Spike times of sorted units")
MRI = Modality(name="mri", layout="volume", kinds=("contrast",), summary="Structural magnetic resonance images")
CONNECTOME = Modality(
    name="connectome", layout="graph", kinds=("neuron", "region"), summary="Wiring between neurons or regions"
)
