"""The estimator over arrays: scikit-learn's own checks, and behavioural models."""

import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from neurokit_fm.config import read_config, write_config
from nkfm_glmhmm import basis
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.estimator import SwitchingGlm

SEQUENTIAL = "rows are bins in order: the state of one depends on its neighbours"


def not_ours(estimator):
    return {
        "check_methods_sample_order_invariance": SEQUENTIAL,
        "check_methods_subset_invariance": SEQUENTIAL,
    }


@parametrize_with_checks([SwitchingGlm(max_iter=5, restarts=1)], expected_failed_checks=not_ours)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def choices(seed=0, n=1500):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 2))
    state = np.cumsum(rng.random(n) < 0.02) % 2
    w = np.array([[3.0, 0.0], [0.0, -3.0]])
    y = rng.random(n) < 1 / (1 + np.exp(-(w[state] * x).sum(1)))
    return x, y.astype(float), state


@pytest.mark.parametrize("family", ["bernoulli", "categorical"])
def test_a_behavioural_model_finds_the_policies(family):
    x, y, state = choices()
    model = SwitchingGlm(2, family=family, basis="none", restarts=4).fit(x, y, lengths=[700, 800])
    path = model.predict(x, y, lengths=[700, 800])
    accuracy = (path == state).mean()
    assert max(accuracy, 1 - accuracy) > 0.9
    sizes = sorted(np.abs(model.coef_[:, 0]).max(1))
    assert 1.5 < sizes[0] < 5
    assert model.score(x, y) > -0.45  # chance is -0.693
    assert model.predict_proba(x, y).shape == (1500, 2)
    np.testing.assert_allclose(model.filter(x, y)[-1], model.predict_proba(x, y)[-1])


def test_separable_choices_stay_finite():
    x = np.linspace(-1, 1, 200)[:, None]
    y = (x[:, 0] > 0).astype(float)
    for family in ("bernoulli", "categorical"):
        model = SwitchingGlm(2, family=family, basis="none", restarts=2).fit(x, y)
        assert np.isfinite(model.coef_).all()
        assert np.abs(model.coef_).max() < 100


def test_wrong_lengths_and_missing_targets_are_named():
    x, y, _ = choices(n=100)
    model = SwitchingGlm(2, family="bernoulli", basis="none", restarts=1, max_iter=3)
    with pytest.raises(ValueError, match="lengths add up to 90 bins; there are 100"):
        model.fit(x, y, lengths=[90])
    model.fit(x, y)
    with pytest.raises(ValueError, match="its states need y as well"):
        model.predict(x)


def test_a_basis_of_ones_own() -> None:
    x = np.random.default_rng(0).poisson(1.0, size=(300, 2)).astype(float)
    own = basis.raised_cosine(6, 3)
    by_name = SwitchingGlm(1, family="poisson", basis="log-cosine", n_lags=6, n_bases=3).fit(x)
    given = clone(SwitchingGlm(1, family="poisson", basis=own)).fit(x)
    np.testing.assert_allclose(given.coef_, by_name.coef_)
    again = read_config(GlmHmmConfig, json.loads(json.dumps(write_config(given._config()))))
    np.testing.assert_array_equal(again.kernels(), own)
