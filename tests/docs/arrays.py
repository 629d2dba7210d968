import numpy as np

import neurokit_fm as nkfm

x = 20e-6 * np.random.default_rng(0).standard_normal((3, 2000))  # (channels, samples), volts
rec = nkfm.from_array(x, sfreq=200, names=["Fz", "Cz", "Pz"], modality="eeg")
print(rec.describe())
first = rec.crop(0, 1)["eeg"].read()  # (3, 200)
