from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurokit_fm import Channels, TimeSeries
from neurokit_fm.errors import DataError
from neurokit_fm.testing import fake_recording


def counting(n_channels: int = 3, n_samples: int = 20, sfreq: float = 10.0, **more: object) -> TimeSeries:
    """Sample t of channel c holds 100 c + t."""
    data = (100.0 * np.arange(n_channels)[:, None] + np.arange(n_samples)).astype(np.float32)
    return TimeSeries(data=data, sfreq=sfreq, channels=Channels.of([f"c{i}" for i in range(n_channels)]), **more)


class Watched:
    """An array that remembers what was read of it."""

    def __init__(self, data: np.ndarray):
        self.data, self.asked = data, []

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)

    def __getitem__(self, index: object) -> np.ndarray:
        block = self.data[index]
        self.asked.append(block.shape)
        return block


def test_times_follow_from_start_rate_and_length() -> None:
    series = counting(start=5.0)
    assert (series.n_samples, series.duration, series.start, series.stop) == (20, 2.0, 5.0, 7.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros(5)}, r"is \(channels, samples\); found shape \(5,\)"),
        ({"data": np.zeros((20, 3))}, r"20 rows of data for 3 channels; is the array \(samples, channels\)"),
        ({"sfreq": 0.0}, "sfreq must be a positive number of Hz; got 0.0"),
        ({"sfreq": float("nan")}, "sfreq must be a positive number"),
        ({"breaks": (5, 3)}, r"breaks must ascend within \(0, 20\)"),
        ({"breaks": (0,)}, "breaks must ascend"),
        ({"breaks": (20,)}, "breaks must ascend"),
        ({"breaks": (4, 4)}, "breaks must ascend"),
    ],
)
def test_an_impossible_series_says_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(counting(), **change)


def test_runs_lie_between_breaks() -> None:
    assert counting(breaks=(5, 12)).runs() == [(0, 5), (5, 12), (12, 20)]
    assert counting().runs() == [(0, 20)]


def test_crop_takes_the_samples_from_start_up_to_stop() -> None:
    part = counting().crop(0.5, 1.0)
    assert part.data[0].tolist() == [5, 6, 7, 8, 9]
    assert part.start == 0.5
    assert part.stop == 1.0


def test_crops_of_neighbouring_intervals_share_no_sample_and_lose_none() -> None:
    series = counting(n_samples=101, sfreq=7.0, start=1.0)
    edges = np.linspace(series.start, series.stop, 12)
    parts = [series.crop(a, b).data for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts, axis=1), series.data)


def test_crop_keeps_the_breaks_inside_it() -> None:
    assert counting(breaks=(5, 12)).crop(0.4, 1.2).breaks == (1,)
    assert counting(breaks=(5, 12)).crop(0.5, 1.2).breaks == ()


def test_crop_beyond_the_ends_is_clipped_and_outside_refused() -> None:
    assert counting().crop(-10, 10).n_samples == 20
    with pytest.raises(DataError, match="no sample between 3 s and 4 s; the signal spans 0 to 2 s"):
        counting().crop(3, 4)


def test_crop_reads_only_what_it_needs() -> None:
    source = Watched(np.zeros((3, 1000), dtype=np.float32))
    replace(counting(), data=source).crop(0.5, 1.0)
    assert source.asked == [(3, 5)]


def test_integers_are_read_as_float32_and_doubles_as_they_are() -> None:
    assert replace(counting(), data=np.ones((3, 20), dtype=np.int16)).read().dtype == np.float32
    assert replace(counting(), data=np.ones((3, 20))).read(2, 4).dtype == np.float64


def test_taking_channels_reads_nothing() -> None:
    source = Watched(np.arange(60, dtype=np.float32).reshape(3, 20))
    taken = replace(counting(), data=source).take([2, 0])
    assert not source.asked
    assert taken.channels.name == ("c2", "c0")
    assert taken.read(0, 2).tolist() == [[40, 41], [0, 1]]


def test_taking_twice_equals_taking_once() -> None:
    series = counting(n_channels=6)
    twice = series.take([5, 3, 1]).take([2, 0])
    assert twice.channels.name == ("c1", "c5")
    assert np.array_equal(twice.read(), series.read()[[1, 5]])


@pytest.mark.parametrize("rows", [[2, 0], [0, 1], [0, 2], [-1], [], [1, 1], [True, False, True], range(3)])
def test_rows_of_an_hdf5_dataset_are_read_like_those_of_an_array(rows: list, tmp_path: Path) -> None:
    series = counting()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        stored = replace(series, data=file.create_dataset("x", data=series.data))
        assert np.array_equal(stored.read(3, 7, rows=rows), series.data[list(rows)][:, 3:7])
        if rows != [1, 1]:
            assert np.array_equal(stored.take(rows).read(3, 7), series.take(rows).read(3, 7))


def test_one_sample_of_one_channel_is_a_series() -> None:
    series = fake_recording(n_channels=1, duration_s=0.005)["eeg"]
    assert series.data.shape == (1, 1)
    assert np.isfinite(series.data).all()
    assert series.crop(0, 1).n_samples == 1
