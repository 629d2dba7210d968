"""
Mask and reconstruct
====================

What a masked autoencoder is trained on: parts of the signal are hidden, and it predicts them from the rest. After a
short training it takes the slow course of a hidden stretch from neighbouring electrodes and times.
"""

import matplotlib.pyplot as plt
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.config import read_config

recording = nkfm.datasets.load("eeglab-attention")()[0]
contract = nkfm.SeriesContract(
    modality="eeg", sfreq=100, window_s=2, min_window_s=1, band=(0.5, 20), clip=15, frame="template"
)
small = {"width": 64, "depth": 2, "heads": 4, "head_dim": 16}
settings = {
    "encoder": {
        "tokenizer": {"name": "patch", "length_s": 0.25, "hop_s": 0.25},
        "encoding": {"name": "fourier-4d", "step_s": 0.25},
        "transformer": small,
    },
    "decoder": {**small, "depth": 1},
    "mask": {"kind": "random", "ratio": 0.3},
}
mae = nkfm.models.load("mae")
torch.manual_seed(0)
model = mae(read_config(mae.config_class, settings), contract)
history = nkfm.pretrain(model, [recording], steps=200, batch_tokens=1500, lr=3e-3, held_out_s=40, seed=0)
print(f"held-out loss {history.held_out_start:.3f} -> {history.held_out_end:.3f}")

# %%
# Two seconds that were not trained on
# ------------------------------------
# A quarter of a second here, a quarter there is hidden. `reconstruct` returns the hidden tokens and what was predicted
# for them, in the order of channels and time.

ready = contract.apply(recording)
batch = collate([ready.crop(210, 212)])
model.eval()
with torch.no_grad():
    made = model.reconstruct(batch, generator=torch.Generator().manual_seed(3))

truth = made.target.values[made.hidden]
error = (made.predicted - truth).abs().mean()
silent = truth.abs().mean()
print(f"mean absolute error {error:.3f}; predicting silence {silent:.3f}")

# %%
# Three electrodes
# ----------------

predicted = torch.full_like(made.target.values, float("nan"))
predicted[made.hidden] = made.predicted
predicted = predicted[0].view(batch["eeg"].values.shape[1], -1)  # (C, T)
hidden = made.hidden[0].view(len(predicted), -1)
rows = hidden.sum(1).argsort(descending=True, stable=True)[:3]

figure, panels = plt.subplots(len(rows), 1, figsize=(9, 5), sharex=True, layout="constrained")
seconds = 210 + torch.arange(predicted.shape[1]) / contract.sfreq
for panel, row in zip(panels, rows.tolist(), strict=True):
    panel.plot(seconds, batch["eeg"].values[0, row, : predicted.shape[1]], color="0.6", label="signal")
    panel.plot(seconds, predicted[row], color="C3", label="predicted where hidden")
    panel.set_ylabel(f"{batch['eeg'].names[0][row]} (z-score)")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
panels[-1].set_xlabel("time (s)")
plt.show()
