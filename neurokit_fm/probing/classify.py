"""Linear classifiers whose every statistic and setting comes from the training part. scikit-learn does the fitting."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import ConfigError, DataError

Head = Literal["ridge", "logistic", "lda"]
Labels = npt.NDArray[np.str_]

FOLDS = 5


def fit_predict(
    head: Head, x: npt.NDArray[Any], y: Labels, groups: Labels, x_test: npt.NDArray[Any], seed: int
) -> tuple[Labels, str]:
    """Fit on the training part, predict the other.

    Parameters
    ----------
    head : {"ridge", "logistic", "lda"}
        Ridge or logistic regression with balanced classes, their penalty chosen by cross-validation within the training
        part (by group where there are several), or linear discriminant analysis with the covariance shrinkage of
        Ledoit and Wolf, which has nothing to choose.
    x : ndarray, shape (N, D)
    y, groups : ndarray, shape (N,)
    x_test : ndarray, shape (M, D)
    seed : int
        Of the folds.

    Returns
    -------
    predicted : ndarray, shape (M,)
    words : str
        What was done.

    Raises
    ------
    DataError
        If there are fewer than two classes, or fewer than two trials of one.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    x, x_test = (
        np.asarray(x, dtype=np.float64),
        np.asarray(x_test, dtype=np.float64),
    )  # ridge is ill-conditioned in float32
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2 or counts.min() < 2:
        have = ", ".join(f"{name} x{n}" for name, n in zip(classes, counts, strict=True))
        raise DataError(f"a probe needs two classes with two training trials each; the training part has {have}")
    if head == "lda":
        model = Pipeline([("scale", StandardScaler()), ("head", LinearDiscriminantAnalysis("lsqr", shrinkage="auto"))])
        return np.asarray(model.fit(x, y).predict(x_test)), "standardised on the training part"
    if head == "ridge":
        plain, name, grid = RidgeClassifier(class_weight="balanced"), "alpha", np.logspace(6, -2, 9)
    elif head == "logistic":
        plain = LogisticRegression(class_weight="balanced", max_iter=5000)
        name, grid = "C", np.logspace(-5, 1, 7)
    else:
        raise ConfigError(f"head must be 'ridge', 'logistic' or 'lda'; got {head!r}")
    n_groups = len(np.unique(groups))
    if n_groups > 1:
        folds, how = StratifiedGroupKFold(min(FOLDS, n_groups), shuffle=True, random_state=seed), "by group"
    else:
        folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=seed)
        how = "by trial"
    search = GridSearchCV(  # of equal scores the first wins: the strongest penalty
        Pipeline([("scale", StandardScaler()), ("head", plain)]),
        {f"head__{name}": grid},
        scoring="balanced_accuracy",
        cv=folds,
    ).fit(x, y, groups=groups if n_groups > 1 else None)
    chosen = search.best_params_[f"head__{name}"]
    words = f"standardised on the training part; {name}={chosen:g} by {folds.n_splits}-fold cross-validation {how} within it"
    return np.asarray(search.predict(x_test)), words
