"""Measures against scikit-learn, also under resampling; ridge against its grid search; comparisons of methods."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from neurokit_fm.errors import DataError
from neurokit_fm.evaluation.outcome import BINS, chances, joined, measures
from neurokit_fm.evaluation.report import interval, score
from neurokit_fm.probing import Outcome, Prediction, compare
from neurokit_fm.probing.nearest import NearestMean
from neurokit_fm.probing.ridge import fit_ridge

GOLDENS = Path(__file__).parents[1] / "goldens" / "methods"


def some_outcome(k: int, n: int = 60, seed: int = 0, groups: int = 1) -> Outcome:
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(k)]
    truth = rng.choice(names, n)
    decision = rng.normal(size=(n, k)) + 1.2 * (truth[:, None] == np.array(names))
    p = np.exp(decision) / np.exp(decision).sum(1, keepdims=True)
    p = np.round(p, 1)  # ties
    p /= p.sum(1, keepdims=True)
    of = np.array([f"g{i % groups}" for i in range(n)])
    return Outcome.of("classes", truth, Prediction(names=tuple(names), decision=p, probability=True), of)


@pytest.mark.parametrize("k", [2, 4])
def test_measures_of_classes_are_those_of_scikit_learn_also_when_trials_count_several_times(k: int) -> None:
    outcome = some_outcome(k)
    rng = np.random.default_rng(1)
    weights = np.concatenate([np.ones((1, 60)), rng.multinomial(60, np.full(60, 1 / 60), size=3)])
    found = measures(outcome, weights)
    for row, w in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(60), w)
        y, said, p = outcome.truth[rows], outcome.predicted[rows], outcome.decision[rows]
        hot = y[:, None] == np.arange(k)
        columns = [1] if k == 2 else range(k)
        score = p[:, 1] - p[:, 0] if k == 2 else None
        expected = {
            "balanced accuracy": sk.balanced_accuracy_score(y, said),
            "accuracy": sk.accuracy_score(y, said),
            "kappa": sk.cohen_kappa_score(y, said),
            "F1": sk.f1_score(y, said, average="macro"),
            "F1 (weighted)": sk.f1_score(y, said, average="weighted"),
            "AUROC": np.mean([sk.roc_auc_score(hot[:, c], p[:, c] if score is None else score) for c in columns]),
            "AUPRC": np.mean([sk.average_precision_score(hot[:, c], p[:, c] if score is None else score) for c in columns]),
            "Brier score": ((p - hot) ** 2).sum(1).mean(),
        }  # fmt: skip
        for name, value in expected.items():
            assert found[name][row] == pytest.approx(value, abs=1e-9), name


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    p = np.tile([[0.75, 0.25]], (80, 1))
    truth = np.array(["a"] * 60 + ["b"] * 20)
    sure = Outcome.of("classes", truth, Prediction(names=("a", "b"), decision=p, probability=True), truth)
    assert measures(sure, np.ones((1, 80)))["calibration error"][0] == pytest.approx(0, abs=1e-9)
    boasting = Prediction(names=("a", "b"), decision=np.tile([[1.0, 0.0]], (80, 1)), probability=True)
    found = measures(Outcome.of("classes", truth, boasting, truth), np.ones((1, 80)))
    assert found["calibration error"][0] == pytest.approx(0.25)
    assert BINS == 10


def test_measures_of_quantities_and_labels_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    said = y + rng.normal(size=50)
    found = measures(Outcome.of("quantity", y, Prediction(names=(), decision=said[:, None]), y), np.ones((1, 50)))
    assert found["R2"][0] == pytest.approx(sk.r2_score(y, said))
    assert found["mean absolute error"][0] == pytest.approx(sk.mean_absolute_error(y, said))
    assert found["r"][0] == pytest.approx(np.corrcoef(y, said)[0, 1])
    truth = rng.random((50, 3)) < 0.4
    decision = rng.normal(size=(50, 3)) + truth
    names = ("a", "b", "c")
    texts = np.array(["|".join(n for n, t in zip(names, row, strict=True) if t) for row in truth])
    outcome = Outcome.of("labels", texts, Prediction(names=names, decision=decision), texts)
    assert np.array_equal(outcome.truth, truth)
    found = measures(outcome, np.ones((1, 50)))
    assert found["F1"][0] == pytest.approx(sk.f1_score(truth, decision > 0, average="macro"))
    assert found["AUROC"][0] == pytest.approx(sk.roc_auc_score(truth, decision))
    each = [sk.balanced_accuracy_score(truth[:, c], decision[:, c] > 0) for c in range(3)]
    assert found["balanced accuracy"][0] == pytest.approx(np.mean(each))
    assert outcome.gains().sum() == pytest.approx(np.mean(each))


@pytest.mark.parametrize("k", [2, 5])
def test_guesses_score_what_is_called_chance(k: int) -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    names = np.array([f"c{i}" for i in range(k)])
    truth = rng.choice(names, n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
    guess = rng.choice(k, n, p=np.arange(k, 0, -1) / np.arange(1, k + 1).sum())
    decision = (guess[:, None] == np.arange(k)) + 0.1 * rng.random((n, k))
    outcome = Outcome.of("classes", truth, Prediction(names=tuple(names), decision=decision), truth)
    found = measures(outcome, np.ones((1, n)))
    for name, luck in chances(outcome).items():
        assert found[name][0] == pytest.approx(luck, abs=0.015), name


def test_recordings_are_scored_by_the_mean_over_their_windows() -> None:
    truth, units = np.array(["a", "a", "a", "b", "b"]), np.array(["1", "1", "1", "2", "2"])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]])
    outcome = Outcome.of("classes", truth, Prediction(names=("a", "b"), decision=p, probability=True), units, units)
    whole = outcome.per_recording()
    assert np.allclose(whole.decision, [[1.7 / 3, 1.3 / 3], [0.35, 0.65]])
    assert (whole.predicted == whole.truth).all()
    mixed = Outcome.of("classes", truth[::-1], Prediction(names=("a", "b"), decision=p), units, units)
    with pytest.raises(DataError, match="one truth a recording"):
        mixed.per_recording()


def test_folds_with_different_classes_are_joined() -> None:
    one = Outcome.of(
        "classes", np.array(["a", "b"]), Prediction(names=("a", "b"), decision=np.eye(2)), np.array(["1"] * 2)
    )
    two = Outcome.of(
        "classes", np.array(["c", "a"]), Prediction(names=("a", "c"), decision=np.eye(2)), np.array(["2"] * 2)
    )
    both = joined([one, two])
    assert both.names == ("a", "b", "c")
    assert both.truth.tolist() == [0, 1, 2, 0]
    assert both.predicted.tolist() == [0, 1, 0, 2]
    unseen = Outcome.of(
        "classes", np.array(["z"]), Prediction(names=("a", "b"), decision=np.eye(2)[:1]), np.array(["1"])
    )
    assert unseen.names == ("a", "b", "z")
    assert unseen.predicted.tolist() == [0]


def test_labels_of_whole_groups_are_permuted_between_groups() -> None:
    groups = np.repeat([f"s{i}" for i in range(8)], 20)
    truth = np.repeat(["a", "b"] * 4, 20)
    right = np.where(np.isin(groups, ["s0", "s1", "s2", "s3", "s4", "s5"]), truth, "a")
    decision = (right[:, None] == np.array(["a", "b"])).astype(float)
    found = score(
        "m", Outcome.of("classes", truth, Prediction(names=("a", "b"), decision=decision), groups),
        n_train=1, protocol="p", seed=0,
    )  # fmt: skip
    assert "between groups" in found.protocol
    assert 0.03 < found.p_value < 0.2  # 8 subjects, not 160 independent trials
    assert 0.5 <= found.low < found.value


def test_two_methods_are_compared_over_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([f"s{i}" for i in range(10)], 30)
    truth = rng.choice(["a", "b"], 300)

    def method(name: str, error: float, seed: int):
        wrong = np.random.default_rng(seed).random(300) < error
        decision = ((truth == "b") ^ wrong)[:, None] == np.array([False, True])
        outcome = Outcome.of("classes", truth, Prediction(names=("a", "b"), decision=decision.astype(float)), groups)
        return score(name, outcome, n_train=1, protocol="p", seed=0)

    good, poor, same = method("good", 0.1, 1), method("poor", 0.3, 2), method("same", 0.1, 3)
    found = compare(good, poor)
    assert found.difference == pytest.approx(good.value - poor.value)
    assert found.low > 0
    assert found.p_value <= 4 / 1024 + 1e-9
    assert found.test == "sign-flip test over 10 groups"
    assert compare(good, same).low < 0 < compare(good, same).high
    assert compare(good, same).p_value > 0.05
    with pytest.raises(DataError, match="not measured on the same test trials"):
        compare(good, score("x", some_outcome(2), n_train=1, protocol="p", seed=0))


@pytest.mark.parametrize(("n", "d"), [(200, 12), (60, 90)])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_is_the_grid_search_of_scikit_learn(n: int, d: int, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) * rng.uniform(0.01, 100, d) + rng.normal(size=d) * 1000
    x[:, 3] = 7.0  # constant
    y = (x[:, 0] - x[:, 0].mean()) / x[:, 0].std() + rng.normal(size=n) > 0.3
    w = np.where(y, 2.0, 0.7) if weighted else np.ones(n)
    groups = np.arange(n) % 10
    folds = list(GroupKFold(5).split(x, y, groups))
    alphas = [1e4, 1e2, 1.0, 1e-2]
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("head", RidgeClassifier())]),
        {"head__alpha": alphas},
        scoring="balanced_accuracy",
        cv=folds,
    ).fit(x, y, head__sample_weight=w)

    def criterion(rows: np.ndarray, said: np.ndarray) -> float:
        return float(sk.balanced_accuracy_score(y[rows], said[:, 0] > 0))

    mine = fit_ridge(x, np.where(y, 1.0, -1.0)[:, None], alphas, [test for _, test in folds], criterion, w)
    assert mine.alpha == search.best_params_["head__alpha"]
    assert np.allclose(mine.scores, search.cv_results_["mean_test_score"], atol=1e-12)
    theirs = Pipeline([("scale", StandardScaler()), ("head", Ridge(mine.alpha))])
    theirs.fit(x, np.where(y, 1.0, -1.0), head__sample_weight=w)
    assert np.allclose(mine.predict(x)[:, 0], theirs.predict(x), atol=1e-6)


def test_ridge_has_the_right_limits_and_primal_equals_dual() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 2)) + 3
    least = fit_ridge(x, y, [1e-10])
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y, rcond=None)[0]
    assert np.allclose(least.coef, exact[:5], atol=1e-8)
    assert np.allclose(least.intercept, exact[5], atol=1e-8)
    none = fit_ridge(x, y, [1e14])
    assert np.allclose(none.coef, 0, atol=1e-10)
    assert np.allclose(none.intercept, y.mean(0), atol=1e-8)
    wide = np.column_stack([x, np.tile(x, (1, 8))])  # 45 features of 40 trials: the other form
    tall = fit_ridge(np.concatenate([wide, wide]), np.concatenate([y, y]), [2.0])  # each trial twice
    assert np.allclose(tall.predict(wide), fit_ridge(wide, y, [1.0]).predict(wide), atol=1e-7)


@pytest.mark.golden
def test_the_nearest_class_mean_is_the_reference() -> None:
    golden = json.loads((GOLDENS / "nmc.json").read_text())
    x, y = np.array(golden["train"]), np.array([str(v) for v in golden["labels"]])
    nearest = NearestMean().add(x, y)
    means = np.stack([nearest.sums[n] / nearest.counts[n] for n in nearest.names])
    assert np.allclose(means, golden["means"], atol=1e-6)
    assert nearest.decide(np.array(golden["test"])).argmax(1).tolist() == golden["pred"]
    later = NearestMean().add(x[:5], y[:5]).add(x[5:], y[5:])
    assert np.allclose(later.decide(x), nearest.decide(x), atol=1e-12)


def test_resamples_of_which_nothing_can_be_said_are_left_out_of_an_interval():
    members = [np.arange(3), np.arange(3, 6), np.arange(6, 9)]
    drawn = np.linspace(0, 1, 101)
    odd = np.concatenate([drawn, [np.nan, np.inf, -np.inf, -np.inf]])
    assert interval(odd, members) == interval(drawn, members)
    assert np.isnan(interval(odd[-4:], members)).all()
