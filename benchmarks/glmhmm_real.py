"""How many states real recordings hold, and what switching gains over a plain GLM and a plain HMM.

    NKFM_SHARED=../shared python benchmarks/glmhmm_real.py [--only songbird insula worm]

Held-out log-likelihood, nats per bin, whole trials held out in 4 folds (worm, songbird: the one recording is cut into
consecutive blocks; history does not cross them). The HMM has no couplings: each state is a rate (a mean) for every neuron.
"""

import argparse
import itertools
import json
import os
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import h5py
import numpy as np
import torch

from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials, blocks
from nkfm_glmhmm.scoring import bits_per_spike, constant_rate
from nkfm_glmhmm.select import folds_of, select_states


def songbird(folder):
    """Zebra finch HVC, deconvolved events of 74 units, bins of 1/30 s (Mackevicius et al. 2019)."""
    ids, times = np.loadtxt(folder / "spikes" / "songbird_spikes.txt").T
    units = np.unique(ids)
    counts = np.zeros((int(np.rint(times.max() * 30)) + 1, len(units)))
    np.add.at(counts, (np.rint(times * 30).astype(int), np.searchsorted(units, ids)), 1)
    return [counts[a:b] for a, b in blocks(len(counts), 56)], {"family": "poisson", "n_lags": 5, "ridge": 5.0}


def insula(folder, bin_s=0.05):
    """Insular ensemble, 46 units of at least 0.5 Hz, 72 trials (source in the data's README)."""
    data = np.load(folder / "insula_ensemble.npz")
    offsets, rate = data["unit_offsets"], float(data["tick_rate_hz"])
    spikes = [data["spike_ticks"][a:b] / rate for a, b in itertools.pairwise(offsets)]
    spikes = [s for s in spikes if len(s) / 4610 >= 0.5]
    trials = []
    for start, stop in zip(data["trial_start_s"], data["trial_stop_s"], strict=True):
        bins = int((stop - start) / bin_s)
        edges = start + bin_s * np.arange(bins + 1)
        trials.append(np.stack([np.histogram(s, edges)[0] for s in spikes], 1).astype(float))
    return trials, {"family": "poisson", "basis": "log-cosine", "n_lags": 10, "n_bases": 3, "ridge": 20.0}


def worm(folder):
    """C. elegans, 94 identified neurons' calcium, z-scored, 1.667 Hz (Dag et al. 2023)."""
    with h5py.File(folder / "celegans" / "dag2023_2022-07-27-38-data.h5") as file:
        traces = file["gcamp/traces_array_F_F20"][:]
    labels = json.loads((folder / "celegans" / "dag2023_NeuroPAL_labels.json").read_text())
    rows = sorted({int(k) - 1 for k in next(iter(labels.values()))[0]})
    traces = traces if traces.shape[0] > traces.shape[1] else traces.T
    x = traces[:, [r for r in rows if r < traces.shape[1]]]
    x = (x - x.mean(0)) / x.std(0)
    return [x[a:b] for a, b in blocks(len(x), 50)], {"family": "gaussian", "n_lags": 3, "ridge": 20.0}


SETS = {"songbird": (songbird, range(1, 6)), "insula": (insula, range(1, 5)), "worm": (worm, range(1, 6))}


def curves(name, folder, restarts):
    load, counts = SETS[name]
    trials, settings = load(folder)
    bins = sum(map(len, trials))
    print(f"\n{name}: {load.__doc__}\n  {trials[0].shape[1]} neurons, {len(trials)} trials, {bins} bins", flush=True)
    configs = {
        "switching GLM": GlmHmmConfig(**settings, max_iter=60, tolerance=1e-4, stickiness=2.0),
        "HMM": GlmHmmConfig(**{**settings, "basis": "none"}, max_iter=60, tolerance=1e-4, stickiness=2.0),
        "switching GLM, gaussian": GlmHmmConfig(
            **settings, prior="gaussian", state_sd=0.1, max_iter=60, tolerance=1e-4, stickiness=2.0
        ),
        "switching GLM, one-hot": GlmHmmConfig(
            **settings, prior="one-hot", max_iter=60, tolerance=1e-4, stickiness=2.0
        ),
    }
    for label, config in configs.items():
        if name == "insula" and "," in label:
            continue
        data = Trials.of(trials, basis=config.kernels())
        begin = time.process_time()
        curve = select_states(data, config, list(counts), folds=4, restarts=restarts)
        text = f"  {label:24s}" + "".join(f"  {k}: {v:9.3f}" for k, v in zip(curve.n_states, curve.mean, strict=True))
        print(
            f"{text}   best {curve.best}, fewest within 1 s.e. {curve.fewest}, {time.process_time() - begin:.0f} CPU s"
        )
        if config.family == "poisson":
            rows = np.array([[_bits(data, out, value) for out, value in zip(folds_of(data, 4), row, strict=True)]
                             for row in curve.held_out])  # fmt: skip
            print(f"  {'  bits per spike':24s}" + "".join(f"  {k}: {v:9.3f}" for k, v in zip(curve.n_states, rows.mean(1), strict=True)), flush=True)  # fmt: skip


def _bits(data, out, evidence):
    test = data.take(out.tolist())
    train = data.take(np.setdiff1d(np.arange(len(data)), out).tolist())
    return bits_per_spike(evidence, constant_rate(train, test), test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--restarts", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for which in given.only:
        curves(which, Path(os.environ.get("NKFM_SHARED", "../shared")) / "data", given.restarts)
