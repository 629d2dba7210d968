"""split: no group in both parts, no sample in both parts, and errors that name the column."""

from collections.abc import Sequence

import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError
from neurokit_fm.testing import fake_recording


def dataset(rows: Sequence[dict[str, object]], duration_s: float = 10.0) -> nkfm.Dataset:
    return nkfm.Dataset(
        name="made-up",
        table=list(rows),
        open=lambda row: fake_recording(seed=row, duration_s=duration_s, subject=str(rows[row].get("subject", ""))),
        licence="CC0",
        citation="nobody",
    )


COHORT = [{"subject": f"s{i}", "session": str(j)} for i in range(5) for j in range(3)]


@pytest.mark.parametrize("seed", range(5))
def test_no_subject_is_in_both_parts(seed: int) -> None:
    train, test = nkfm.split(dataset(COHORT), by="subject", test_size=0.4, seed=seed)
    left, right = ({row["subject"] for row in part.table} for part in (train, test))
    assert not left & right
    assert (len(left), len(right), len(train), len(test)) == (3, 2, 9, 6)
    assert [rec.info.subject for rec in test] == [row["subject"] for row in test.table]  # rows and recordings agree


def test_the_seed_decides_and_the_order_of_the_table_does_not() -> None:
    def chosen(rows: list[dict[str, str]], seed: int) -> set[object]:
        return {row["subject"] for row in nkfm.split(dataset(rows), by="subject", seed=seed)[1].table}

    assert chosen(COHORT, 3) == chosen(COHORT[::-1], 3)
    assert len({frozenset(chosen(COHORT, seed)) for seed in range(8)}) > 1


def test_sessions_are_told_apart_by_subject() -> None:
    train, test = nkfm.split(dataset(COHORT), by="session", test_size=0.2)
    assert (len(train), len(test)) == (12, 3)
    keys = [{(row["subject"], row["session"]) for row in part.table} for part in (train, test)]
    assert not keys[0] & keys[1]
    alone = [{"session": "a"}, {"session": "b"}]
    assert [len(part) for part in nkfm.split(dataset(alone), by="session")] == [1, 1]


def test_both_parts_always_hold_a_group() -> None:
    two = dataset([{"subject": "a"}, {"subject": "b"}])
    assert [len(part) for part in nkfm.split(two, test_size=0.01)] == [1, 1]
    assert [len(part) for part in nkfm.split(two, test_size=0.99)] == [1, 1]


def test_a_cut_in_time_shares_no_sample_and_loses_none() -> None:
    data = dataset([{"subject": "a"}, {"subject": "b"}])
    train, test = nkfm.split(data, by="time", test_size=0.25)
    assert len(train) == len(test) == 2
    for whole, first, last in zip(data, train, test, strict=True):
        a, b = first.series("eeg")[1], last.series("eeg")[1]
        assert (a.duration, b.start, b.duration) == (7.5, 7.5, 2.5)
        assert np.array_equal(np.concatenate([a.read(), b.read()], axis=1), whole.series("eeg")[1].read())
        assert first.events.onset.tolist() == [0.0, 2.0, 4.0, 6.0]
        assert last.events.onset.tolist() == [8.0]
    assert test[0].title == "fake series, seed 0 (last 25%)"


def test_trials_are_not_cut_in_two() -> None:
    trials = nkfm.from_array(np.random.default_rng(0).normal(size=(10, 2, 30)), sfreq=10.0, names=["C3", "C4"])
    data = nkfm.Dataset(name="trials", table=[{}], open=lambda _: trials, licence="CC0", citation="nobody")
    train, test = nkfm.split(data, by="time", test_size=0.25)  # 7.5 trials: the border moves to a break beside it
    lengths = [[b - a for a, b in part[0].series("eeg")[1].runs()] for part in (train, test)]
    assert set(lengths[0] + lengths[1]) == {30}
    assert sorted(map(len, lengths)) in ([3, 7], [2, 8])
    assert len(train[0].events) + len(test[0].events) == 10


def test_the_given_split_is_the_column_part() -> None:
    train, test = nkfm.split(dataset([{"part": "test"}, {"part": "train"}, {"part": "valid"}]), by="given")
    assert [row["part"] for row in (*train.table, *test.table)] == ["train", "test"]
    fingers = nkfm.split(nkfm.datasets.load("finger-movements")(), by="given")
    assert [part[0].events.counts() for part in fingers] == [{"left": 159, "right": 157}, {"right": 51, "left": 49}]


def test_errors_name_the_column() -> None:
    with pytest.raises(DataError, match="column 'subject' is missing in 1 of 2 rows; columns: subject, part"):
        nkfm.split(dataset([{"subject": "a"}, {"part": "train"}]))
    with pytest.raises(DataError, match="its column 'subject' holds the single value 'a'; use by='time'"):
        nkfm.split(dataset([{"subject": "a"}, {"subject": "a"}]))
    with pytest.raises(DataError, match="column 'part' is missing in 15 of 15 rows"):
        nkfm.split(dataset(COHORT), by="given")
    with pytest.raises(DataError, match=r"no row whose column 'part' is 'test'; it holds \['train'\]"):
        nkfm.split(dataset([{"part": "train"}]), by="given")
    with pytest.raises(DataError, match="by must be 'subject', 'session', 'time' or 'given'; got 'day'"):
        nkfm.split(dataset(COHORT), by="day")  # type: ignore[arg-type]  # the test
    with pytest.raises(DataError, match="between 0 and 1; got 1"):
        nkfm.split(dataset(COHORT), test_size=1.0)
