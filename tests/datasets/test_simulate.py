"""The simulated data set: what is in its signals, that it is the same in any pieces, and that its labels mean something."""

import json
import pickle
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import welch

import neurokit_fm as nkfm
from neurokit_fm.config import read_config, write_config
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.probing.plain_methods import log_band_power
from neurokit_fm.probing.trials import raw_trials
from nkfm_reve.config import CONTRACT
from nkfm_simulate.activity import movement
from nkfm_simulate.config import ActivityConfig, ArtefactConfig, SimulationConfig
from nkfm_simulate.dataset import simulate
from nkfm_simulate.montages import cap
from nkfm_simulate.noise import ShapedNoise
from nkfm_simulate.schedule import BLINK_S, superpose

CLEAN = ArtefactConfig(noise=0, line=0, drift=0, blinks_per_minute=0)
STEADY = ActivityConfig(states=1, burstiness=0, frequency_jitter_hz=0, evoked_nam=0)
BOTH = SimulationConfig(montages=("biosemi32",), meg=("neuromag306",), duration_s=20)


def rows(recording, signal, *names):
    return recording[signal].channels.rows(names)


# Determinism and streaming


def unlike(one, other):
    """Steps from sample to sample are uncorrelated (slow drifts of a few seconds may look alike)."""
    a, b = (np.diff(series.read(0, 2500).astype(np.float64), axis=1) for series in (one, other))
    together = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1) + 1e-99)
    return np.median(np.abs(together)) < 0.1


def test_the_same_seed_gives_the_same_samples_and_another_seed_others():
    one, two, other = simulate(BOTH, seed=1), simulate(BOTH, seed=1), simulate(BOTH, seed=2)
    assert one.events == two.events
    for name in ("eeg", "meg", "sources"):
        assert one[name].channels == two[name].channels
        assert np.array_equal(one[name].read(0, 500), two[name].read(0, 500))
        assert unlike(one[name], other[name])


def test_subjects_differ_in_the_head_and_sessions_in_the_noise():
    config = SimulationConfig(duration_s=10)
    first = simulate(config)
    again, other = simulate(config, session=1), simulate(config, subject=1)
    relative = [
        (r["sources"].channels.position - r.info.facts["head_centre"]) / r.info.facts["head_radius"]
        for r in (first, again, other)
    ]
    assert np.allclose(relative[0], relative[1], atol=1e-9)
    assert not np.allclose(relative[0], relative[2], atol=0.01)
    assert first.info.facts["peaks_hz"] == again.info.facts["peaks_hz"] != other.info.facts["peaks_hz"]
    assert unlike(first["eeg"], again["eeg"])
    assert unlike(first["sources"], again["sources"])
    moved = np.linalg.norm(first["eeg"].channels.position - again["eeg"].channels.position, axis=1)
    assert 0.0005 < np.median(moved) < 0.006


@pytest.mark.parametrize("name", ["eeg", "meg", "sources"])
def test_any_crop_equals_the_slice_of_the_whole(name):
    series = simulate(BOTH, seed=5)[name]
    whole = series.read()
    assert whole.dtype == np.float32
    assert whole.shape == (len(series.channels), 5000)
    for start, stop in ((0, 1), (511, 513), (512, 1024), (1000, 1777), (4999, 5000), (37, 5000)):
        assert np.array_equal(series.read(start, stop), whole[:, start:stop])
    crop = series.crop(7.3, 11.9)
    assert np.array_equal(crop.data, whole[:, 1825:2975])
    assert crop.start == pytest.approx(7.3)
    assert np.array_equal(series.read(100, 300, rows=[3, 1]), whole[[3, 1], 100:300])
    assert np.array_equal(series.data[2, 5:2000:7], whole[2, 5:2000:7])
    assert np.array_equal(series.data[:, [900, 3]], whole[:, [900, 3]])
    assert np.array_equal(series.data[1:3], whole[1:3])
    assert series.data[4, -1] == whole[4, -1]
    assert series.data[:, 10:10].shape == (len(series.channels), 0)
    with pytest.raises(IndexError):
        series.data[:, 5000]


