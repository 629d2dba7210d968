"""
Embed a recording and look at it
================================

A small masked autoencoder learns from four minutes of EEG, then gives every two seconds of them a vector. Such a model
knows this one recording and nothing else; with a pretrained one the training falls away: ``nkfm.load_model(...)``.
"""

# %%
# The recording
# -------------
# Scalp EEG of a visual attention task. Samples stay on disk until they are needed.

import matplotlib.pyplot as plt
import numpy as np
import torch

import neurokit_fm as nkfm
from neurokit_fm.config import read_config

recording = nkfm.datasets.load("eeglab-attention")()[0]
print(recording.describe())

# %%
# A model, put together by name
# -----------------------------
# The contract says what input the model takes; `explain` says what that means for this recording.

contract = nkfm.SeriesContract(
    modality="eeg", sfreq=100, window_s=2, min_window_s=1, band=(0.5, 40), clip=15, frame="template"
)
print(contract.explain(recording))

small = {"width": 64, "depth": 2, "heads": 4, "head_dim": 16}
settings = {
    "encoder": {
        "tokenizer": {"name": "patch", "length_s": 0.5, "hop_s": 0.5},
        "encoding": {"name": "fourier-4d", "step_s": 0.5},
        "transformer": small,
    },
    "decoder": {**small, "depth": 1},
}
mae = nkfm.models.load("mae")
torch.manual_seed(0)
model = mae(read_config(mae.config_class, settings), contract)

# %%
# Pretraining
# -----------
# The last 40 s are held out; the loss there must fall, or nothing was learned.

history = nkfm.pretrain(model, [recording], steps=80, batch_tokens=2000, held_out_s=40, seed=0)
print(f"held-out loss {history.held_out_start:.3f} -> {history.held_out_end:.3f}")

# %%
# One vector every two seconds
# ----------------------------
# Drawn along their two largest components. The colour is time: early and late windows mix, so what these two components
# follow is not a slow drift of the recording.

embedding = nkfm.embed(model, recording)
print(embedding.values.shape)

centred = embedding.values - embedding.values.mean(axis=0)
axes, sizes, _ = np.linalg.svd(centred, full_matrices=False)
share = sizes**2 / (sizes**2).sum()

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(history.total)
left.set(xlabel="step", ylabel="training loss")
dots = right.scatter(*(axes[:, :2] * sizes[:2]).T, c=embedding.times.mean(axis=1))
right.set(xlabel=f"first component ({share[0]:.0%})", ylabel=f"second component ({share[1]:.0%})")
figure.colorbar(dots, label="time (s)")
plt.show()
