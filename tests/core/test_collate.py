"""Recordings of every layout into batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError, UnknownName
from neurokit_fm.testing.fake import fake_recording


def test_series_are_padded_and_masked():
    one, two = fake_recording(n_channels=3, duration_s=1.0), fake_recording(n_channels=5, duration_s=2.0, seed=1)
    stream = collate([one, two], target=[0, 1]).the(SeriesStream)
    assert stream.values.shape == (2, 5, 400)
    assert stream.channel_mask.sum(1).tolist() == [3, 5]
    assert stream.time_mask.sum(1).tolist() == [200, 400]
    np.testing.assert_allclose(stream.values[0, :3, :200], one["eeg"].read(), rtol=1e-6)
    assert not stream.values[0, 3:].any()
    assert stream.names == (one["eeg"].channels.name, two["eeg"].channels.name)


@pytest.mark.parametrize("layout", ["series", "points", "volume", "graph"])
def test_every_layout_makes_a_batch_that_moves(layout):
    batch = collate([fake_recording(layout, seed=s) for s in range(3)])
    assert len(batch) == 3
    (name,) = batch
    moved = batch.to("meta", torch.bfloat16)[name]
    assert len(moved) == 3


def test_points_count_from_each_window():
    rec = fake_recording("points")
    (signal,) = rec.signals.values()
    cropped = rec.crop(2.0, 5.0)
    stream = next(iter(collate([cropped]).streams.values()))
    expected = signal.times[(signal.times >= 2) & (signal.times < 5)] - 2.0
    np.testing.assert_allclose(stream.times[0][stream.mask[0]], expected, atol=1e-5)


def test_series_of_other_rates_or_frames_are_refused():
    with pytest.raises(DataError, match="must share rate and frame"):
        collate([fake_recording(sfreq=200), fake_recording(sfreq=100)])
    with pytest.raises(DataError, match="no recordings"):
        collate([])


def test_a_batch_says_what_it_holds():
    batch = collate([fake_recording()])
    with pytest.raises(UnknownName, match="no stream 'meg'; it holds eeg"):
        batch["meg"]
    with pytest.raises(DataError, match="exactly one PointStream"):
        batch.the(PointStream)
    with pytest.raises(DataError, match="same number of samples"):
        nkfm.Batch(streams={"a": batch["eeg"], "b": collate([fake_recording()] * 2)["eeg"]})


def test_arrays_make_a_stream_and_wrong_shapes_are_named():
    stream = SeriesStream.from_arrays(np.zeros((2, 3, 4)), sfreq=100, positions=np.zeros((3, 3)), names=["a", "b", "c"])
    assert stream.positions.shape == (2, 3, 3)
    assert stream.names == (("a", "b", "c"),) * 2
    with pytest.raises(DataError, match=r"got \(4, 3\)"):
        SeriesStream.from_arrays(np.zeros((2, 3, 4)), sfreq=100, positions=np.zeros((4, 3)))
    with pytest.raises(DataError, match="batch, channels, samples"):
        SeriesStream.from_arrays(np.zeros((3, 4)), sfreq=100)
