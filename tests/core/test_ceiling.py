"""Tasks whose best possible score is known: scores rise to it with data, and intervals cover the truth as often as they say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.data.channels import Channels
from neurokit_fm.data.events import Events
from neurokit_fm.evaluation.outcome import measures
from neurokit_fm.evaluation.report import compare, interval, resampled, score
from neurokit_fm.positions import place
from neurokit_fm.probing import Outcome, Prediction, Protocol, evaluate, model_probe, probe

pytestmark = pytest.mark.slow

CAPS = (
    (
        "Fp1",
        "Fp2",
        "F7",
        "F3",
        "Fz",
        "F4",
        "F8",
        "T7",
        "C3",
        "Cz",
        "C4",
        "T8",
        "P7",
        "P3",
        "Pz",
        "P4",
        "P8",
        "O1",
        "O2",
    ),
    ("AF3", "AF4", "FC5", "FC1", "FC2", "FC6", "CP5", "CP1", "CP2", "CP6", "PO3", "PO4"),
    ("C5", "C1", "C2", "C6", "TP7", "TP8", "FT7", "FT8"),
)
"""No electrode of one is in another."""

SIZE, SPREAD = 1.0, 0.6
CEILING = 0.5 * (1 + math.erf(SIZE / math.sqrt(2 * (1 + SPREAD**2))))
"""The source of a trial is N(+-SIZE + b, 1) with b ~ N(0, SPREAD^2) of each subject; nobody who knows only the class means
of other subjects can be right more often than Phi(SIZE / sqrt(1 + SPREAD^2))."""


@dataclass(frozen=True)
class Empty:
    """No settings."""


class Lateral(nkfm.Model):
    """One token: slope of the signal's mean along the left-right axis; works on any cap because it uses places."""

    name = "lateral"
    config_class = Empty
    accepts = (SeriesStream,)

    def forward(self, batch: nkfm.Batch) -> nkfm.Features:
        stream = batch.the(SeriesStream)
        x = stream.positions[..., 0].masked_fill(~stream.channel_mask, 0)  # (B, C) left to right
        mean = stream.values.mean(2)
        slope = (mean * x).sum(1) / (x * x).sum(1)
        b = len(slope)
        return nkfm.Features(
            tokens=torch.stack([slope, slope.abs()], -1)[:, None],
            mask=torch.ones(b, 1, dtype=torch.bool),
            coords=torch.zeros(b, 1, 4),
            index=torch.zeros(b, 1, 2, dtype=torch.int64),
        )


def model() -> nkfm.Model:
    contract = nkfm.SeriesContract(
        sfreq=100.0, min_sfreq=50.0, window_s=0.2, min_window_s=0.2, normalise="none", unit_scale=1e5, frame="template"
    )
    return Lateral(Empty(), contract)


def places(names: Sequence[str]) -> np.ndarray:
    return place(Channels.of(names, kind="eeg"), "eeg", "template")[0].position


PLACES = [places(names) for names in CAPS]


