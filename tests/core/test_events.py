import numpy as np
import pytest

from neurokit_fm import Events
from neurokit_fm.errors import DataError


def test_events_are_sorted_and_carry_their_columns_along() -> None:
    events = Events.of([3.0, 1.0, 2.0], ["c", "a", "b"], [0.3, 0.1, 0.2], {"trial": np.array([30, 10, 20])})
    assert events.onset.tolist() == [1.0, 2.0, 3.0]
    assert events.duration.tolist() == [0.1, 0.2, 0.3]
    assert events.label == ("a", "b", "c")
    assert events.columns["trial"].tolist() == [10, 20, 30]


def test_events_at_the_same_time_keep_their_order() -> None:
    assert Events.of([1.0, 0.0, 1.0], ["first", "before", "second"]).label == ("before", "first", "second")


def test_no_events_are_a_table_of_length_zero() -> None:
    none = Events.of()
    assert len(none) == 0
    assert none.counts() == {}
    assert len(none.labelled("a")) == 0
    assert len(none.between(0, 1)) == 0
    assert none == Events.of()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], ["a"]), r"different lengths: \[1, 2\]"),
        (([1.0, 2.0], ["a", "b"], [1.0, 2.0, 3.0]), r"different lengths: \[2, 3\]"),
        (([1.0], ["a"], 0.0, {"trial": np.arange(2)}), r"different lengths: \[1, 2\]"),
        (([np.nan], ["a"]), "onsets must be finite"),
    ],
)
def test_impossible_events_say_what_is_wrong(arguments: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Events.of(*arguments)


def test_events_made_out_of_order_are_refused() -> None:
    with pytest.raises(DataError, match="ascending order"):
        Events(onset=np.array([2.0, 1.0]), duration=np.zeros(2), label=("a", "b"))


def test_between_includes_its_start_and_excludes_its_stop() -> None:
    events = Events.of([0.0, 1.0, 2.0, 3.0], [*"abcd"])
    assert events.between(1.0, 3.0).label == ("b", "c")


def test_labelled_takes_several_labels() -> None:
    events = Events.of([0.0, 1.0, 2.0], [*"aba"])
    assert events.labelled("a").onset.tolist() == [0.0, 2.0]
    assert len(events.labelled("a", "b")) == 3
    assert len(events.labelled("nothing")) == 0


def test_counts_start_with_the_most_frequent_label() -> None:
    counts = Events.of(range(4), ["rare", "often", "often", "other"]).counts()
    assert list(counts) == ["often", "other", "rare"]
    assert counts["often"] == 2


def test_unknown_values_in_columns_compare_equal() -> None:
    def table() -> Events:
        return Events.of([0.0, 1.0], ["a", "b"], columns={"reaction_time": np.array([0.4, np.nan])})

    assert table() == table()
    assert table() != Events.of([0.0, 1.0], ["a", "b"])
