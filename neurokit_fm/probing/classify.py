"""Heads on fixed features, whose every statistic and setting comes from the training part."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.evaluation.outcome import Kind, Prediction, label_matrix, split_labels
from neurokit_fm.probing.nearest import NearestMean
from neurokit_fm.probing.ridge import fit_ridge

Head = Literal["ridge", "logistic", "lda", "ncm", "knn"]
Array = npt.NDArray[Any]

FOLDS = 5
NEIGHBOURS = 5
ALPHAS = tuple(np.logspace(6, -2, 9))
"""Penalties of ridge regression, the strongest first: of equal scores the first wins."""

INVERSE_PENALTIES = tuple(np.logspace(-5, 1, 7))
ONLY_CLASSES = ("logistic", "lda", "ncm")


def fit_predict(
    head: Head, x: Array, y: Array, groups: Array, x_test: Array, seed: int, kind: Kind = "classes"
) -> tuple[Prediction, str]:
    """Fit on the training part, predict the other.

    Parameters
    ----------
    head : {"ridge", "logistic", "lda", "ncm", "knn"}
        Ridge or logistic regression with balanced classes, their penalty chosen by cross-validation within the training
        part (by group where there are several); linear discriminant analysis with the covariance shrinkage of Ledoit and
        Wolf; the nearest class mean of normalised features; the `NEIGHBOURS` nearest trials. Numbers and joint labels
        are for ridge and knn.
    x : ndarray, shape (N, D)
    y : ndarray, shape (N,)
        As `Trials.y`.
    groups : ndarray, shape (N,)
    x_test : ndarray, shape (M, D)
    seed : int
        Of the folds.
    kind : {"classes", "quantity", "labels"}

    Returns
    -------
    predicted : Prediction
    words : str
        What was done.

    Raises
    ------
    DataError
        If there are fewer than two classes, or fewer than two trials of one.
    ConfigError
        If there is no such head, or it cannot predict what is asked for.
    """
    if head not in get_args(Head):
        raise ConfigError(f"head must be {', '.join(map(repr, get_args(Head)[:-1]))} or 'knn'; got {head!r}")
    if kind != "classes" and head in ONLY_CLASSES:
        raise ConfigError(f"{head} tells classes apart; a {kind} target takes ridge or knn")
    _check(y, kind)
    if head == "ridge":
        return _ridge(x, y, groups, x_test, seed, kind)
    x, x_test = np.asarray(x, dtype=np.float64), np.asarray(x_test, dtype=np.float64)
    if head == "ncm":
        nearest = NearestMean().add(x, y)
        return Prediction(names=nearest.names, decision=nearest.decide(x_test)), "features of length 1"
    if head == "knn":
        return _neighbours(x, y, x_test, kind)
    return _with_sklearn(head, x, y, groups, x_test, seed)


def _check(y: Array, kind: Kind) -> None:
    if kind == "quantity":
        if len(y) < 4 or not np.ptp(y):
            raise DataError(f"a quantity needs four training trials that differ; the training part has {len(y)}")
        return
    texts = [name for text in y for name in split_labels(text)] if kind == "labels" else y
    classes, counts = np.unique(np.asarray(texts, dtype=str), return_counts=True)
    if kind == "classes" and (len(classes) < 2 or counts.min() < 2) or not len(classes):
        have = ", ".join(f"{name} x{n}" for name, n in zip(classes, counts, strict=True))
        raise DataError(f"a probe needs two classes with two training trials each; the training part has {have}")


def _folds(y: Array, groups: Array, seed: int, kind: Kind) -> tuple[list[tuple[Array, Array]], str]:
    """Training and held-out rows of each inner fold, and how they were made."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    n_groups = len(np.unique(groups))
    blank = np.zeros(len(y))
    if n_groups > 1:
        n = min(FOLDS, n_groups)
        plain = StratifiedGroupKFold if kind == "classes" else GroupKFold
        return list(plain(n, shuffle=True, random_state=seed).split(blank, y, groups)), "by group"
    if kind == "classes":
        n = min(FOLDS, int(np.unique(y, return_counts=True)[1].min()))
        return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(blank, y)), "by trial"
    return list(KFold(min(FOLDS, len(y)), shuffle=True, random_state=seed).split(blank)), "by trial"


