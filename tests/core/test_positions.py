"""Frames are converted, never mixed up."""

from __future__ import annotations

import numpy as np
import pytest

from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import UnknownName
from neurokit_fm.positions import known_positions, move, place

CAP = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")


def test_head_and_template_differ_by_centimetres():
    head, template = (known_positions(CAP, "eeg", frame) for frame in ("head", "template"))
    assert 0.03 < np.linalg.norm(head - template, axis=1).mean() < 0.07  # 5.2 cm measured for a whole cap


def test_positions_in_the_wanted_frame_are_kept():
    where = np.random.default_rng(0).normal(size=(10, 3)) * 0.05
    placed, steps = place(Channels.of(CAP, position=where, frame="template"), "eeg", "template")
    np.testing.assert_array_equal(placed.position, where)
    assert steps == []


def test_an_unnamed_sensor_is_carried_over_by_the_fit_of_its_neighbours():
    head = known_positions((*CAP, "Cz"), "eeg", "head")
    channels = Channels.of([*CAP, "extra"], position=head, frame="head")
    placed, steps = place(channels, "eeg", "template")
    truth = known_positions(("Cz",), "eeg", "template")[0]
    assert np.linalg.norm(placed.position[-1] - truth) < 1e-3
    assert "1 positions (extra) moved from the head to the template frame" in steps[-1]


def test_too_few_shared_electrodes_give_an_error_with_the_names():
    channels = Channels.of(["Cz", "Q1", "Q2"], position=np.eye(3) * 0.1, frame="head")
    with pytest.raises(UnknownName, match="2 of 3 channels have no position in the template frame: Q1, Q2"):
        place(channels, "eeg", "template")


def test_unnamed_places_move_with_the_cap():
    moved = move(known_positions(("Oz", "T7"), "eeg", "head"), "eeg", "head", "template")
    np.testing.assert_allclose(moved, known_positions(("Oz", "T7"), "eeg", "template"), atol=1e-3)
    with pytest.raises(UnknownName, match="no plugin knows how the moon frame lies"):
        move(np.zeros((1, 3)), "eeg", "moon", "template")


def test_coils_are_carried_to_the_head_frame_by_the_motion_of_the_recording():
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # a quarter turn about z
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = turn, (0.01, 0.02, 0.03)
    coils = Channels.of(["M1"], kind="meg", position=[[0.1, 0.0, 0.0]], orientation=[[1.0, 0.0, 0.0]], frame="device")
    placed, steps = place(coils, "meg", "head", motion)
    np.testing.assert_allclose(placed.position, [[0.01, 0.12, 0.03]], atol=1e-12)
    np.testing.assert_allclose(placed.orientation, [[0.0, 1.0, 0.0]], atol=1e-12)
    assert placed.frame == "head"
    assert steps == ["1 positions moved from the device to the head frame by the recording's dev_head_t"]
    with pytest.raises(UnknownName, match="1 of 1 channels have no position in the head frame: M1"):
        place(coils, "meg", "head")
