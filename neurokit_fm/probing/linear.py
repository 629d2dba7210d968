"""probe: a simple head on frozen features of labelled trials."""

from __future__ import annotations

from collections.abc import Sequence

from neurokit_fm.dataset import Dataset
from neurokit_fm.evaluation.report import ProbeReport, Score
from neurokit_fm.model import Model
from neurokit_fm.probing.cache import FeatureCache
from neurokit_fm.probing.classify import Head
from neurokit_fm.probing.methods import model_probe, scored
from neurokit_fm.probing.trials import Summary, trial_features


def probe(
    model: Model,
    train: Dataset,
    test: Dataset,
    head: Head = "ridge",
    features: Summary = "channels",
    *,
    seed: int = 0,
    baselines: Sequence[Score] = (),
    name: str = "",
    cache: FeatureCache | None = None,
) -> ProbeReport:
    """Fit a head on a model's features of labelled trials and test it on others.

    Parameters
    ----------
    model : Model
        Frozen; its contract is applied to each recording as a whole (statistics of a test recording come from that
        recording, without labels).
    train, test : Dataset
        With `label_of` or a `target`; see `split`. Folds, a leak check and several models at once: `evaluate`.
    head : {"ridge", "logistic", "lda", "ncm", "knn"}
        See `fit_predict`.
    features : {"channels", "pooled", "tokens"}
        See `trial_features`.
    seed : int
        Of folds, bootstrap and permutations.
    baselines : sequence of Score
        What `baselines` measured on the same data, for the verdict.
    name : str
        How to call the model in the report; default: what it was loaded as.
    cache : FeatureCache, optional
        Folder of features on disk.

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
    known = trial_features(model, train, features=features, cache=cache)
    new = trial_features(model, test, features=features, cache=cache)
    mine = scored(model_probe(model, head, features, name=name), known, new, seed)
    return ProbeReport(scores=(mine,), baselines=tuple(baselines))
