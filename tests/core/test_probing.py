"""Probing: numbers that can be known beforehand, no leak from test to training, verdicts that do not flatter."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.data.events import Events
from neurokit_fm.data.published import PublishedScore
from neurokit_fm.errors import ConfigError, ContractError, DataError
from neurokit_fm.evaluation.report import RESAMPLES, score, sign_test, wilson
from neurokit_fm.probing import (
    Outcome,
    Prediction,
    ProbeReport,
    Score,
    Trials,
    baselines,
    labelled_windows,
    probe,
    raw_trials,
    trial_features,
)
from neurokit_fm.probing.classify import fit_predict
from neurokit_fm.probing.plain_methods import log_band_power, tangent_space, time_bins

NAMES = ["C3", "Cz", "C4"]
HEADS = ["ridge", "logistic", "lda", "ncm", "knn"]


@dataclass(frozen=True)
class NoConfig:
    """No settings."""


class HalvesModel(nkfm.Model):
    """Two tokens a channel: the mean of the first and of the second half, each with its square."""

    name = "halves"
    config_class = NoConfig
    accepts = (SeriesStream,)

    def forward(self, batch: nkfm.Batch) -> nkfm.Features:
        stream = batch.the(SeriesStream)
        b, c, t = stream.values.shape
        mean = stream.values[..., : t // 2 * 2].unflatten(2, (2, t // 2)).mean(3)  # (B, C, 2)
        row = torch.arange(c)[:, None].expand(c, 2)
        step = torch.arange(2)[None].expand(c, 2)
        return nkfm.Features(
            tokens=torch.stack([mean, mean**2], dim=-1).flatten(1, 2),  # (B, C*2, 2)
            mask=stream.channel_mask[:, :, None].expand(b, c, 2).flatten(1),
            coords=torch.zeros(b, c * 2, 4),
            index=torch.stack([row, step], dim=-1).flatten(0, 1).expand(b, c * 2, 2),
        )


def model(**more: object) -> HalvesModel:
    settings = {"sfreq": 100.0, "min_sfreq": 50.0, "window_s": 0.5, "min_window_s": 0.2, **more}
    return HalvesModel(NoConfig(), nkfm.SeriesContract(**settings))  # type: ignore[arg-type]  # passed on


def trials(effect: float, *, n: int = 40, seed: int = 0, names: list[str] = NAMES, subjects: int = 1) -> nkfm.Dataset:
    """Trials of 0.5 s at 100 Hz; in class "up" the last channel is higher by `effect` standard deviations."""

    def open_row(row: int) -> nkfm.Recording:
        rng = np.random.default_rng((seed, row))
        up = rng.permutation(n) % 2 == 1
        x = 1e-5 * (rng.normal(size=(n, len(names), 1)) + 0.1 * rng.normal(size=(n, len(names), 50)))
        x[up, -1] += 1e-5 * effect
        events = Events.of(np.arange(n) * 0.5, ["up" if u else "down" for u in up], 0.5)
        return nkfm.from_array(x, sfreq=100.0, names=names, events=events, subject=f"s{row}")

    return nkfm.Dataset(
        name="made-up",
        table=[{"subject": f"s{row}"} for row in range(subjects)],
        open=open_row,
        licence="CC0",
        citation="nobody",
        label_of={"up": "high", "down": "low"},
    )


def said(truth: np.ndarray, guess: np.ndarray, groups: np.ndarray) -> Outcome:
    """What a method that only names classes said."""
    names = sorted(set(truth) | set(guess))
    decision = (guess[:, None] == np.array(names)).astype(float)
    return Outcome.of("classes", truth, Prediction(names=tuple(names), decision=decision), groups)


def some_score(method: str, right: int, n: int = 100, seed: int = 0) -> Score:
    truth = np.array(["a", "b"] * (n // 2))
    guess = np.where(np.arange(n) < right, truth, np.where(truth == "a", "b", "a"))
    return score(method, said(truth, guess, np.full(n, "g")), n_train=50, protocol="made up", seed=seed)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("features", ["channels", "tokens"])
def test_separable_trials_are_told_apart(head: str, features: str) -> None:
    report = probe(model(), trials(8.0, seed=1), trials(8.0, seed=2), head, features)  # type: ignore[arg-type]
    (found,) = report.scores
    assert found.value >= 0.95
    assert found.p_value == pytest.approx(1 / (1 + RESAMPLES))
    assert (found.n_train, found.n_test, found.chance) == (40, 40, 0.5)
    assert found.above_chance


def test_a_mean_over_everything_loses_where_it_happened() -> None:
    # one channel goes up where the other goes down: nothing is left in the mean over channels
    def both(seed: int) -> nkfm.Dataset:
        data = trials(0.0, seed=seed, names=["C3", "C4"])

        def open_row(row: int) -> nkfm.Recording:
            rec = data.open(row)
            name, series = rec.series("eeg")
            sign = np.repeat([1.0 if label == "up" else -1.0 for label in rec.events.label], 50)
            x = 0.3 * series.read() + 1e-5 * sign * np.array([[1.0], [-1.0]])
            return replace(rec, signals={name: replace(series, data=x)})

        return replace(data, open=open_row)

    assert probe(model(), both(0), both(1), features="channels").scores[0].value == 1.0
    assert probe(model(), both(0), both(1), features="pooled").scores[0].value < 0.8


@pytest.mark.parametrize("head", HEADS)
def test_trials_without_a_difference_stay_at_chance(head: str) -> None:
    found = probe(model(), trials(0.0, n=80, seed=3), trials(0.0, n=80, seed=4), head).scores[0]  # type: ignore[arg-type]
    assert found.low <= 0.5 <= found.high
    assert not found.above_chance
    assert "not distinguishable from chance (0.50)" in ProbeReport(scores=(found,)).verdict


@pytest.mark.parametrize("head", HEADS)
def test_shuffled_labels_bring_separable_trials_to_chance(head: str) -> None:
    def shuffled(data: nkfm.Dataset) -> nkfm.Dataset:
        def open_row(row: int) -> nkfm.Recording:
            rec = data.open(row)
            labels = np.random.default_rng(1).permutation(rec.events.label)
            return replace(rec, events=Events.of(rec.events.onset, labels, rec.events.duration))

        return replace(data, open=open_row)

    train, test = trials(8.0, n=80, seed=1), trials(8.0, n=80, seed=2)
    found = probe(model(), shuffled(train), shuffled(test), head).scores[0]  # type: ignore[arg-type]
    assert found.low <= 0.5 <= found.high
    assert not found.above_chance


def test_the_seed_repeats_the_report() -> None:
    a, b = (probe(model(), trials(0.5, seed=1), trials(0.5, seed=2), seed=7) for _ in range(2))
    assert a == b
    other = probe(model(), trials(0.5, seed=1), trials(0.5, seed=2), seed=8)
    assert (other.scores[0].low, other.scores[0].high) != (a.scores[0].low, a.scores[0].high)


@pytest.mark.parametrize("head", HEADS)
def test_predictions_do_not_depend_on_the_other_test_trials(head: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), np.array(["a", "b"] * 30)
    x[y == "b"] += 0.7
    groups, new = np.full(60, "g"), rng.normal(size=(20, 5))
    alone, _ = fit_predict(head, x, y, groups, new, 0)  # type: ignore[arg-type]
    spoilt = np.concatenate([new, 1e6 * rng.normal(size=(20, 5)) + 1e8])
    beside, _ = fit_predict(head, x, y, groups, spoilt, 0)  # type: ignore[arg-type]
    assert np.allclose(beside.decision[:20], alone.decision, atol=1e-9)


def test_the_tangent_space_is_that_of_the_training_part() -> None:
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(30, 4, 50)), rng.normal(size=(5, 4, 50))
    known, alone = tangent_space(x, new)
    _, beside = tangent_space(x, np.concatenate([new, 1e3 * new]))
    assert known.shape == (30, 10)
    assert np.allclose(beside[:5], alone, atol=1e-12)
    assert np.allclose(known.mean(axis=0), 0, atol=0.05)  # centred, up to the curvature of the space
    equal, scaled = tangent_space(np.concatenate([x[:1]] * 3), math.e * x[:1])
    assert np.allclose(equal, 0, atol=1e-10)  # all at the mean
    diagonal = [i == j for i, j in zip(*np.triu_indices(4), strict=True)]
    assert np.allclose(scaled[0], np.where(diagonal, 2.0, 0.0), atol=1e-10)  # log of e squared, on the diagonal


def test_log_band_power_sees_the_band() -> None:
    t = np.arange(200) / 100
    x = np.stack([np.sin(2 * np.pi * 10 * t), np.sin(2 * np.pi * 20 * t)])[None] + 5.0  # (1, 2, 200), an offset
    power = log_band_power(x, 100.0).reshape(2, 5)
    assert power.argmax(axis=1).tolist() == [2, 3]  # alpha, beta
    louder = log_band_power(2 * x, 100.0).reshape(2, 5)
    assert np.allclose((louder - power)[[0, 1], [2, 3]], np.log(4))
    assert log_band_power(x[:, :, :50], 100.0).shape == (1, 10)
    assert log_band_power(x[:, :, :10], 100.0).shape == (1, 6)  # 10 Hz apart: no delta, no theta


def test_time_bins_keep_everything_that_fits() -> None:
    x = np.arange(12.0).reshape(1, 2, 6)
    assert time_bins(x).tolist() == [list(range(12))]
    assert time_bins(x, most=6).tolist() == [[0.5, 2.5, 4.5, 6.5, 8.5, 10.5]]
    assert time_bins(x, most=5).tolist() == [[1.0, 4.0, 7.0, 10.0]]


def test_scores_are_the_balanced_accuracy_with_an_interval_of_the_right_width() -> None:
    truth = np.array(["a"] * 150 + ["b"] * 50)
    guess = np.array(["a"] * 120 + ["b"] * 30 + ["b"] * 30 + ["a"] * 20)
    found = score("m", said(truth, guess, np.full(200, "g")), n_train=1, protocol="p", seed=0)
    assert found.value == pytest.approx((0.8 + 0.6) / 2)
    error = np.sqrt(0.8 * 0.2 / 150 + 0.6 * 0.4 / 50) / 2  # of a mean of two proportions
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert found.p_value < 0.001
    assert found.outcome.gains().sum() == pytest.approx(found.value)


def test_an_interval_over_subjects_is_wider_than_over_trials() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([f"s{i}" for i in range(10)], 40)
    truth = np.array(["a", "b"] * 200)
    good = np.repeat(np.arange(10) % 2 == 0, 40)  # five subjects are always right, five guess
    guess = np.where(good | (rng.random(400) < 0.5), truth, np.where(truth == "a", "b", "a"))
    by_trial = score("m", said(truth, guess, np.full(400, "g")), n_train=1, protocol="p", seed=0)
    by_subject = score("m", said(truth, guess, groups), n_train=1, protocol="p", seed=0)
    assert by_subject.value == by_trial.value
    assert by_subject.high - by_subject.low > 2 * (by_trial.high - by_trial.low)
    assert "10 groups" in by_subject.protocol


def test_under_the_null_p_values_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    truth, groups = np.array(["a", "b"] * 20), np.full(40, "g")
    p = [
        score("m", said(truth, rng.permutation(truth), groups), n_train=1, protocol="p", seed=i).p_value
        for i in range(20)
    ]
    assert 0.35 < np.mean(p) < 0.75  # discrete, hence a little above one half
    assert np.mean(np.array(p) < 0.05) <= 0.15


def test_windows_are_found_by_run_and_not_by_the_clock() -> None:
    # 60 trials of 33 samples at 100 Hz; at 128 Hz each run has ceil(42.24) = 43, so a clock would be off by 46 samples
    x = np.random.default_rng(0).normal(size=(60, 2, 33)) * 1e-5
    events = Events.of(np.arange(60) * 0.33 + 0.1, ["up"] * 60, 0.2)
    rec = nkfm.from_array(x, sfreq=100.0, names=["C3", "C4"], events=events)
    contract = nkfm.SeriesContract(sfreq=128.0, min_sfreq=50.0, window_s=0.2, min_window_s=0.2)
    _, series = contract.apply(rec).series("eeg")
    bounds, labels = labelled_windows(rec, {"up": "high"}, series)
    assert labels == ["high"] * 60
    first = np.array([a for a, _ in series.runs()])
    assert (bounds[:, 0] - first).tolist() == [13] * 60  # ceil(12.8)
    assert (bounds[:, 1] - bounds[:, 0]).tolist() == [26] * 60  # 25.6
    before, _ = labelled_windows(rec, {"up": "high"}, rec.series("eeg")[1])
    assert before[1].tolist() == [43, 63]


def test_trials_that_do_not_fit_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    events = Events.of([0.0, 0.4, 0.9, 1.0], ["up", "up", "other", "up"], [0.5, 0.2, 0.1, 0.5])
    rec = nkfm.from_array(np.ones((2, 1, 50)) * 1e-5, sfreq=50.0, names=["Cz"], events=events)
    _, series = rec.series("eeg")
    bounds, _ = labelled_windows(rec, {"up": "high"}, series, min_s=0.7)  # each run is one second
    assert bounds.tolist() == [[0, 35], [50, 85]]
    assert "1 of 3 labelled trials run past a break or the end" in caplog.text
    with pytest.raises(DataError, match="events without a duration"):
        labelled_windows(replace(rec, events=Events.of([0.0], ["up"])), {"up": "high"}, series)


def test_features_are_what_the_model_gives_for_each_trial() -> None:
    data = trials(1.0, n=6, subjects=2)
    plain = model(normalise="none", unit_scale=1e5)
    raw = raw_trials(data)
    assert (raw.x.shape, raw.channels, raw.sfreq) == ((12, 3, 50), tuple(NAMES), 100.0)
    assert raw.groups.tolist() == ["s0"] * 6 + ["s1"] * 6
    halves = 1e5 * raw.x.reshape(12, 3, 2, 25).mean(3)  # (N, C, 2)
    tokens = np.stack([halves, halves**2], axis=-1)  # (N, C, 2, D)
    expected = {
        "tokens": tokens.reshape(12, 12),
        "channels": tokens.mean(2).reshape(12, 6),
        "pooled": tokens.mean((1, 2)),
    }
    for kind, x in expected.items():
        found = trial_features(plain, data, features=kind, batch_tokens=20)  # type: ignore[arg-type]
        assert found.x.dtype == np.float32
        assert np.allclose(found.x, x, atol=1e-5)  # float32
        assert np.array_equal(found.y, raw.y)
    assert set(trial_features(plain, trials(1.0, n=6)).groups) == {"recording 0"}


def test_a_penalty_is_chosen_within_subjects_of_the_training_part() -> None:
    report = probe(model(), trials(3.0, n=10, subjects=3), trials(3.0, n=10, seed=9, subjects=2))
    assert "3-fold cross-validation by group within it" in report.scores[0].protocol
    assert "2 groups" in report.scores[0].protocol


def test_what_cannot_be_compared_is_refused() -> None:
    other = trials(1.0, names=["C3", "Cz", "Oz"])
    with pytest.raises(DataError, match="different channels.*C4, Oz differ.*features='pooled'"):
        probe(model(), trials(1.0), other)
    assert probe(model(), trials(1.0), other, features="pooled").scores
    with pytest.raises(DataError, match="has no labels; give it label_of"):
        probe(model(), replace(trials(1.0), label_of=None), trials(1.0))
    with pytest.raises(DataError, match="there is no labelled trial"):
        raw_trials(replace(trials(1.0), label_of={"left": "left"}))
    with pytest.raises(DataError, match="two classes with two training trials each; the training part has high x20"):
        probe(model(), replace(trials(1.0), label_of={"up": "high"}), trials(1.0))
    with pytest.raises(ConfigError, match="features must be 'channels', 'pooled' or 'tokens'; got 'mean'"):
        trial_features(model(), trials(1.0), features="mean")  # type: ignore[arg-type]  # the test
    with pytest.raises(ConfigError, match="head must be 'ridge', 'logistic', 'lda', 'ncm' or 'knn'; got 'tree'"):
        probe(model(), trials(1.0), trials(1.0), "tree")  # type: ignore[arg-type]  # the test
    with pytest.raises(ContractError, match="below the 200 Hz"):
        probe(model(sfreq=200.0, min_sfreq=200.0), trials(1.0), trials(1.0))
    x, y = np.zeros((2, 3), dtype=np.float32), np.array(["a", "b"])
    made = Trials(x=x, y=y, groups=y, channels=(), sfreq=1.0)
    with pytest.raises(DataError, match=r"differ in shape or rate: \(3,\) at 1 Hz and \(2,\) at 1 Hz"):
        made.must_match(replace(made, x=x[:, :2]))


def test_verdicts_say_what_the_numbers_allow() -> None:
    strong, weak, guess = some_score("good", 85), some_score("plain", 60), some_score("guess", 52)
    assert "good: 0.85" in ProbeReport(scores=(strong,)).verdict
    assert "No baseline was run beside it." in ProbeReport(scores=(strong,)).verdict
    assert "It beats the best baseline, plain (0.60" in ProbeReport(scores=(strong,), baselines=(guess, weak)).verdict
    below = ProbeReport(scores=(weak,), baselines=(strong,)).verdict
    assert "does not beat the best baseline, good (0.85) and is clearly worse" in below
    close = ProbeReport(scores=(some_score("near", 62),), baselines=(weak,)).verdict
    assert "is higher than, but on 100 trials not clearly better than, the best baseline" in close
    chance = ProbeReport(scores=(guess,)).verdict
    assert "guess: 0.52, 95% interval 0.41 to 0.61, not distinguishable from chance (0.50)" in chance
    with pytest.raises(DataError, match=r"same test trials; found \[50, 100\]"):
        ProbeReport(scores=(weak,), baselines=(some_score("short", 30, n=50),))


def test_the_sign_test_is_exact() -> None:
    a, b = [True] * 8 + [False] * 2 + [True] * 5, [False] * 8 + [True] * 2 + [True] * 5
    assert sign_test(a, b) == pytest.approx(2 * (1 + 10 + 45) / 1024)  # 2 or fewer of 10
    assert sign_test(a, a) == 1.0


def test_a_report_is_a_table_and_plain_json() -> None:
    report = ProbeReport(scores=(some_score("good", 85),), baselines=(some_score("plain", 60),))
    table = report.to_markdown()
    assert "| good | 0.850 | 0." in table
    assert "| < 0.001 | 50 / 100 |" in table
    assert report.verdict in table
    assert "- plain: made up; 95% interval from 2000 bootstrap resamples of test trials" in table
    values = json.loads(json.dumps(report.to_dict()))
    assert values["scores"][0]["value"] == 0.85
    assert values["baselines"][0]["method"] == "plain"
    assert "outcome" not in values["scores"][0]
    assert {"accuracy", "kappa", "F1", "AUROC"} <= {m["name"] for m in values["scores"][0]["others"]}


def test_what_others_report_stands_beside_with_a_wilson_interval_and_is_not_compared() -> None:
    said = PublishedScore(method="theirs", accuracy=0.9, n_test=100, source="Somebody (2020), arXiv:2001.00001")
    report = ProbeReport(scores=(some_score("good", 85),), baselines=(some_score("plain", 60),), published=(said,))
    table = report.to_markdown()
    assert "| theirs (published) | 0.900 (accuracy) | 0.826 to 0.945 | – | – | – / 100 |" in table
    assert "- theirs: published accuracy, not run here: Somebody (2020), arXiv:2001.00001; 95% Wilson interval" in table
    assert "It beats the best baseline, plain" in report.verdict  # and not theirs
    assert report.verdict.endswith("highest: theirs). Their predictions are not at hand, so no difference is tested.")
    (row,) = json.loads(json.dumps(report.to_dict()))["published"]
    exact = binomtest(90, 100).proportion_ci(method="wilson")
    assert (row["low"], row["high"]) == (pytest.approx(exact.low), pytest.approx(exact.high))
    assert (row["method"], row["accuracy"], row["interval"]) == ("theirs", 0.9, "95% Wilson interval")
    assert "Others report" in ProbeReport(scores=(), baselines=report.baselines, published=(said,)).to_markdown()
    with pytest.raises(DataError, match=r"same test trials; found \[99, 100\]"):
        ProbeReport(scores=report.scores, published=(replace(said, n_test=99),))
    for wrong in ({"source": ""}, {"accuracy": 90.0}, {"n_test": 0}):
        with pytest.raises(DataError, match="needs a source, a share of right trials and their number; got .*theirs"):
            replace(said, **wrong)  # type: ignore[arg-type]  # the test


@pytest.mark.parametrize(("share", "n"), [(0.0, 7), (1.0, 7), (0.5, 12), (0.3, 1000)])
def test_wilson_intervals_are_those_of_scipy(share: float, n: int) -> None:
    exact = binomtest(round(share * n), n).proportion_ci(method="wilson")
    assert wilson(share, n) == pytest.approx((exact.low, exact.high))


def test_baselines_on_finger_movements_are_near_values_measured_elsewhere() -> None:
    train, test = nkfm.split(nkfm.datasets.load("finger-movements")(), by="given")
    raw, power, tangent = baselines(train, test)
    assert (raw.n_train, raw.n_test) == (316, 100)
    # elsewhere: 0.66, 0.55 to 0.58, 0.53 to 0.56; one trial is 0.01, and settings differ a little
    assert raw.value == pytest.approx(0.66, abs=0.03)
    assert power.value == pytest.approx(0.565, abs=0.045)
    assert tangent.value == pytest.approx(0.545, abs=0.05)
    assert raw.above_chance
    assert not power.above_chance