def _ridge(
    x: Array, y: Array, groups: Array, x_test: Array, seed: int, kind: Kind
) -> tuple[Prediction, str]:  # fmt: skip
    folds, how = _folds(y, groups, seed, kind)
    held = [test for _, test in folds]
    names: tuple[str, ...] = ()
    weights = None
    if kind == "quantity":
        values = np.asarray(y, dtype=np.float64)
        targets = values[:, None]

        def criterion(rows: Array, said: Array) -> float:
            return -float(((values[rows] - said[:, 0]) ** 2).mean())
    elif kind == "labels":
        names = tuple(sorted({name for text in y for name in split_labels(text)}))
        truth = label_matrix(y, names)
        targets = np.where(truth, 1.0, -1.0)

        def criterion(rows: Array, said: Array) -> float:
            right = (said > 0) == truth[rows]
            hits = [right[truth[rows][:, c] == v, c].mean() for c in range(len(names)) for v in (True, False)
                    if (truth[rows][:, c] == v).any()]  # fmt: skip
            return float(np.mean(hits))
    else:
        classes, codes = np.unique(y, return_inverse=True)
        names = tuple(map(str, classes))
        counts = np.bincount(codes)
        weights = (len(y) / (len(names) * counts))[codes]
        one_hot = np.where(codes[:, None] == np.arange(len(names)), 1.0, -1.0)
        targets = one_hot[:, 1:] if len(names) == 2 else one_hot

        def criterion(rows: Array, said: Array) -> float:
            guess = (said[:, 0] > 0).astype(int) if len(names) == 2 else said.argmax(1)
            share = np.bincount(codes[rows], weights=guess == codes[rows], minlength=len(names))
            n = np.bincount(codes[rows], minlength=len(names))
            return float((share[n > 0] / n[n > 0]).mean())

    fit = fit_ridge(x, targets, ALPHAS, held, criterion, weights)
    decision = fit.predict(x_test)
    if kind == "classes" and len(names) == 2:
        decision = np.concatenate([-decision, decision], axis=1)
    words = (
        f"standardised on the training part; alpha={fit.alpha:g} by {len(held)}-fold cross-validation {how} within it"
    )
    return Prediction(names=names, decision=decision), words


def _neighbours(x: Array, y: Array, x_test: Array, kind: Kind) -> tuple[Prediction, str]:
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    names: tuple[str, ...] = ()
    if kind == "quantity":
        targets = np.asarray(y, dtype=np.float64)[:, None]
    elif kind == "labels":
        names = tuple(sorted({name for text in y for name in split_labels(text)}))
        targets = label_matrix(y, names).astype(np.float64)
    else:
        names = tuple(map(str, np.unique(y)))
        targets = (np.asarray(y)[:, None] == np.array(names)).astype(np.float64)
    k = min(NEIGHBOURS, len(y))
    model = Pipeline([("scale", StandardScaler()), ("head", KNeighborsRegressor(k))]).fit(x, targets)
    said = np.asarray(model.predict(x_test)).reshape(len(x_test), -1)
    return Prediction(names=names, decision=said, probability=kind != "quantity"), (
        f"standardised on the training part; share of the {k} nearest trials"
    )


def _with_sklearn(
    head: Head, x: Array, y: Array, groups: Array, x_test: Array, seed: int
) -> tuple[Prediction, str]:  # fmt: skip
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    words = "standardised on the training part"
    if head == "lda":
        model: Any = Pipeline(
            [("scale", StandardScaler()), ("head", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))]
        ).fit(x, y)
    else:
        folds, how = _folds(y, groups, seed, "classes")
        plain = LogisticRegression(class_weight="balanced", max_iter=5000)
        search = GridSearchCV(  # of equal scores the first wins: the strongest penalty
            Pipeline([("scale", StandardScaler()), ("head", plain)]),
            {"head__C": INVERSE_PENALTIES},
            scoring="balanced_accuracy",
            cv=folds,
        )
        with warnings.catch_warnings():  # a fold of few groups may lack a class
            warnings.filterwarnings("ignore", "(A single label was found|y_pred contains classes)", UserWarning)
            model = search.fit(x, y)
        words += f"; C={model.best_params_['head__C']:g} by {len(folds)}-fold cross-validation {how} within it"
    names = tuple(map(str, model.classes_))
    return Prediction(names=names, decision=model.predict_proba(x_test), probability=True), words
