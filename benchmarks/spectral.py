"""How long it takes to turn an hour of 32 channels into codes, as a multiple of the bare FFT of the same samples.

    python benchmarks/spectral.py

250 Hz, segments of 12 s: 300 x 32 spectra of 3000 samples. *FFT*: `torch.fft.rfft` and nothing else, in the same pieces.
*front end*: amplitude, normalisation, patches. *codes*: front end, encoder and look-up, for each published size, in float32
and bfloat16; pieces of 8 segments. One thread, processor time; every repetition does each in turn, the median over them and
the lowest and highest. Also: share of the codes that differ in bfloat16, and how often real time.
"""

import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import torch

from nkfm_eegformer.config import CONTRACT, PRESETS
from nkfm_eegformer.model import EEGFormer

REPEATS, CHANNELS, SEGMENTS, AT_ONCE = 3, 32, 300, 8


def timed(work, pieces):
    started = time.process_time()
    out = [work(piece) for piece in pieces]
    return time.process_time() - started, out


@torch.inference_mode()
def main():
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    pieces = torch.randn((SEGMENTS, CHANNELS, 3000), generator=rng).cumsum(-1).split(AT_ONCE)
    models = {}
    for size, config in PRESETS.items():
        torch.manual_seed(0)
        models[f"{size}, float32"] = EEGFormer(config, CONTRACT).eval().tokenizer
        torch.manual_seed(0)
        models[f"{size}, bfloat16"] = EEGFormer(config, CONTRACT).eval().bfloat16().tokenizer
    frontend = models["small, float32"].frontend

    def coder(tokenizer):
        dtype = tokenizer.project.weight.dtype

        def work(x):
            patches = frontend.normalised(x)[0].to(dtype).flatten(1, 2)  # (B, C*N, P)
            return tokenizer.quantise(tokenizer.encode(patches)).codes

        return work

    jobs = {"front end": lambda x: frontend.normalised(x)[0], **{name: coder(one) for name, one in models.items()}}
    seconds = {name: [] for name in ("FFT", *jobs)}
    codes = {}
    for _ in range(REPEATS):
        seconds["FFT"].append(timed(torch.fft.rfft, pieces)[0])
        for name, work in jobs.items():
            took, out = timed(work, pieces)
            seconds[name].append(took)
            codes[name] = torch.cat([piece.flatten() for piece in out]) if name != "front end" else None
    print(f"{'':18}{'s':>8}{'x FFT':>24}{'x real time':>14}{'other codes':>13}")
    for name, took in seconds.items():
        ratio = np.percentile(np.array(took) / np.array(seconds["FFT"]), [0, 50, 100])
        plain = codes.get(name.replace("bfloat16", "float32")) if "bfloat16" in name else None
        other = "" if plain is None else f"{100 * float((codes[name] != plain).float().mean()):.1f} %"
        spread = f"{ratio[1]:.1f} ({ratio[0]:.1f} to {ratio[2]:.1f})"
        print(f"{name:18}{np.median(took):8.3f}{spread:>24}{3600 / np.median(took):14,.0f}{other:>13}")


if __name__ == "__main__":
    main()
