"""Every figure draws on made-up data without a warning (warnings are errors here), and shows what it was given."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from neurokit_fm import Events, Tokens
from neurokit_fm.data.channels import Channels
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import DataError
from neurokit_fm.report.curves import forest, loss_curve
from neurokit_fm.report.embeddings import components, embedding_map, neighbours, similarity, similarity_map
from neurokit_fm.report.reconstruction import Grid, plain_predictions
from neurokit_fm.report.sensors import head_centre, project, sensor_map
from neurokit_fm.report.signals import density, signal_with_reconstruction, spectrum
from neurokit_fm.testing import fake_recording

RNG = np.random.default_rng(0)


def words(figure: Figure) -> str:
    """Draw the figure and return every text in it."""
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    return " | ".join(text.get_text() for text in figure.findobj(lambda it: hasattr(it, "get_text")))


def electrodes(n: int = 30, frame: str = "template") -> Channels:
    return fake_recording(n_channels=n, frame=frame, duration_s=1).signals["eeg"].channels


@pytest.mark.parametrize("frame", ["template", "head"])
def test_the_map_has_the_nose_up_and_the_right_hand_on_the_right(frame: str) -> None:
    channels = electrodes(frame=frame)
    xy = dict(zip(channels.name, project(channels.position, frame), strict=True))
    assert np.allclose(xy["Cz"], 0, atol=1e-9)
    assert xy["Fz"][1] > 0.4
    assert xy["Oz"][1] < -0.9
    assert xy["C4"][0] > 0.4
    assert xy["C3"][0] == pytest.approx(-xy["C4"][0])


@pytest.mark.parametrize("frame", ["template", "head"])
def test_distance_from_the_middle_is_the_angle_from_the_vertex(frame: str) -> None:
    channels = electrodes(frame=frame)
    xy = dict(zip(channels.name, project(channels.position, frame), strict=True))
    for name, degrees in (("Fz", 46), ("T7", 92), ("FC1", 32), ("P3", 60)):
        assert 90 * np.linalg.norm(xy[name]) == pytest.approx(degrees, abs=1e-6)


def test_the_centre_is_fitted_where_the_sensors_determine_it() -> None:
    moved = electrodes().position + [0.01, -0.02, 0.03]
    assert np.allclose(head_centre(moved, "template"), [0.01, -0.02, 0.03], atol=1e-9)
    assert np.allclose(head_centre(moved[:4], "head"), [0, 0, 0.04])
    assert np.allclose(head_centre(np.zeros((20, 3)), "template"), 0)


def test_a_sensor_map_names_sensors_and_counts_those_without_a_place() -> None:
    channels = electrodes(34)  # two more than have places
    channels = replace(channels, bad=np.arange(34) == 3)
    shown = words(sensor_map(channels, np.arange(34.0), label="size (µV)"))
    for word in ("Fz", "C3", "2 without position", "1 bad", "template frame", "size (µV)"):
        assert word in shown
    assert "no sensor has a position" in words(sensor_map(Channels.of(["a", "b"])))
    device = fake_recording(modality="meg", n_channels=100, frame="device", duration_s=1).signals["meg"].channels
    assert "L" not in words(sensor_map(device)).split(" | ")  # nobody says which way is up there


def test_signals_carry_names_units_and_a_round_scale_bar() -> None:
    original = 20 * RNG.standard_normal((3, 200))
    hidden = np.zeros((3, 200), dtype=bool)
    hidden[0, 50:100] = hidden[2, 180:] = True
    times = 10 + np.arange(200) / 100
    shown = words(
        signal_with_reconstruction(times, original, 0.5 * original, hidden, names=["Fz", "Cz", "Pz"], unit="µV")
    )
    for word in ("Fz", "Pz", "50 µV", "recorded", "predicted", "time in the recording (s)"):
        assert word in shown


def test_a_spectrum_finds_a_rhythm_at_its_frequency_and_power() -> None:
    sfreq, seconds = 128.0, 30
    t = np.arange(int(seconds * sfreq)) / sfreq
    x = np.stack([np.sin(2 * np.pi * 10 * t), np.sin(2 * np.pi * 20 * t)]) * 1e-5
    series = TimeSeries(data=x, sfreq=sfreq, channels=Channels.of(["a", "b"]), breaks=(1000,))
    hz, power = density(series)
    assert hz[power.argmax(axis=1)].tolist() == [10.0, 20.0]
    assert (power.sum(axis=1) * (hz[1] - hz[0])).tolist() == pytest.approx(
        [5e-11, 5e-11], rel=0.02
    )  # a sine's variance
    assert "µV²/Hz" in words(spectrum(series, replace(series, sfreq=100.0)))


def test_a_spectrum_of_short_trials_never_crosses_a_break() -> None:
    x = np.concatenate([np.full((1, 50), 1.0), np.full((1, 50), -1.0)], axis=1)
    series = TimeSeries(data=x, sfreq=100.0, channels=Channels.of(["a"]), breaks=(50,))
    assert density(series)[1].max() == pytest.approx(0, abs=1e-12)  # each trial is constant


def test_a_loss_curve_shows_held_out_losses_and_what_learns_nothing() -> None:
    parts = {"primary": np.linspace(1, 0.3, 60), "secondary": np.where(np.arange(60) < 5, np.nan, 0.8)}
    levels = {"zero": 0.8, "channel mean": 0.81, "spherical spline": 0.25}
    figure = loss_curve(
        parts, held_out=(np.array([0, 60]), np.array([0.9, 0.31])), levels=levels, unit="standard deviations"
    )
    shown = words(figure)
    for word in ("zero 0.800", "spherical spline 0.250", "training, primary", "held out", "(standard deviations)"):
        assert word in shown
    words(loss_curve({"primary": np.ones(1)}))


def test_a_forest_shows_scores_intervals_and_chance() -> None:
    shown = words(
        forest(["a", "b"], [0.61, 0.5], [0.5, np.nan], [0.7, np.nan], chance=0.5, label="accuracy", marked=[0])
    )
    for word in ("a", "0.61", "chance", "accuracy"):
        assert word in shown
    told = forest(["a", "b"], [0.6, 0.5], [0.5, 0.4], [0.7, 0.6], chance=0.5, label="accuracy", hollow=[1])
    assert [line.get_marker() for line in told.axes[0].lines if line.get_marker() != "None"] == ["o", "D"]


def test_components_are_those_of_a_known_cloud() -> None:
    values = RNG.standard_normal((400, 4)) * [5, 2, 0.01, 0.01] @ np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    scores, share = components(values)
    assert share[:2] == pytest.approx([25 / 29, 4 / 29], abs=0.03)
    assert scores.std(axis=0)[:2] == pytest.approx([5, 2], rel=0.1)
    assert components(np.ones((3, 2)))[1].tolist() == [0, 0, 0]


def test_neighbours_are_alike_and_never_overlap() -> None:
    phase = np.arange(40) * 0.5
    values = np.stack([np.cos(phase * np.pi / 5), np.sin(phase * np.pi / 5)], axis=1)  # a period of 10 s
    times = np.stack([phase, phase + 2], axis=1)
    for start, other, alike in neighbours(values, times):
        assert abs(start - other) == pytest.approx(10)
        assert alike == pytest.approx(1)
    assert np.allclose(np.diag(similarity(values)), 1)
    assert neighbours(values[:1], times[:1]) == []


def test_an_embedding_map_tells_events_apart() -> None:
    starts = np.arange(50) * 0.5
    times = np.stack([starts, starts + 1], axis=1)
    events = Events.of(np.arange(1.0, 24, 2), ["rt", "square"] * 6)
    shown = words(embedding_map(RNG.standard_normal((50, 6)), times, events))
    for word in ("PC1 (", "rt (6)", "square (6)", "no event (38)", "time (s)"):
        assert word in shown
    words(embedding_map(RNG.standard_normal((50, 2)), times, Events.of()))
    words(similarity_map(RNG.standard_normal((50, 6)), times))


class Made:
    """A reconstruction of two windows, 12 channels and 4 steps of 5 samples, that always predicts 1."""

    def __init__(self, seed: int = 0):
        draw = torch.Generator().manual_seed(seed)
        position = torch.tensor(electrodes(12).position).float()
        coords = torch.zeros(2, 12, 4, 4)
        coords[..., :3] = position[:, None]
        coords[..., 3] = torch.arange(4) * 0.05
        index = torch.stack(torch.meshgrid(torch.arange(12), torch.arange(4), indexing="ij"), dim=-1)
        smooth = torch.randn(2, 1, 20, generator=draw) * (1 + 5 * position[:, :1])  # what all electrodes share
        self.target = Tokens(
            values=smooth.reshape(2, 48, 5),
            mask=torch.ones(2, 48, dtype=torch.bool),
            coords=coords.flatten(1, 2),
            index=index.flatten(0, 1).expand(2, 48, 2),
        )
        self.hidden = torch.rand(2, 48, generator=draw) < 0.4
        self.predicted = torch.ones(int(self.hidden.sum()), 5)


def test_a_grid_lays_patches_out_by_channel_and_step() -> None:
    made = Made()
    grid = Grid.of(made)
    assert grid.truth.shape == (2, 12, 4, 5)
    assert np.array_equal(grid.truth[1, 7, 2], made.target.values[1, 7 * 4 + 2].double())
    assert (grid.predicted[grid.hidden] == 1).all()
    assert np.array_equal(grid.predicted[~grid.hidden], grid.truth[~grid.hidden])
    assert grid.error() == pytest.approx(float((made.target.values[made.hidden] - 1).abs().mean()), rel=1e-6)
    assert np.isnan(grid.by_channel()[1]).all()  # a constant correlates with nothing


def test_plain_predictions_see_visible_patches_only() -> None:
    made = Made()
    grid = Grid.of(made)
    spoilt = replace(grid, truth=np.where(grid.hidden[..., None], 1e6, grid.truth))
    for name, filled in plain_predictions(grid).items():
        assert np.array_equal(filled[~grid.hidden], grid.truth[~grid.hidden]), name
        assert np.allclose(filled[grid.hidden], plain_predictions(spoilt)[name][grid.hidden]), name


def test_a_spherical_spline_restores_what_varies_smoothly_over_the_head() -> None:
    grid = Grid.of(Made())
    errors = {name: grid.error(filled) for name, filled in plain_predictions(grid).items()}
    assert errors["spherical spline"] < 0.1 * errors["zero"]
    assert errors["spherical spline"] < errors["nearest channel"] < errors["zero"]


def test_padded_reconstructions_are_refused() -> None:
    made = Made()
    mask = made.target.mask.clone()
    mask[0, -1] = False
    made.target = replace(made.target, mask=mask)
    with pytest.raises(DataError, match="windows of one shape"):
        Grid.of(made)


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    code = (
        "import sys, matplotlib, numpy; before = matplotlib.rcParams.copy()\n"
        "from neurokit_fm.report.curves import loss_curve\n"
        "loss_curve({'primary': numpy.ones(9)})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
