import numpy as np
import pytest

from neurokit_fm import Channels
from neurokit_fm.data.channels import SENSOR_TYPES
from neurokit_fm.errors import DataError, NkfmError, UnknownName
from neurokit_fm.testing import fake_recording


def test_a_single_word_serves_every_row() -> None:
    channels = Channels.of(["Fz", "Cz"], kind="eeg", unit="V")
    assert channels.kind == channels.sensor_type == ("eeg", "eeg")
    assert channels.unit == ("V", "V")
    assert np.isnan(channels.position).all()
    assert channels.position.shape == channels.orientation.shape == (2, 3)
    assert channels.frame == "unknown"
    assert not channels.bad.any()


def test_bad_channels_are_given_by_name_or_mask() -> None:
    names = ["Fz", "Cz", "Pz"]
    by_name = Channels.of(names, bad=["Cz"])
    assert by_name.bad.tolist() == [False, True, False]
    assert by_name == Channels.of(names, bad=np.array([False, True, False]))


def test_a_table_without_rows_is_a_table() -> None:
    channels = Channels.of([])
    assert len(channels) == 0
    assert channels.has_position.shape == (0,)
    assert channels == channels.take([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["Fz", "Cz", "Fz"]}, "must be unique; repeated: Fz"),
        ({"names": ["Fz", "Cz"], "kind": ["eeg"]}, "column 'kind' has 1 entries for 2 names"),
        ({"names": ["Fz"], "columns": {"impedance": np.zeros(2)}}, "column 'impedance' has 2 entries for 1 names"),
        ({"names": ["Fz"], "position": [[0.0, 0.1]], "frame": "head"}, r"position must have shape \(1, 3\)"),
        ({"names": ["Fz"], "position": [[0.0, 0.1, 0.0]]}, "without a coordinate frame; say frame='head'"),
        ({"names": ["Fz"], "position": [[0.0, np.nan, np.nan]]}, "without a coordinate frame"),
        ({"names": ["Fz", "Cz"], "bad": np.array([True])}, "column 'bad' has 1 entries for 2 names"),
    ],
)
def test_an_impossible_table_says_what_is_wrong(arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Channels.of(**arguments)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, NkfmError)


def test_a_position_is_known_when_all_three_coordinates_are() -> None:
    position = [[0.0, 0.0, 0.1], [0.0, np.nan, 0.1], [np.nan] * 3]
    assert Channels.of(["a", "b", "c"], position=position, frame="head").has_position.tolist() == [True, False, False]


def test_sensor_types_have_ids_in_their_order_and_minus_one_for_any_other() -> None:
    channels = Channels.of([*"abcde"], sensor_type=[*SENSOR_TYPES, "stim"])
    assert channels.sensor_type_id.tolist() == [0, 1, 2, 3, -1]


def test_rows_come_in_the_order_asked() -> None:
    channels = Channels.of(["Fz", "Cz", "Pz"])
    assert channels.rows(["Pz", "Fz"]).tolist() == [2, 0]
    assert channels.rows([]).dtype == np.int64


def test_unknown_rows_are_all_listed_with_the_closest_name() -> None:
    with pytest.raises(UnknownName, match="no channel called 'fz1', 'nonsense'. Did you mean 'Fz'") as caught:
        Channels.of(["Fz", "Cz"]).rows(["fz1", "Cz", "nonsense"])
    assert isinstance(caught.value, LookupError)


def test_taking_rows_takes_every_column() -> None:
    channels = fake_recording(n_channels=5)["eeg"].channels
    taken = channels.take([3, 1])
    assert taken.name == (channels.name[3], channels.name[1])
    assert np.array_equal(taken.position, channels.position[[3, 1]])
    assert taken.frame == "template"
    mask = np.array([False, True, False, True, False])
    assert channels.take(mask) == channels.take([1, 3])


def test_free_columns_follow_their_rows() -> None:
    channels = Channels.of(["a", "b", "c"], columns={"impedance": [1.0, np.nan, 3.0], "label": np.array([*"xyz"])})
    taken = channels.take([2, 0])
    assert taken.columns["impedance"].tolist() == [3.0, 1.0]
    assert taken.columns["label"].tolist() == ["z", "x"]


def test_an_unknown_value_equals_an_unknown_value() -> None:
    def table(value: float) -> Channels:
        return Channels.of(["a", "b"], columns={"impedance": np.array([value, 5.0]), "label": np.array([*"xy"])})

    assert table(np.nan) == table(np.nan)
    assert table(np.nan) != table(1.0)
    assert Channels.of(["a"]) == Channels.of(["a"])
    assert Channels.of(["a"]) != Channels.of(["b"])
    assert Channels.of(["a"]) != Channels.of(["a"], bad=["a"])
    assert Channels.of(["a"]) != "a"