def test_an_hour_costs_nothing_before_it_is_read():
    cap("10-20")
    tracemalloc.start()
    rec = simulate(SimulationConfig(duration_s=3600))
    window = rec["eeg"].read(800_000, 801_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rec["eeg"].n_samples == 900_000
    assert window.shape == (19, 1000)
    assert peak < 12e6  # all of it would be 68 MB, its sources 250 MB
    assert np.array_equal(window, simulate(SimulationConfig(duration_s=3600))["eeg"].read(800_000, 801_000))


def test_a_recording_travels_to_another_process():
    rec = simulate(SimulationConfig(duration_s=4))
    assert np.array_equal(pickle.loads(pickle.dumps(rec))["eeg"].read(), rec["eeg"].read())


# Spectra and activity


def spectrum(x, sfreq=250.0):
    return welch(x, sfreq, nperseg=1024)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_background_falls_with_the_planted_slope(slope):
    activity = ActivityConfig(slope=slope, states=1, alpha_nam=0, mu_nam=0, beta_nam=0)
    config = SimulationConfig(duration_s=120, task="rest", artefacts=CLEAN, activity=activity)
    for name in ("eeg", "sources"):
        x = simulate(config)[name].read()
        frequency, power = spectrum(x[x.std(axis=1) > 0])
        band = (frequency > 2) & (frequency < 60)
        fit = np.polyfit(np.log(frequency[band]), np.log(power[:, band].mean(axis=0)), 1)
        assert fit[0] == pytest.approx(-slope, abs=0.06)


@pytest.mark.parametrize("alpha_hz", [8.5, 10.0, 12.0])
def test_alpha_peaks_where_it_was_planted_at_the_back_of_the_head(alpha_hz):
    activity = ActivityConfig(alpha_hz=alpha_hz, frequency_jitter_hz=0, mu_nam=0, states=1)
    rec = simulate(SimulationConfig(duration_s=200, task="rest", activity=activity))
    frequency, power = spectrum(rec["eeg"].read())
    near = np.abs(frequency - alpha_hz) < 3
    for name in ("O1", "O2"):
        peak = power[rows(rec, "eeg", name)[0]]
        assert frequency[near][peak[near].argmax()] == pytest.approx(alpha_hz, abs=0.6)  # bins of a quarter hertz
    in_alpha = power[:, np.abs(frequency - alpha_hz) < 1].mean(axis=1)
    assert in_alpha[rows(rec, "eeg", "O1", "O2")].min() > 3 * in_alpha[rows(rec, "eeg", "F7", "F8")].max()


def test_moments_have_the_sizes_of_the_configuration():
    config = SimulationConfig(duration_s=300, task="rest", artefacts=CLEAN, activity=STEADY)
    rec = simulate(config)
    size = 1e9 * rec["sources"].read().std(axis=1)
    assert np.allclose(size[7:-2], 9.0, rtol=0.1)  # the background
    assert np.allclose(size[:2], np.sqrt(9**2 + 18**2 + 8**2), rtol=0.1)  # the hand areas
    assert np.allclose(size[2:4], np.sqrt(9**2 + 22**2), rtol=0.1)  # the occipital poles


def test_noise_keeps_its_variance_at_every_place_of_a_hop():
    noise = ShapedNoise(np.ones((50, 65)), 0, (1,))
    x = np.stack(list(noise.hops(0, 200)))  # (hops, R, H)
    assert x.mean() == pytest.approx(0, abs=0.01)
    variance = (x**2).mean(axis=(0, 1))  # 10,000 values each: standard error 1.4 %
    assert variance.mean() == pytest.approx(1, abs=0.01)
    assert np.abs(variance - 1).max() < 0.06


def test_bursts_change_the_shape_of_a_rhythm_and_not_its_power():
    kurtosis, power = [], []
    for burstiness in (0.0, 0.8):
        activity = ActivityConfig(burstiness=burstiness, background_nam=0, states=1)
        config = SimulationConfig(duration_s=300, task="rest", activity=activity, artefacts=CLEAN)
        x = simulate(config)["sources"].read(rows=[2, 3, 4])
        power.append((x**2).mean())
        kurtosis.append((x**4).mean() / (x**2).mean() ** 2)
    assert kurtosis[0] == pytest.approx(3, abs=0.3)
    assert kurtosis[1] > 5
    assert power[1] == pytest.approx(power[0], rel=0.25)


def test_states_scale_the_rhythms_as_the_events_say():
    config = SimulationConfig(duration_s=300, task="rest", activity=ActivityConfig(burstiness=0, background_nam=0))
    rec = simulate(config, seed=2)
    x, events = rec["sources"].read(), rec.events
    states = [label for label in dict.fromkeys(events.label) if label.startswith("state-")]
    assert len(states) == 3
    visits = events.labelled(*states)
    assert np.allclose(visits.onset[1:], (visits.onset + visits.duration)[:-1])  # always in one state
    assert visits.duration.sum() == pytest.approx(300)
    assert all(a != b for a, b in zip(visits.label, visits.label[1:], strict=False))
    size = np.empty((3, 3))  # (states, sources)
    for row, state in enumerate(sorted(states)):
        mine = visits.labelled(state)
        inside = [
            x[2:5, round((start + 0.1) * 250) : round((start + length - 0.1) * 250)]
            for start, length in zip(mine.onset, mine.duration, strict=True)
        ]
        size[row] = np.concatenate(inside, axis=1).std(axis=1)
    gain = rec["sources"].data.source.gain[-7:-4].T  # alpha of both occipital poles and of the parietal source
    assert np.ptp(np.log(gain), axis=0).min() > 0.2
    assert np.allclose(
        np.log(size / size[0]), np.log(gain / gain[0]), atol=0.25
    )  # some hundred independent values each


def test_the_cue_evokes_n1_and_p2_at_the_vertex():
    activity = ActivityConfig(background_nam=0, alpha_nam=0, mu_nam=0, beta_nam=0)
    rec = simulate(SimulationConfig(duration_s=60, effect=0, artefacts=CLEAN, activity=activity, reference="infinity"))
    trials = rec.events.labelled("left", "right")
    x = rec["eeg"].read(rows=rows(rec, "eeg", "Cz"))[0]
    mean = np.mean([x[round(t * 250) :][:200] for t in trials.onset], axis=0)
    assert mean.argmin() / 250 == pytest.approx(0.1, abs=0.01)
    assert mean.argmax() / 250 == pytest.approx(0.2, abs=0.015)
    assert -20e-6 < mean.min() < -1e-6


def test_a_waveform_is_added_at_every_onset_in_any_piece():
    times = np.arange(1000) / 100
    onset, weight = np.array([1.0, 1.5, 7.0]), np.array([[1.0, 0.0], [2.0, 1.0], [1.0, 1.0]])

    def ramp(t):
        return 1 - t

    whole = superpose(times, onset, weight, ramp, 1.0)
    assert whole[0, 150] == pytest.approx(0.5 + 2)
    assert whole[1, 150] == pytest.approx(1)
    assert whole[:, 250].tolist() == [0, 0]
    pieces = [superpose(part, onset, weight, ramp, 1.0) for part in np.array_split(times, 7)]
    assert np.allclose(np.concatenate(pieces, axis=1), whole, atol=1e-6)
    assert movement(np.array([0.0, 0.1, 1.0, 2.5]), 2.0).tolist() == [0, 0, 1, 0]


# Sizes and artefacts


@pytest.mark.parametrize("montage", ["10-20", "biosemi256", "GSN-HydroCel-129"])
def test_eeg_has_the_size_of_eeg(montage):
    x = simulate(SimulationConfig(montages=(montage,), duration_s=30))["eeg"].read()
    size = x.std(axis=1)
    assert 5e-6 < np.median(size) < 50e-6
    low, high = nkfm.modalities.load("eeg").plausible("eeg")
    assert ((low < size) & (size < high)).all()


def test_meg_has_the_size_of_meg():
    rec = simulate(SimulationConfig(montages=(), meg=("neuromag306", "ctf275"), duration_s=30))
    kind = np.array(rec["meg"].channels.sensor_type)
    size = rec["meg"].read().std(axis=1)
    assert 50e-15 < np.median(size[kind == "mag"]) < 500e-15
    assert 1e-12 < np.median(size[kind == "grad_planar"]) < 2e-11  # 10 to 200 fT/cm
    axial = simulate(SimulationConfig(montages=(), meg=("neuromag306", "ctf275"), duration_s=30), subject=1)["meg"]
    assert 50e-15 < np.median(axial.read().std(axis=1)) < 500e-15
    for name, x in ((k, size[kind == k]) for k in ("mag", "grad_planar")):
        low, high = nkfm.modalities.load("meg").plausible(name)
        assert ((low < x) & (x < high)).all()


def test_sensor_noise_mains_and_drifts_are_where_they_should_be():
    silent = ActivityConfig(background_nam=0, alpha_nam=0, mu_nam=0, beta_nam=0, evoked_nam=0)
    config = SimulationConfig(
        montages=("10-20",), meg=("neuromag306",), duration_s=100, task="rest", activity=silent, reference="infinity",
        artefacts=ArtefactConfig(blinks_per_minute=0, line_hz=60),
    )  # fmt: skip
    rec = simulate(config)
    kind = np.array(rec["meg"].channels.sensor_type)
    density = {"eeg": (rec["eeg"].read(), 80e-9), "mag": (rec["meg"].read()[kind == "mag"], 3.5e-15)}
    for x, expected in density.values():
        frequency, power = welch(x, 250, nperseg=2000)
        power = np.sqrt(np.median(power, axis=0))
        quiet = (frequency > 5) & (np.abs(frequency - 60) > 2) & (frequency < 115)
        assert np.median(power[quiet]) == pytest.approx(expected, rel=0.05)
        assert power[np.abs(frequency - 60).argmin()] > 20 * expected
        assert power[np.abs(frequency - 50).argmin()] < 1.5 * expected
        slow = x[:, ::250]
        assert slow.std() > 3 * (x - x[:, :1]).std() / 10


def test_blinks_are_frontal_and_seen_by_meg_too():
    config = SimulationConfig(montages=("biosemi64",), meg=("ctf275",), duration_s=60, task="rest")
    rec = simulate(config)
    blinks = rec.events.labelled("blink")
    assert 3 <= len(blinks) <= 16
    assert (blinks.duration == BLINK_S).all()
    peak = round((blinks.onset[1] + 0.126) * 250)
    x = rec["eeg"].read(peak - 60, peak + 1)
    jump = x[:, -1] - x[:, :25].mean(axis=1)
    assert rec["eeg"].channels.name[jump.argmax()] in ("Fp1", "Fpz", "Fp2", "AF7", "AF8")
    assert 40e-6 < jump.max() < 400e-6
    eyes = rec["sources"].read(rows=rows(rec, "sources", "eye-left", "eye-right"))
    assert np.array_equal(eyes[0], eyes[1])
    on = np.zeros(eyes.shape[1], dtype=bool)
    for onset in blinks.onset:
        on[round(onset * 250) : round((onset + BLINK_S) * 250) + 1] = True
    assert (eyes[:, ~on] == 0).all()


def test_broken_channels_are_marked_and_left_out_of_the_reference():
    artefacts = ArtefactConfig(noisy_channels=2, flat_channels=1)
    rec = simulate(SimulationConfig(duration_s=20, artefacts=artefacts), seed=4)
    eeg = rec["eeg"]
    x, condition = eeg.read().astype(np.float64), eeg.channels.columns["condition"]
    assert sorted(condition[condition != "good"]) == ["flat", "noisy", "noisy"]
    assert np.array_equal(eeg.channels.bad, condition != "good")
    assert (x[condition == "flat"] == 0).all()
    assert x[condition == "noisy"].std() > 5 * x[condition == "good"].std()
    assert np.abs(x[condition == "good"].mean(axis=0)).max() < 1e-3 * x[condition == "good"].std()
    hidden = ArtefactConfig(noisy_channels=2, flat_channels=1, mark_bad=False)
    unmarked = simulate(SimulationConfig(duration_s=20, artefacts=hidden), seed=4)["eeg"]
    assert not unmarked.channels.bad.any()
    assert np.array_equal(unmarked.channels.columns["condition"], condition)


# The data set


def test_the_table_says_who_wears_what_and_which_part_it_is():
    config = SimulationConfig(
        subjects=4, sessions=2, test_subjects=1, montages=("10-20", "biosemi32"), meg=("ctf151",), duration_s=5
    )
    data = nkfm.datasets.load("simulated")(config)
    assert len(data) == 8
    assert [row["part"] for row in data.table] == ["train"] * 6 + ["test"] * 2
    assert [row["montage"] for row in data.table[::2]] == ["10-20", "biosemi32"] * 2
    assert {row["meg"] for row in data.table} == {"ctf151"}
    train, test = nkfm.split(data, by="given")
    assert not {row["subject"] for row in train.table} & {row["subject"] for row in test.table}
    rec = data[3]
    assert (rec.info.subject, rec.info.session) == ("sim-02", "2")
    assert len(rec["eeg"].channels) == 32
    assert rec.info.licence == data.licence == "CC0 (made by a program)"
    assert "Gramfort" in rec.info.citation
    assert nkfm.datasets["simulated"].licence == data.licence
    json.dumps(rec.info.facts)


def test_trials_are_balanced_labelled_and_fit():
    rec = simulate(SimulationConfig(duration_s=120))
    counts = rec.events.counts()
    assert abs(counts["left"] - counts["right"]) <= 1
    trials = rec.events.labelled("left", "right")
    assert len(trials) > 30
    assert (np.diff(trials.onset) >= 2.8 - 1e-9).all()
    assert trials.onset[-1] + 2 <= 120


def accuracy(effect, seed):
    """Band power LDA of each subject's first session, tested on the second."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    config = SimulationConfig(subjects=2, sessions=2, duration_s=200, effect=effect, sfreq=128)
    data = nkfm.datasets.load("simulated")(config, seed=seed)
    right = []
    for subject in range(2):
        parts = [raw_trials(data.take([2 * subject + session])) for session in range(2)]
        x = [log_band_power(p.x.astype(np.float64), 128.0) for p in parts]
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x[0], parts[0].y)
        right.extend(model.predict(x[1]) == parts[1].y)
    return np.mean(right), len(right)


def test_hands_can_be_told_apart_and_at_effect_zero_they_cannot():
    found, n = accuracy(1.0, 0)
    assert n > 100
    assert found > 0.8
    chance, n = accuracy(0.0, 0)
    assert abs(chance - 0.5) < 3 * 0.5 / np.sqrt(n)


def test_the_moving_hand_quietens_the_opposite_side():
    config = SimulationConfig(duration_s=300, activity=ActivityConfig(states=1))
    rec = simulate(config)
    x = rec["sources"].read(rows=rows(rec, "sources", "motor-left", "motor-right"))
    frequency = np.fft.rfftfreq(400, 1 / 250)
    mu = (frequency > 8) & (frequency < 14)
    power = {}
    for hand in ("left", "right"):
        onsets = rec.events.labelled(hand).onset
        trials = np.stack([x[:, round((t + 0.4) * 250) :][:, :400] for t in onsets])
        power[hand] = (np.abs(np.fft.rfft(trials))[:, :, mu] ** 2).mean(axis=(0, 2))
    assert power["right"][0] < 0.3 * power["left"][0]
    assert power["left"][1] < 0.3 * power["right"][1]


@pytest.mark.parametrize("montage", ["10-20", "biosemi64", "biosemi128", "GSN-HydroCel-129"])
def test_reves_contract_applies(montage):
    rec = simulate(SimulationConfig(montages=(montage,), duration_s=20))
    assert CONTRACT.check(rec) == []
    done = CONTRACT.apply(rec)["eeg"]
    assert done.sfreq == 200
    assert done.channels.frame == "template"
    assert done.channels.has_position.all()
    assert np.abs(done.read().std(axis=1) - 1).max() < 0.05


def test_the_ground_truth_has_a_modality_and_places():
    rec = simulate(SimulationConfig(duration_s=4))
    channels = rec["sources"].channels
    modality = nkfm.modalities.load("sources")
    assert set(channels.kind) == set(modality.kinds)
    assert set(channels.unit) == {"Am"}
    assert channels.frame == "head"
    inside = np.linalg.norm(channels.position - rec.info.facts["head_centre"], axis=1) / rec.info.facts["head_radius"]
    assert inside.max() < 0.9
    assert np.allclose(np.linalg.norm(channels.orientation, axis=1), 1)
    low, high = modality.plausible("dipole")
    size = rec["sources"].read()[:-2].std(axis=1)
    assert ((low < size) & (size < high)).all()


def test_a_configuration_survives_json_and_is_read_strictly():
    config = SimulationConfig(montages=("biosemi16",), activity=ActivityConfig(slope=1.5))
    text = json.loads(json.dumps(write_config(config)))
    assert read_config(SimulationConfig, text) == config
    data = nkfm.datasets.load("simulated")({"subjects": 3, "activity": {"states": 2}, "duration_s": 5})
    assert len(data) == 6
    with pytest.raises(ConfigError, match="no setting 'montage'. Did you mean 'montages'"):
        nkfm.datasets.load("simulated")({"montage": ["10-20"]})


def test_impossible_configurations_say_everything_that_is_wrong():
    with pytest.raises(ConfigError, match="effect must lie in .0, 1.; got 2; reference must be 'average'"):
        SimulationConfig(effect=2, reference="linked")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="name at least one montage or MEG system"):
        SimulationConfig(montages=())
    with pytest.raises(ConfigError, match="no more test_subjects than subjects; got 1, 2 and 2"):
        SimulationConfig(subjects=1)
    with pytest.raises(ConfigError, match="states must be at least 1"):
        ActivityConfig(states=0)
    with pytest.raises(ConfigError, match="line must not be negative; got -1"):
        ArtefactConfig(line=-1)
    with pytest.raises(DataError, match="asked for subject 9, session 0"):
        simulate(subject=9)


def test_the_page_runs_as_it_is_written():
    page = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    made = {}
    exec(code, made)  # noqa: S102 - it is our own page
    assert made["truth"].shape == (69, 2500)
    assert [row["montage"] for row in made["data"].table[:3]] == ["10-20", "biosemi64", "GSN-HydroCel-129"]
    assert {row["subject"] for row in made["test"].table} == {"sim-05", "sim-06"}
    assert made["eeg"].duration == made["meg"].duration == made["sources"].duration == 3600
