from dataclasses import replace

import numpy as np
import pytest

from neurokit_fm import Channels, PointProcess
from neurokit_fm.errors import DataError
from neurokit_fm.testing import fake_recording


def spikes(**change: object) -> PointProcess:
    made = PointProcess(
        times=np.array([0.1, 0.2, 0.2, 1.5, 2.9]),
        source=np.array([0, 1, 0, 1, 0]),
        channels=Channels.of(["u1", "u2", "silent"], kind="neuron", unit="au"),
        support=np.array([[0.0, 1.0], [1.4, 3.0]]),
        marks=np.arange(5, dtype=np.float32),
    )
    return replace(made, **change)


def test_duration_is_the_supported_time() -> None:
    assert spikes().start == 0.0
    assert spikes().stop == 3.0
    assert spikes().duration == pytest.approx(2.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": np.zeros(3, dtype=int)}, r"times \(5,\) and source \(3,\)"),
        ({"times": np.array([0.2, 0.1, 0.3, 0.4, 0.5])}, "finite and ascending"),
        ({"times": np.array([0.1, 0.2, 0.3, 0.4, np.nan])}, "finite and ascending"),
        ({"source": np.array([0, 1, 0, 1, 3])}, "rows of the 3 channels; got up to 3"),
        ({"support": np.array([[0.0, 2.0], [1.0, 3.0]])}, r"ascending \[start, stop\) pairs"),
        ({"support": np.array([0.0, 3.0])}, "support must be"),
        ({"marks": np.zeros(2)}, "2 marks for 5 times"),
    ],
)
def test_an_impossible_point_process_says_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        spikes(**change)


def test_crop_includes_its_start_excludes_its_stop_and_keeps_the_clock() -> None:
    part = spikes().crop(0.2, 1.5)
    assert part.times.tolist() == [0.2, 0.2]
    assert part.source.tolist() == [1, 0]
    assert part.marks is not None
    assert part.marks.tolist() == [1, 2]
    assert part.support.tolist() == [[0.2, 1.0], [1.4, 1.5]]
    assert part.channels is spikes().channels or len(part.channels) == 3


def test_crop_outside_the_support_leaves_nothing() -> None:
    empty = spikes().crop(10, 11)
    assert len(empty.times) == 0
    assert empty.support.shape == (0, 2)
    assert empty.duration == 0.0


def test_counts_are_per_source_and_bin() -> None:
    assert spikes().counts(1.0).tolist() == [[2, 0, 1], [1, 1, 0], [0, 0, 0]]


def test_counts_drop_a_trailing_part_of_a_bin() -> None:
    assert spikes().counts(2.0).tolist() == [[2], [2], [0]]
    with pytest.raises(DataError, match="bin_s must be positive; got 0"):
        spikes().counts(0)


def test_counts_of_fine_bins_add_up_to_every_firing() -> None:
    made = fake_recording("points", n_channels=4, duration_s=3.0)["spikes"]
    counts = made.counts(0.1)
    assert counts.shape == (4, 30)
    assert counts.sum() == len(made.times)
    assert counts[-1].sum() == 0, "the last unit is silent and still has its row"
