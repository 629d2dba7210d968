"""probe: a linear classifier on frozen features of labelled trials."""

from __future__ import annotations

from collections.abc import Sequence

from neurokit_fm.dataset import Dataset
from neurokit_fm.model import Model
from neurokit_fm.probing.classify import Head, fit_predict
from neurokit_fm.probing.report import ProbeReport, Score, score
from neurokit_fm.probing.trials import Kind, trial_features


def probe(
    model: Model,
    train: Dataset,
    test: Dataset,
    head: Head = "ridge",
    features: Kind = "channels",
    *,
    seed: int = 0,
    baselines: Sequence[Score] = (),
    name: str = "",
) -> ProbeReport:
    """Fit a linear head on a model's features of labelled trials and test it on others.

    Parameters
    ----------
    model : Model
        Frozen; its contract is applied to each recording as a whole (statistics of a test recording come from that
        recording, without labels).
    train, test : Dataset
        With `label_of`; see `split`.
    head : {"ridge", "logistic", "lda"}
    features : {"channels", "pooled", "tokens"}
        See `trial_features`.
    seed : int
        Of folds, bootstrap and permutations.
    baselines : sequence of Score
        What `baselines` measured on the same data, for the verdict.
    name : str
        How to call the model in the report; default: what it was loaded as.

    Returns
    -------
    ProbeReport

    Raises
    ------
    ContractError
        If a recording does not fit the model.
    DataError
        If there are too few labelled trials, or features of train and test would not mean the same.
    """
    known = trial_features(model, train, features=features)
    new = trial_features(model, test, features=features)
    known.must_match(new)
    predicted, words = fit_predict(head, known.x, known.y, known.groups, new.x, seed)
    mine = score(
        f"{name or model.reference}, {features}, {head}",
        new.y,
        predicted,
        new.groups,
        n_train=len(known.y),
        protocol=f"frozen features, {known.x.shape[1]} values, {words}",
        seed=seed,
    )
    return ProbeReport(scores=(mine,), baselines=tuple(baselines))
