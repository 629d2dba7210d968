"""FingerMovements in its given split: models and plain methods, published methods run on the same trials, published figures.

    python benchmarks/finger_movements.py --model nkfm-tiny --model runs/self-pretraining/model \\
        --peers PYTHON --peers PYTHON [--peers-path FOLDERS] [--seeds 5]

One Markdown table. Rows are of three kinds:

- *nkfm*: what `nkfm probe` measures: frozen features with the heads of `--head`, and the plain methods;
- *run here*: methods of other packages on the same arrays of trials, in the interpreters of `--peers` (one with aeon, one with
  braindecode; FOLDERS go into their PYTHONPATH), their predictions scored by the same code. A method with a random start is
  run from several seeds: mean and standard deviation over them, the interval over the same resampled trials for each;
- *published*: `Dataset.published`, accuracies that others report, with Wilson intervals.

p: two-sided sign-flip test over test trials of being right as often as shrinkage LDA of the raw trial (for one run McNemar's, as in
`nkfm probe`); there is none for published figures, whose predictions are not at hand. 1-NN with dependent DTW has no random part: run here it must give the published figure,
if the trials are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neurokit_fm as nkfm
from neurokit_fm.cli.probe import short_names
from neurokit_fm.evaluation.outcome import measures
from neurokit_fm.evaluation.report import flip_test, interval, resampled, wilson
from neurokit_fm.probing import Outcome, Prediction, Protocol, Trials, evaluate, model_probe, plain_methods, raw_trials

DATA, REFERENCE = "finger-movements", "raw trial, shrinkage LDA"


def of_nkfm(models: list[str], heads: list[str]) -> dict[str, list[Outcome]]:
    """What `nkfm probe` measures, as predictions."""
    methods = []
    for ref, name in short_names(models).items():
        model = nkfm.load_model(ref)
        first = model_probe(model, heads[0], name=name)
        methods += [first, *(model_probe(model, head, name=name, memo=first.memo) for head in heads[1:])]
    report = evaluate(methods, nkfm.datasets.load(DATA)(), Protocol(by="given"), plain=plain_methods("eeg"))
    return {score.method: [score.outcome] for score in report.every}


def of_peers(python: str, path: str, train: Trials, test: Trials, seeds: int) -> dict[str, list[Outcome]]:
    """Predictions of the methods that another interpreter has, one a seed."""
    with tempfile.TemporaryDirectory() as folder:
        trials = Path(folder) / "trials.npz"
        np.savez(trials, x=train.x, y=train.y, new=test.x)
        script = Path(__file__).parent / "peers" / "finger_movements.py"
        done = subprocess.run(
            [python, str(script), str(trials), str(seeds)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    names = tuple(np.unique(train.y).tolist())
    return {
        method: [
            Outcome.of(
                "classes", test.y, Prediction(names=names, decision=said[:, None] == np.array(names)), test.groups
            )
            for said in map(np.array, runs)
        ]
        for method, runs in json.loads(done.stdout).items()
    }


def measured(some: list[Outcome], reference: Outcome) -> dict[str, Any]:
    """Mean over seeds of balanced accuracy and accuracy, with intervals over the same resampled trials."""
    n = len(some[0])
    weights = resampled(np.random.default_rng(0), [np.arange(n)], n)
    found: dict[str, Any] = {"seeds": len(some)}
    for name in ("balanced accuracy", "accuracy"):
        values = np.array([measures(outcome, np.ones((1, n)))[name][0] for outcome in some])
        drawn = np.mean([measures(outcome, weights)[name] for outcome in some], axis=0)
        found[name] = (float(values.mean()), *interval(drawn, [np.arange(n)]))
        found[f"{name}, sd"] = float(values.std())
    right = [outcome.truth == outcome.predicted for outcome in [*some, reference]]
    found["p"] = flip_test(np.mean(right[:-1], axis=0) - right[-1], np.random.default_rng(0))
    return found


def cell(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="repeatable; default: nkfm-tiny")
    parser.add_argument("--head", action="append", help="repeatable; default: lda and ridge")
    parser.add_argument("--peers", action="append", default=[], help="interpreter with aeon or braindecode; repeatable")
    parser.add_argument("--peers-path", default="", help="folders for its PYTHONPATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", help="also write the numbers here")
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = nkfm.datasets.load(DATA)()
    train, test = (raw_trials(part) for part in nkfm.split(dataset, by="given"))
    ours = of_nkfm(given.model or ["nkfm-tiny"], given.head or ["lda", "ridge"])
    rows = [(name, "nkfm", some) for name, some in ours.items()]
    for python in given.peers:
        rows += [
            (name, "run here", some)
            for name, some in of_peers(python, given.peers_path, train, test, given.seeds).items()
        ]
    found = {}
    print(
        "| method | | balanced accuracy | accuracy | runs (sd) | p against the raw trial |\n|---|---|---|---|---|---|"
    )
    for name, who, some in rows:
        one = found[name] = measured(some, ours[REFERENCE][0])
        runs = f"{one['seeds']} ({one['accuracy, sd']:.2f})" if one["seeds"] > 1 else "1"
        p = "–" if name == REFERENCE else f"{one['p']:.3f}"
        print(f"| {name} | {who} | {cell(*one['balanced accuracy'])} | {cell(*one['accuracy'])} | {runs} | {p} |")
    for one in dataset.published:
        print(f"| {one.method} | published | – | {cell(one.accuracy, *wilson(one.accuracy, one.n_test))} | – | – |")
    print("\n" + "\n".join(f"- {one.method} (published): {one.source}" for one in dataset.published))
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
