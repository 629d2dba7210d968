"""Protocols keep groups apart, planted leaks are caught, and shuffled labels leave every method at chance."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli.main import cli
from neurokit_fm.config import read_config
from neurokit_fm.corpus.prepare import prepare
from neurokit_fm.data.events import Events
from neurokit_fm.data.published import PublishedScore
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.evaluation.protocols import Fold, Piece
from neurokit_fm.probing import FeatureCache, Protocol, evaluate, find_leaks, folds, model_probe, plain_methods
from neurokit_fm.probing.leaks import refuse_leaks, signal_marks

NAMES = ["Fz", "Cz", "Pz", "Oz"]
HEADS = ("ridge", "logistic", "lda", "ncm", "knn")


def fake_model(sfreq: float = 100.0) -> nkfm.Model:
    """An untrained masked autoencoder of half-second patches."""
    cls = nkfm.models.load("mae")
    encoder = {
        "tokenizer": {"name": "patch", "length_s": 0.25, "hop_s": 0.25},
        "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    }
    contract = nkfm.SeriesContract(
        sfreq=sfreq, min_sfreq=50.0, window_s=1.0, min_window_s=0.25, normalise="none", unit_scale=1e5, frame="template"
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nkfm.Model = cls(read_config(cls.config_class, {"encoder": encoder}), contract)
    return model.eval()


def pink(rng: np.random.Generator, channels: int, samples: int) -> np.ndarray:
    return 1e-5 * np.cumsum(rng.normal(size=(channels, samples)), axis=1) / 5 + 1e-5 * rng.normal(
        size=(channels, samples)
    )


def made(
    *,
    subjects: int = 6,
    sessions: int = 1,
    n: int = 20,
    effect: float = 0.0,
    seed: int = 0,
    labels: Mapping[int, Sequence[str]] | None = None,
    change: Mapping[int, np.ndarray] | None = None,
    names: Sequence[str] = NAMES,
) -> nkfm.Dataset:
    """Trials of 1 s in 1.2 s steps at 100 Hz; in class "b" the last channel is higher by `effect`."""
    rows = [(s, e) for s in range(subjects) for e in range(sessions)]

    def signal(row: int) -> tuple[np.ndarray, list[str]]:
        rng = np.random.default_rng((seed, row))
        x = pink(rng, len(names), round(120 * n) + 50)
        said = (
            list(labels[row]) if labels is not None and row in labels else list(rng.permutation(["a", "b"] * (n // 2)))
        )
        for i, label in enumerate(said):
            x[-1, 120 * i : 120 * i + 100] += 1e-5 * effect * (label == "b")
        return x, said

    def open_row(row: int) -> nkfm.Recording:
        x, said = signal(row)
        x = x if change is None or row not in change else change[row]
        events = Events.of(np.arange(len(said)) * 1.2, said, 1.0)
        return nkfm.from_array(x, sfreq=100.0, names=list(names), events=events, subject=f"s{rows[row][0]}")

    return nkfm.Dataset(
        name="made-up",
        table=[
            {
                "subject": f"s{s}",
                "session": f"{e}",
                "site": "AB"[s % 2],
                "part": "test" if s == subjects - 1 else "train",
            }
            for s, e in rows
        ],
        open=open_row,
        licence="CC0",
        citation="nobody",
        label_of={"a": "a", "b": "b"},
    )


def kinds(data: nkfm.Dataset, by: str, parts: list[Fold] | None = None, **more: object) -> set[str]:
    found = find_leaks(parts or folds(data, Protocol(by=by)), by, **more)  # type: ignore[arg-type]
    return {leak.kind for leak in found}


@pytest.mark.parametrize(
    ("by", "n_folds", "count"),
    [("given", 5, 1), ("cross-subject", 3, 3), ("cross-subject", 0, 6), ("cross-session", 5, 12), ("cross-site", 0, 2)],
)
def test_each_recording_is_tested_once_and_no_group_is_on_both_sides(by: str, n_folds: int, count: int) -> None:
    data = made(sessions=2)
    parts = folds(data, Protocol(by=by, n_folds=n_folds))  # type: ignore[arg-type]
    assert len(parts) == count
    tested = [piece.row for fold in parts for piece in fold.test]
    assert sorted(tested) == (list(range(12)) if by != "given" else [10, 11])
    column = {"cross-session": "session", "cross-site": "site"}.get(by, "subject")
    for fold in parts:
        one, two = ({data.table[p.row][column] for p in side} for side in (fold.train, fold.test))
        assert not one & two
        if by == "cross-session":
            assert len({data.table[p.row]["subject"] for p in (*fold.train, *fold.test)}) == 1


def test_blocks_within_a_session_share_no_sample_and_test_every_trial_once() -> None:
    data = made(subjects=1, n=20)
    parts = folds(data, Protocol(by="within-session", n_folds=4))
    onsets = []
    for fold in parts:
        train, test = fold.take(fold.train), fold.take(fold.test)
        (inside,) = test
        for piece in train:
            assert piece.stop <= inside.start + 1e-9 or piece.start >= inside.stop - 1e-9
        assert sum(len(p.events) for p in train) == 15
        onsets += list(inside.events.onset)
    assert np.allclose(sorted(onsets), 1.2 * np.arange(20))
    assert not find_leaks(parts, "within-session")


def test_few_shots_come_before_what_they_are_tested_on() -> None:
    data = made(subjects=2, labels={0: ["a", "b"] * 10, 1: ["a"] * 4 + ["b"] * 4 + ["a", "b"] * 6})
    for fold, last in zip(folds(data, Protocol(by="few-shot", shots=3)), (5, 6), strict=True):
        (train,), (test,) = fold.take(fold.train), fold.take(fold.test)
        assert train.events.counts() == {"a": 3, "b": 3}
        assert len(test.events) == 20 - last - 1
        assert train.events.onset.max() + 1 <= test.start
    with pytest.raises(DataError, match="too few trials for 10 of each class"):
        folds(data, Protocol(by="few-shot", shots=10))


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(DataError, match="cross-subject needs two values of column 'subject'"):
        folds(made(subjects=1), Protocol(by="cross-subject"))
    with pytest.raises(DataError, match="cross-session needs two sessions of each subject; s0 has"):
        folds(made(), Protocol(by="cross-session"))
    with pytest.raises(DataError, match="too few for 11 blocks"):
        folds(made(subjects=1), Protocol(by="within-session", n_folds=11))
    with pytest.raises(DataError, match="column 'part' is empty|no given split"):
        folds(replace(made(), table=[{"subject": "s"}] * 6), Protocol(by="given"))
    with pytest.raises(ConfigError, match="by must be one of given, .*; got 'luck'"):
        Protocol(by="luck")  # type: ignore[arg-type]  # the test


@pytest.mark.parametrize("by", ["given", "cross-subject", "cross-site", "within-session", "few-shot"])
def test_honest_data_raise_no_alarm(by: str) -> None:
    assert kinds(made(), by) == set()


def test_leak_1_a_subject_in_both_parts() -> None:
    data = made()
    bad = Fold("bad", replace(data, table=[{**row, "subject": "s0"} for row in data.table]), (Piece(0),), (Piece(1),))
    assert kinds(data, "cross-subject", [bad]) == {"subject"}


def test_leak_2_a_session_in_both_parts() -> None:
    data = made(subjects=1, sessions=4)
    bad = replace(data, table=[{**row, "session": "1"} for row in data.table])
    assert kinds(bad, "cross-session", [Fold("bad", bad, (Piece(0), Piece(1)), (Piece(2), Piece(3)))]) == {"session"}


def test_leak_3_the_same_recording_under_another_name() -> None:
    data = made()
    twin = made(change={5: data[0]["eeg"].read()})  # type: ignore[union-attr]  # a time series
    assert kinds(twin, "given") == {"same signal"}
    with pytest.raises(DataError, match=r"row 5, tested on.*row 0, trained on\) share 100% of their signal"):
        refuse_leaks(folds(twin, Protocol()), "given")


def test_leak_4_a_copy_rescaled_with_channels_in_another_order() -> None:
    data = made()
    x = 0.37 * data[0]["eeg"].read()[::-1] + 2e-6  # type: ignore[union-attr]  # a time series
    assert kinds(made(change={5: x}), "given") == {"same signal"}


def test_leak_5_windows_that_overlap() -> None:
    data = made()
    parts = [Fold("bad", data, (Piece(0, None, 13.0), Piece(1)), (Piece(0, 12.0, None),))]
    assert kinds(data, "within-session", parts) == {"overlap"}
    long = np.concatenate([data[0]["eeg"].read(), pink(np.random.default_rng(9), 4, 600)], axis=1)  # type: ignore[union-attr]
    cut = made(n=10, change={5: long[:, 600:1850], 0: long[:, :1250]})  # half of each is in the other
    assert kinds(cut, "given") == {"same signal"}


def test_leak_6_trials_of_one_recording_take_turns() -> None:
    data = made(subjects=1)
    pieces = [Piece(0, 1.2 * i, 1.2 * (i + 1)) for i in range(20)]
    assert kinds(data, "within-session", [Fold("bad", data, tuple(pieces[::2]), tuple(pieces[1::2]))]) == {
        "interleaved"
    }


def test_leak_7_the_order_tells_the_label(caplog: pytest.LogCaptureFixture) -> None:
    blocks = made(labels={row: ["a"] * 10 + ["b"] * 10 for row in range(6)})
    assert kinds(blocks, "cross-subject") == {"order"}
    people = replace(
        made(subjects=24), label_of=None, target="group_of", open=made(subjects=24).open,
        table=[{"subject": f"s{i}", "group_of": "patient" if i < 12 else "control"} for i in range(24)],
    )  # fmt: skip
    assert kinds(people, "cross-subject") == {"order"}
    with caplog.at_level(logging.WARNING):
        refuse_leaks(folds(people, Protocol(by="cross-subject")), "cross-subject")
    assert "the order of the recordings alone tells the label" in caplog.text


def test_leak_8_a_channel_that_spells_out_the_label() -> None:
    data = made()

    def open_row(row: int) -> nkfm.Recording:
        rec = data.open(row)
        x = rec["eeg"].read()  # type: ignore[union-attr]  # a time series
        for onset, label in zip(rec.events.onset, rec.events.label, strict=True):
            first = round(onset * 100)
            x[2, first : first + 100] = 1e-6 * (1 + (label == "b"))
        return rec.with_signal("eeg", replace(rec["eeg"], data=x))  # type: ignore[arg-type]

    bad = replace(data, open=open_row)
    assert kinds(bad, "given") == {"label channel"}
    with pytest.raises(DataError, match="channel Pz is constant within each trial and spells out the label"):
        evaluate([], bad, Protocol(), plain=plain_methods())


def test_leak_9_a_property_of_recordings_tells_the_label() -> None:
    rng = np.random.default_rng(0)
    said = list(rng.permutation(["a", "b"] * 6))
    base = made(subjects=12)

    def open_row(row: int) -> nkfm.Recording:
        rec = base.open(row)
        return rec.with_signal("eeg", replace(rec["eeg"], sfreq=100.0 if said[row] == "a" else 128.0))  # type: ignore[arg-type]

    data = replace(
        base, open=open_row, label_of=None, target="dx", table=[{"subject": f"s{i}", "dx": said[i]} for i in range(12)]
    )
    assert "property" in kinds(data, "cross-subject")


def test_leak_10_the_test_subject_was_pretrained_on(tmp_path: Path) -> None:
    data = made()
    contract = nkfm.SeriesContract(sfreq=100.0, min_sfreq=50.0, window_s=1.0, min_window_s=1.0)
    prepare([data.take([0, 5])], contract, tmp_path / "corpus")
    assert kinds(data, "given", corpora=[tmp_path / "corpus"]) == {"pre-training"}
    prepare([data.take([0, 1])], contract, tmp_path / "other")
    assert kinds(data, "given", corpora=[tmp_path / "other"]) == set()


def test_marks_do_not_depend_on_gain_offset_or_where_the_cut_is() -> None:
    series = made()[0]["eeg"]
    assert isinstance(series, nkfm.TimeSeries)
    marks = set(signal_marks(series))
    assert len(marks) > 50
    assert set(signal_marks(replace(series, data=3.3 * series.read() - 1e-5))) == marks
    assert set(signal_marks(series.crop(3.33, 20.01))) < marks
    assert not marks & set(signal_marks(made(seed=1)[0]["eeg"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["cross-subject", pytest.param("within-session", marks=pytest.mark.slow)])
def test_with_shuffled_labels_every_method_is_at_chance(by: str) -> None:
    rng = np.random.default_rng(3)
    data = made(subjects=6 if by == "cross-subject" else 3, effect=9.0)

    def open_row(row: int) -> nkfm.Recording:
        rec = data.open(row)
        return replace(rec, events=Events.of(rec.events.onset, rng.permutation(rec.events.label), rec.events.duration))

    kept = [open_row(row) for row in range(len(data))]
    shuffled = replace(data, open=lambda row: kept[row])
    model = fake_model()
    methods = [model_probe(model, head, "channels", name="fake") for head in HEADS]  # type: ignore[arg-type]
    protocol = Protocol(by=by, n_folds=3)  # type: ignore[arg-type]
    found = evaluate(methods, shuffled, protocol, plain=plain_methods())
    for one in found.every:
        assert one.low <= 0.5, one.method
        assert not one.above_chance, one.method
    # with balanced sessions a block that has more of a class is tested where less of it was seen: a little below chance
    assert sum(one.high >= 0.5 for one in found.every) >= (8 if by == "cross-subject" else 7)
    true = evaluate(methods[:1], data, protocol, plain=plain_methods()[:1])
    assert all(one.above_chance for one in true.every)


def test_quantities_labels_and_recordings_can_be_predicted() -> None:
    base = made(n=20, effect=0.0)

    def open_row(row: int) -> nkfm.Recording:
        rec = base.open(row)
        rng = np.random.default_rng((9, row))
        speed = rng.normal(size=20)
        x = rec["eeg"].read()  # type: ignore[union-attr]  # a time series
        for i, v in enumerate(speed):
            x[1, 120 * i : 120 * i + 100] += 4e-5 * v
        events = Events.of(rec.events.onset, rec.events.label, rec.events.duration, {"speed": speed})
        return replace(rec.with_signal("eeg", replace(rec["eeg"], data=x)), events=events)  # type: ignore[arg-type]

    data = replace(base, open=open_row, target="speed")
    found = evaluate(
        [model_probe(fake_model(), head, name="fake") for head in ("ridge", "knn")], data, Protocol(by="cross-subject"),
        plain=plain_methods()[1:2],
    )  # fmt: skip
    assert {one.metric for one in found.every} == {"R2"}
    assert found.scores[0].value > 0.3
    assert found.scores[0].above_chance
    with pytest.raises(ConfigError, match="logistic tells classes apart"):
        evaluate([model_probe(fake_model(), "logistic")], data, Protocol(by="cross-subject"))
    table = [{"subject": f"s{i}", "has": ["x"] * (i % 2) + ["y"] * (i % 3 == 0) or ["none"]} for i in range(6)]
    many = replace(base, label_of=None, target="has", table=table)
    found = evaluate([model_probe(fake_model(), "ridge", name="fake")], many, Protocol(by="cross-subject", n_folds=0))
    (one,) = found.scores
    assert (one.metric, one.n_test, one.outcome.names) == ("balanced accuracy", 6, ("none", "x", "y"))
    assert "one prediction a recording" in one.protocol
    with pytest.raises(DataError, match="row 0 has no 'age'; columns: subject, has"):
        evaluate([model_probe(fake_model())], replace(many, target="age"), Protocol(by="cross-subject"), check=False)


def test_a_second_probe_finds_its_features(tmp_path: Path) -> None:
    data, model = made(subjects=3, n=10, effect=3.0), fake_model()
    cache = FeatureCache(tmp_path / "kept")
    one = evaluate([model_probe(model, cache=cache)], data, Protocol())
    assert (cache.hits, cache.misses) == (0, 3)
    two = evaluate([model_probe(model, cache=cache)], data, Protocol())
    assert (cache.hits, cache.misses) == (3, 3)
    assert one == two
    evaluate([model_probe(model, cache=cache)], made(subjects=3, n=10, effect=3.0, seed=1), Protocol())  # other samples
    assert (cache.hits, cache.misses) == (3, 6)
    other = fake_model()
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    evaluate([model_probe(other, cache=cache)], data, Protocol())  # other weights
    assert cache.misses == 9
    next((tmp_path / "kept").iterdir()).write_bytes(b"cut short")
    evaluate([model_probe(model, cache=cache)], data, Protocol())
    assert cache.hits in (5, 6)


def test_what_others_report_is_shown_where_the_whole_given_test_part_is_tested() -> None:
    said = [PublishedScore(method=f"of {n}", accuracy=0.9, n_test=n, source="Somebody (2020)") for n in (20, 40)]
    data, plain = replace(made(subjects=2), published=said), plain_methods()[1:2]
    assert [p.method for p in evaluate([], data, Protocol(), plain=plain).published] == ["of 20"]
    within = evaluate([], data, Protocol(by="within-session", n_folds=2), plain=plain)
    assert within.baselines[0].n_test == 40
    assert within.published == ()


def test_the_command_prints_a_table_and_writes_reports(tmp_path: Path) -> None:
    fake_model(sfreq=100.0).save_pretrained(tmp_path / "mine")
    for name, plain in (("r.html", "--no-plain"), ("r.json", "--plain")):
        done = CliRunner().invoke(
            cli,
            ["probe", str(tmp_path / "mine"), "--data", "finger-movements", "--head", "ridge", "--head", "ncm",
             "--cache", str(tmp_path / "kept"), "-o", str(tmp_path / name), plain],
            catch_exceptions=False,
        )  # fmt: skip
        assert done.exit_code == 0
        assert "| mine, channels, ncm |" in done.output
    values = json.loads((tmp_path / "r.json").read_text())
    assert [s["method"] for s in values["scores"]] == ["mine, channels, ridge", "mine, channels, ncm"]
    assert values["baselines"][0]["value"] == pytest.approx(0.66, abs=0.03)
    assert values["cache"] == "2 recordings found, 0 computed"
    assert {p["method"] for p in values["published"]} >= {"ROCKET", "1-NN, dependent DTW"}
    assert "signature kernel, SVM (published)" in done.output
    page = (tmp_path / "r.html").read_text()
    assert "Other measures of the same predictions" in page
    assert "ROCKET (published)" in page
    assert "published accuracy, not run here: Ruiz et al. (2021)" in page


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--data", "finger-movement"], "Did you mean 'finger-movements'"),
        (["--data", "finger-movements", "--set", "x=1"], "takes no setting 'x'"),
        (["--data", "finger-movements", "--set", "x"], "a setting reads key=value"),
        (["--data", "finger-movements", "-o", "x.pdf"], "must end in .html, .md or .json"),
    ],
)
def test_wrong_calls_say_what_is_wrong(line: list[str], message: str) -> None:
    with pytest.raises(nkfm.NkfmError, match=message):
        CliRunner().invoke(cli, ["probe", *line], catch_exceptions=False)