def task(
    seed: int, train: int, test: int, n: int = 40, caps: tuple[int, ...] = (0,), test_caps: tuple[int, ...] = (0,)
) -> nkfm.Dataset:
    """Subjects to train and to test on; the field of one source falls linearly from one ear to the other."""

    def open_row(row: int) -> nkfm.Recording:
        rng = np.random.default_rng((seed, row))
        mine = caps[row % len(caps)] if row < train else test_caps[row % len(test_caps)]
        said = rng.permutation(["a", "b"] * (n // 2))
        source = rng.normal(size=n) + SPREAD * rng.normal() + np.where(said == "b", SIZE, -SIZE)
        field = PLACES[mine][:, 0] / 0.08
        x = 1e-5 * (source[:, None, None] * field[None, :, None] + 0.1 * rng.normal(size=(n, len(field), 20)))
        events = Events.of(np.arange(n) * 0.2, said, 0.2)
        return nkfm.from_array(x, sfreq=100.0, names=CAPS[mine], events=events, subject=f"s{row}")

    table = [{"subject": f"s{i}", "part": "train" if i < train else "test"} for i in range(train + test)]
    return nkfm.Dataset(
        name="ceiling", table=table, open=open_row, licence="CC0", citation="nobody", label_of={"a": "a", "b": "b"}
    )


@pytest.mark.parametrize(
    "caps", [((0,), (0,)), ((0,), (1,)), ((0, 1), (2,))], ids=["same cap", "other cap", "third cap"]
)
@pytest.mark.parametrize("head", ["ridge", "logistic", "lda"])
def test_scores_rise_to_the_ceiling_with_subjects_also_on_a_cap_never_seen(caps, head: str) -> None:
    found = []
    for train in (2, 30):
        values = []
        for seed in range(6):
            parts = nkfm.split(task(seed, train, 25, caps=caps[0], test_caps=caps[1]), by="given")
            values.append(probe(model(), *parts, head, "pooled", seed=seed).scores[0].value)  # type: ignore[arg-type]
        found.append((np.mean(values), np.std(values) / math.sqrt(len(values))))
    (few, _), (many, error) = found
    assert many == pytest.approx(CEILING, abs=max(0.015, 3 * error))
    assert few < many + 0.01
    assert many < CEILING + max(0.01, 3 * error)  # nobody can do better; whoever does has seen what he must not


def test_leave_one_subject_out_reaches_the_ceiling_and_its_interval_holds_it() -> None:
    data = task(0, 30, 0, n=40)
    (found,) = evaluate([model_probe(model(), "lda", "pooled")], data, Protocol(by="cross-subject", n_folds=0)).scores
    assert found.low < CEILING < found.high
    assert found.n_test == 1200


def outcome(rng: np.random.Generator, groups: int, n: int, threshold: float = 0.0) -> tuple[Outcome, np.ndarray]:
    """What the best classifier says of new subjects, without the detour through signals."""
    truth = np.tile(np.repeat(["a", "b"], n // 2), groups)
    of = np.repeat([f"s{i}" for i in range(groups)], n)
    offset = np.repeat(SPREAD * rng.normal(size=groups), n)
    x = rng.normal(size=groups * n) + offset + np.where(truth == "b", SIZE, -SIZE) - threshold
    said = Prediction(names=("a", "b"), decision=np.stack([-x, x], 1))
    return Outcome.of("classes", truth, said, of), x


@pytest.mark.parametrize(("groups", "low", "high"), [(8, 0.88, 0.98), (20, 0.91, 0.985), (60, 0.91, 0.985)])
def test_intervals_cover_the_truth_as_often_as_they_say(groups: int, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    runs = 300
    inside = 0
    for seed in range(runs):
        one, _ = outcome(rng, groups, 30)
        members = [np.flatnonzero(one.groups == name) for name in np.unique(one.groups)]
        weights = resampled(np.random.default_rng(seed), members, len(one))
        low_end, high_end = interval(measures(one, weights)["balanced accuracy"], members)
        inside += low_end <= CEILING <= high_end
    print(f"{groups} groups: {inside / runs:.3f} of {runs} intervals hold the truth")
    assert low <= inside / runs <= high


def test_p_values_of_a_comparison_are_spread_evenly_when_two_methods_are_equally_good() -> None:
    rng = np.random.default_rng(1)
    p = []
    for seed in range(100):
        first, x = outcome(rng, 12, 10)
        scores = []
        for name in ("one", "two"):  # the same source through two equally noisy channels
            y = x + 0.7 * rng.normal(size=len(x))
            decision = np.stack([-y, y], 1)
            truth = np.array(first.names)[first.truth]
            both = Outcome.of("classes", truth, Prediction(names=("a", "b"), decision=decision), first.groups)
            scores.append(score(name, both, n_train=1, protocol="p", seed=seed))
        p.append(compare(*scores).p_value)
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert 0.4 < np.mean(p) < 0.7  # ties of whole trials make p a little too large
