"""Memory of pre-training against the length of recordings and of windows.

    python benchmarks/pretrain_memory.py

Each line is a process of its own: one recording of 32 channels at 100 Hz is prepared into a corpus, another process trains
a small masked autoencoder on it for some steps, and its peak resident memory is read. `private` leaves out mapped files,
which the system takes back when it needs them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = {"width": 128, "depth": 3, "heads": 4, "head_dim": 32}
BATCH_TOKENS, STEPS = 2048, 30
CASES = [(minutes, 2.0) for minutes in (5, 30, 180)] + [(30, window_s) for window_s in (1.0, 4.0, 8.0, 16.0)]


def private_mb() -> float:
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Anonymous")) / 1024


def prepare(folder: Path, minutes: float, window_s: float) -> None:
    import numpy as np

    import neurokit_fm as nkfm
    from neurokit_fm.corpus.prepare import prepare

    rng = np.random.default_rng(0)
    names = [f"S{i}" for i in range(32)]
    places = rng.standard_normal((32, 3))
    places *= 0.09 / np.linalg.norm(places, axis=1, keepdims=True)
    x = (2e-5 * rng.standard_normal((32, round(minutes * 6000)))).astype(np.float32)
    made = nkfm.from_array(x, sfreq=100.0, names=names, positions=places, frame="head", modality="eeg")
    contract = nkfm.SeriesContract(sfreq=100.0, window_s=window_s, min_window_s=0.25, frame="head")
    table = [{"subject": "1", "session": "1"}]
    data = nkfm.Dataset(name="noise", table=table, open=lambda row: made, licence="CC0", citation="noise, 2026")
    prepare(data, contract, folder / "corpus")


def train(folder: Path, window_s: float) -> None:
    import torch

    from neurokit_fm.training import Recipe, carry_out

    torch.set_num_threads(1)
    contract = {"layout": "series", "sfreq": 100.0, "window_s": window_s, "min_window_s": 0.25, "frame": "head"}
    patch = {"name": "patch", "length_s": 0.25, "hop_s": 0.25}
    model = {"name": "mae", "encoder": {"tokenizer": patch, "transformer": SMALL}, "decoder": {**SMALL, "depth": 1}}
    data = [{"corpus": str(folder / "corpus")}]
    settings = {"steps": STEPS, "batch_tokens": BATCH_TOKENS}
    carry_out(Recipe.of(out=str(folder / "run"), model=model, contract=contract, data=data, train=settings))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "private": private_mb()}))


def main() -> None:
    if len(sys.argv) > 1:
        what, folder, minutes, window_s = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
        if what == "prepare":
            prepare(folder, minutes, window_s)
        else:
            train(folder, window_s)
        return
    print("| recording | window s | tokens of a window | peak MB | private MB at the end |\n|---|---|---|---|---|")
    for minutes, window_s in CASES:
        with tempfile.TemporaryDirectory() as folder:
            for what in ("prepare", "train"):
                line = [sys.executable, __file__, what, folder, str(minutes), str(window_s)]
                done = subprocess.run(line, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        tokens = 32 * round(window_s / 0.25)
        print(
            f"| {minutes:g} min | {window_s:g} | {tokens} | {found['peak']:.0f} | {found['private']:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
