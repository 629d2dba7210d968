"""Ridge probe with its penalty chosen over grouped folds, beside scikit-learn's grid search on the same numbers.

Usage: python benchmarks/probe.py [TRIALS] [FEATURES]   (default 100000 512; one thread, process CPU time)
"""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from neurokit_fm.probing.ridge import fit_ridge

ALPHAS = [1e4, 1e3, 1e2, 1e1, 1e0]


def timed(function):
    wall, cpu = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def main(n: int = 100_000, d: int = 512) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 50, n)
    x = rng.normal(size=(n, d)).astype(np.float32) * rng.uniform(0.1, 10, d).astype(np.float32)
    hidden = rng.normal(size=d) / np.sqrt(d) * (rng.random(d) < 0.1) / x.std(0)
    y = x @ hidden + 0.5 * rng.normal(size=n) > 0.1
    counts = np.bincount(y.astype(int))
    weights = (n / (2 * counts))[y.astype(int)]
    folds = list(GroupKFold(5).split(x, y, groups))

    def ours():
        def criterion(rows, said):
            right = y[rows] == (said[:, 0] > 0)
            return (right[y[rows]].mean() + right[~y[rows]].mean()) / 2

        return fit_ridge(x, np.where(y, 1.0, -1.0)[:, None], ALPHAS, [test for _, test in folds], criterion, weights)

    def theirs(precise):
        grid = GridSearchCV(
            Pipeline([("scale", StandardScaler()), ("head", RidgeClassifier())]),
            {"head__alpha": ALPHAS},
            scoring="balanced_accuracy",
            cv=folds,
        )
        return grid.fit(x.astype(np.float64) if precise else x, y, head__sample_weight=weights)

    mine, wall, cpu = timed(ours)
    print(
        f"{n:,} trials x {d} features, {len(ALPHAS)} penalties, {len(folds)} grouped folds; balanced accuracy of each penalty"
    )
    print(f"{'':34s} {'CPU s':>8s} {'wall s':>8s} {'ratio':>7s}  scores")
    print(f"{'fit_ridge':34s} {cpu:8.2f} {wall:8.2f} {1:7.1f}  {np.round(mine.scores, 5).tolist()}")
    for precise, name in ((True, "GridSearchCV, float64"), (False, "GridSearchCV, float32")):
        search, slow_wall, slow = timed(lambda precise=precise: theirs(precise))
        scores = search.cv_results_["mean_test_score"]
        print(f"{name:34s} {slow:8.2f} {slow_wall:8.2f} {slow / cpu:7.1f}  {np.round(scores, 5).tolist()}")
        print(f"{'  largest difference of a score':34s} {np.abs(scores - mine.scores).max():.1e}, "
              f"same penalty: {search.best_params_['head__alpha'] == mine.alpha}")  # fmt: skip
    said = search.predict(x)
    print(f"training part, theirs {balanced_accuracy_score(y, said):.5f}, ours "
          f"{balanced_accuracy_score(y, mine.predict(x)[:, 0] > 0):.5f}")  # fmt: skip
    gram = x[:5000].T.astype(np.float64) @ x[:5000]
    _, _, one = timed(lambda: eigh(gram))
    _, _, five = timed(lambda: [cho_solve(cho_factor(gram + a * np.eye(d)), gram[:, :1]) for a in ALPHAS])
    print(f"{d} x {d}: one eigendecomposition {1e3 * one:.0f} ms, {len(ALPHAS)} Cholesky solves {1e3 * five:.0f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
