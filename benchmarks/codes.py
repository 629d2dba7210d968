"""What the codes of EEGFormer are worth: on simulated recordings, whose truth is known, and on finger movements.

    python benchmarks/codes.py                                  # pretrains recipes/eegformer-small.toml first
    python benchmarks/codes.py runs/eegformer-small/model       # or takes what `nkfm pretrain` made of it

*pretraining*: reconstruction error on the test subjects of the recipe's data set, beside the mean spectrum of each patch
(what can be said without looking); perplexity there. *anomalies*: AUROC / AUPRC of three scores that saw no label, windows of 4 s every
second, on four more heads with discharges or muscle bursts. *motif*: two classes that differ in one rhythm only; accuracy of
naive Bayes on new heads, peak of the mean spectrum of its most telling n-gram. *finger movements*: left against right, the
given split, with a model pretrained on the training trials alone; balanced accuracy with its bootstrap interval.
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import torch

import neurokit_fm as nkfm
from neurokit_fm.training.recipe import read_recipe
from nkfm_eegformer.anomaly import detections, window_scores
from nkfm_eegformer.config import EEGFormerConfig
from nkfm_eegformer.model import EEGFormer
from nkfm_eegformer.ngrams import CodeNGramBayes
from nkfm_eegformer.reading import pattern, read_codes, read_trials, usage
from nkfm_simulate.config import ActivityConfig, SimulationConfig
from nkfm_simulate.dataset import simulate, simulated

RECIPE_DATA = SimulationConfig(subjects=8, sessions=1, duration_s=120.0)
HEADS = 12
RECIPE = Path(__file__).parents[1] / "recipes" / "eegformer-small.toml"


def pretraining(model):
    data = simulated(RECIPE_DATA, seed=0)
    train, test = nkfm.split(data, by="given")
    known, new = ([read_codes(model, rec, spectra=True) for rec in part] for part in (train, test))
    usual = np.mean([part.spectra.mean(axis=(0, 1), dtype=np.float64) for part in known], axis=0)  # (N, P)
    error = np.mean([part.scores["reconstruction"].mean() for part in new])
    plain = np.mean([((part.spectra - usual) ** 2).mean(dtype=np.float64) for part in new])
    use = [usage(part) for part in new]
    counts = np.sum([one.counts for one in use], axis=0)
    share = counts / counts.sum()
    perplexity = np.exp(-(share[share > 0] * np.log(share[share > 0])).sum())
    print(f"pretraining  held-out error {error:.3f}; mean spectrum of the patch {plain:.3f}; zeros "
          f"{np.mean([(part.spectra.astype(float) ** 2).mean() for part in new]):.3f}")  # fmt: skip
    print(f"             perplexity {perplexity:.1f} of {len(counts)} codes ({100 * perplexity / len(counts):.0f} %), "
          f"{int((counts == 0).sum())} never used")  # fmt: skip
    return np.sum([part.counts() for part in known], axis=0)


def anomalies(model, reference):
    base = replace(RECIPE_DATA, subjects=HEADS, task="rest", duration_s=240.0)
    kinds = {
        "seizure": replace(base, activity=replace(base.activity, seizures_per_hour=60, seizure_s=12.0)),
        "muscle": replace(base, artefacts=replace(base.artefacts, muscle_per_minute=4)),
    }
    for label, config in kinds.items():
        found = []
        for subject in range(8, HEADS):
            recording = simulate(config, seed=0, subject=subject)
            codes = read_codes(model, recording, hop_s=1.0)
            truth = codes.overlapping(recording.events.labelled(label), 0.25)
            found.append(detections(window_scores(codes, reference), truth))
        cells = [
            f"{name} {np.mean([one[name].auroc for one in found]):.3f} / {np.mean([one[name].auprc for one in found]):.3f}"
            for name in found[0]
        ]
        chance = np.mean([one["rarity"].prevalence for one in found])
        print(f"{label:12} {'; '.join(cells)}; chance 0.500 / {chance:.3f}")


def motif():
    quiet = ActivityConfig(states=1, beta_nam=0, frequency_jitter_hz=0)
    plain = SimulationConfig(subjects=8, sessions=1, duration_s=60, task="rest", activity=quiet)
    for nam in (25, 15, 8):
        other = replace(plain, activity=replace(quiet, beta_nam=nam, beta_hz=27.0))
        torch.manual_seed(0)
        config = EEGFormerConfig(
            segment_s=2.0, patch_len=10, stride=10, dim=32, ffn=64, heads=4, enc_layers=2, dec_layers=1, n_codes=64,
            dropout=0.0,
        )  # fmt: skip
        model = EEGFormer(config, nkfm.SeriesContract(sfreq=100.0, window_s=2.0, min_window_s=2.0))
        known = [simulate(one, seed=3, subject=s) for one in (plain, other) for s in range(4)]
        nkfm.pretrain(model, known, steps=150, batch_tokens=4096, lr=3e-3)
        parts = [read_codes(model, rec, spectra=True) for rec in known]
        codes = replace(
            parts[0],
            codes=np.concatenate([part.codes for part in parts]),
            spectra=np.concatenate([part.spectra for part in parts]),
        )
        bayes = CodeNGramBayes().fit(codes.codes, np.repeat(["plain", "motif"], 4 * len(parts[0])))
        lead = bayes.telling("motif")[0]
        right = [
            (bayes.predict(read_codes(model, simulate(one, seed=3, subject=s)).codes) == name).mean()
            for one, name in ((plain, "plain"), (other, "motif"))
            for s in range(4, 8)
        ]
        print(f"motif        {nam} nA m at 27 Hz: accuracy on 4 new heads {np.mean(right):.2f}; most telling n-gram "
              f"{'-'.join(map(str, lead.key))} peaks at {pattern(codes, lead.key).peak_hz:.1f} Hz")  # fmt: skip


def fingers():
    from sklearn.metrics import balanced_accuracy_score

    train, test = nkfm.split(nkfm.datasets.load("finger-movements")(), by="given")
    contract = nkfm.SeriesContract(sfreq=100.0, window_s=0.5, min_window_s=0.5)
    config = EEGFormerConfig(
        segment_s=0.5,
        patch_len=5,
        stride=5,
        dim=32,
        ffn=64,
        heads=4,
        enc_layers=2,
        dec_layers=1,
        n_codes=64,
        dropout=0.0,
    )
    torch.manual_seed(0)
    model = EEGFormer(config, contract)
    nkfm.pretrain(model, list(train), steps=150, batch_tokens=2048, lr=2e-3)
    known, new = read_trials(model, train), read_trials(model, test)
    rng = np.random.default_rng(0)
    # a book for each channel keeps left and right apart
    own = config.n_codes * np.arange(known.codes.shape[1])[:, None]
    for words, offset in (("bag over channels", 0), ("a book for each channel", own)):
        for orders in ((1,), (1, 2)):
            bayes = CodeNGramBayes(orders).fit(known.codes + offset, known.labels)
            predicted = bayes.predict(new.codes + offset)
            draws = [rng.integers(len(predicted), size=len(predicted)) for _ in range(1000)]
            low, high = np.percentile(
                [balanced_accuracy_score(new.labels[d], predicted[d]) for d in draws], [2.5, 97.5]
            )
            value = balanced_accuracy_score(new.labels, predicted)
            print(f"fingers      {words}, orders {orders}: {value:.2f} ({low:.2f} to {high:.2f}), chance 0.50")
    score = nkfm.probe(model, train, test).scores[0]
    print(f"fingers      linear probe: {score.value:.2f} ({score.low:.2f} to {score.high:.2f}), chance 0.50")


def main():
    if len(sys.argv) > 1:
        model = nkfm.load_model(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            nkfm.pretrain(read_recipe(RECIPE, [f"out={folder}/run"]), progress=True)
            model = nkfm.load_model(f"{folder}/run/model")
    anomalies(model, pretraining(model))
    motif()
    fingers()


if __name__ == "__main__":
    main()
