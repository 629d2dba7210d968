"""The contract: every mismatch is found before anything runs, and applying it gives model units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.contract import SeriesContract, VolumeContract, read_contract, write_contract
from neurokit_fm.contract import signal as conditioning
from neurokit_fm.errors import ConfigError, ContractError
from neurokit_fm.testing.fake import fake_recording

NAMES = ["Fp1", "Fp2", "C3", "C4", "O1", "O2"]
CONTRACT = SeriesContract(sfreq=200, min_sfreq=100, band=(0.5, 40.0), clip=15.0, frame="template")


def noise(seconds: float = 20.0, sfreq: float = 250.0, scale: float = 2e-5) -> np.ndarray:
    return scale * np.random.default_rng(0).normal(size=(6, round(seconds * sfreq)))


def recording(x: np.ndarray | None = None, *, sfreq: float = 250.0, names: list[str] | None = None) -> nkfm.Recording:
    return nkfm.from_array(noise(sfreq=sfreq) if x is None else x, sfreq=sfreq, names=names or NAMES)


def problems(rec: nkfm.Recording, contract: SeriesContract = CONTRACT) -> str:
    return "\n".join(map(str, contract.check(rec)))


def test_a_good_recording_has_no_problems_and_comes_out_in_model_units():
    ready = CONTRACT.apply(recording())
    series = ready["eeg"]
    assert (series.sfreq, series.n_samples, series.channels.frame) == (200.0, 4000, "template")
    assert series.data.dtype == np.float32
    np.testing.assert_allclose(series.read().mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(series.read().std(1), 1, atol=1e-4)
    assert series.channels.has_position.all()
    lines = CONTRACT.explain(recording()).splitlines()
    assert lines[1:] == [f"  {i}. {step}" for i, step in enumerate(ready.info.steps[-len(lines) + 1 :], 1)]
    assert ready.info.steps[-1] == "clip to +-15"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda x: x * 1e6,
            "typical standard deviation of 20 V; expected 1e-07 to 0.001 V, so the unit is probably wrong",
        ),
        (lambda x: x * 1e-6, "so the unit is probably wrong"),
        (lambda x: x * 0, "6 of 6 channels are flat"),
        (
            lambda x: np.where(np.arange(x.shape[1]) == 500, np.nan, x),
            r"NaN or infinite samples: Fp1 \(first at 2.000 s\)",
        ),
        (lambda x: np.where(np.arange(x.shape[1]) == 500, np.inf, x), "NaN or infinite"),
        (lambda x: x[:, :75], "longest unbroken stretch is 0.3 s; the model needs at least 1 s"),
    ],
    ids=["microvolts as volts", "too small", "zeros", "nan", "inf", "short"],
)
def test_bad_samples_are_named(change, words):
    import re

    assert re.search(words, problems(recording(change(noise()))))


def test_one_flat_channel_is_named():
    x = noise()
    x[2] = 3e-6
    assert "1 of 6 channels are flat (never change): C3" in problems(recording(x))


def test_slow_drift_is_not_taken_for_a_wrong_unit():
    drift = np.linspace(0, 0.05, 5000)
    assert problems(recording(noise() + drift)) == ""


def test_unknown_electrodes_are_listed_and_never_dropped():
    text = problems(recording(names=["Fp1", "Fp2", "XX1", "YY2", "O1", "O2"]))
    assert "2 of 6 channels have no position in the template frame: XX1, YY2" in text


def test_too_low_a_rate_is_refused_and_a_lower_one_explained():
    assert "80 Hz is below the 100 Hz this model can use" in problems(recording(sfreq=80))
    assert "resample 128 to 200 Hz (polyphase); the signal holds nothing above 64 Hz" in CONTRACT.explain(
        recording(sfreq=128)
    )


def test_every_problem_is_reported_at_once():
    rec = recording(noise(0.3, 80) * 1e6, sfreq=80, names=["Fp1", "Fp2", "XX1", "C4", "O1", "O2"])
    with pytest.raises(ContractError) as caught:
        CONTRACT.apply(rec)
    assert str(caught.value).count("\n  - ") == 4


def test_another_modality_is_refused():
    rec = fake_recording(modality="meg")
    assert "has no eeg time series; it holds meg" in problems(rec)


def test_bad_channels_are_left_out_and_named():
    rec = recording()
    channels = replace(rec["eeg"].channels, bad=np.array([False, True, False, False, False, False]))
    rec = rec.with_signal("eeg", replace(rec["eeg"], channels=channels))
    ready = CONTRACT.apply(rec)
    assert ready["eeg"].channels.name == ("Fp1", "C3", "C4", "O1", "O2")
    assert "(left out: Fp2)" in " ".join(ready.info.steps)


def test_volts_and_microvolts_give_the_same_input_once_the_unit_is_right():
    one, other = CONTRACT.apply(recording()), CONTRACT.apply(recording(noise() * 3))
    np.testing.assert_allclose(one["eeg"].read(), other["eeg"].read(), atol=1e-5)


def test_average_reference_notch_scale_and_clip_do_what_they_say():
    contract = SeriesContract(sfreq=250, reference="average", unit_scale=1e6, normalise="none", clip=30.0)
    x = contract.apply(recording())["eeg"].read()
    expected = np.clip(1e6 * (noise() - noise().mean(0)), -30, 30)
    np.testing.assert_allclose(x, expected, atol=1e-3)
    hum = noise() + 1e-4 * np.sin(2 * np.pi * 50 * np.arange(5000) / 250)
    filtered = SeriesContract(sfreq=250, notch=(50.0,), normalise="none").apply(recording(hum))["eeg"].read()
    power = np.abs(np.fft.rfft(filtered[:, 500:-500], axis=1))
    bin_50 = round(50 * 4000 / 250)
    assert power[:, bin_50].mean() < 3 * power[:, bin_50 + 40 : bin_50 + 80].mean()


def test_runs_are_processed_apart():
    trials = np.random.default_rng(0).normal(size=(4, 6, 125)) * 2e-5 + np.arange(4)[:, None, None] * 1e-4
    rec = nkfm.from_array(trials, sfreq=250, names=NAMES)
    contract = replace(CONTRACT, min_window_s=0.5, normalise="none", clip=None)
    series = contract.apply(rec)["eeg"]
    assert series.breaks == (100, 200, 300)
    for start, stop in series.runs():
        np.testing.assert_allclose(series.read(start, stop).mean(1), 0, atol=3e-6)
    assert "mean of each run removed" in contract.explain(rec)


def test_events_stay_in_their_trial_when_runs_are_rounded_to_whole_samples():
    trials = np.random.default_rng(0).normal(size=(40, 6, 101)) * 2e-5
    rec = nkfm.from_array(trials, sfreq=100, names=NAMES)
    ready = replace(CONTRACT, min_window_s=0.5, sfreq=128).apply(rec)
    starts = [start / 128 for start, _ in ready["eeg"].runs()]
    np.testing.assert_allclose(ready.events.onset, starts, atol=1e-9)
    assert abs(starts[-1] - rec.events.onset[-1]) > 0.1


def test_channels_of_a_fixed_list_come_in_its_order():
    contract = SeriesContract(sfreq=250, channels=("O2", "Fp1"))
    assert contract.apply(recording())["eeg"].channels.name == ("O2", "Fp1")
    assert "no channel called 'Cz'" in problems(recording(), replace(contract, channels=("Cz",)))


def test_long_results_lie_in_a_file_and_equal_those_in_memory(monkeypatch):
    in_memory = CONTRACT.apply(recording())["eeg"].read()
    monkeypatch.setattr(conditioning, "HELD_BYTES", 90_000)
    on_disk = CONTRACT.apply(recording())["eeg"]
    assert isinstance(on_disk.data, np.memmap)
    np.testing.assert_array_equal(on_disk.read(), in_memory)
    conditioning.let_go(on_disk.data)  # pages come back from the file
    np.testing.assert_array_equal(on_disk.read(), in_memory)


def test_contracts_survive_json_and_unknown_keys_are_refused():
    import json

    for contract in (CONTRACT, VolumeContract(contrasts=("T1w", "T2w"))):
        values = json.loads(json.dumps(write_contract(contract)))
        assert read_contract(values) == contract
    with pytest.raises(ConfigError, match="no setting 'sfrequency'. Did you mean 'sfreq'"):
        read_contract({"layout": "series", "sfrequency": 3})
    with pytest.raises(ConfigError, match="min_sfreq must be in"):
        SeriesContract(sfreq=50, min_sfreq=100)


def test_volumes_are_checked():
    rec = fake_recording("volume")
    (volume,) = rec.signals.values()
    fits = VolumeContract(
        modality=volume.modality,
        spacing_m=float(volume.spacing_m[0]),
        shape=tuple(volume.data.shape[-3:]),
        contrasts=volume.channels.name,
    )
    assert fits.check(rec) == []
    assert "expected (4, 4, 4)" in str(replace(fits, shape=(4, 4, 4)).check(rec)[0])
    assert "unknown contrasts" in str(replace(fits, contrasts=("PD",)).check(rec)[0])


def test_a_contract_of_two_modalities_takes_the_first_that_is_there():
    contract = replace(CONTRACT, modality="eeg|meg", frame=None, min_sfreq=50, sfreq=100, band=None)
    eeg, meg = (nkfm.datasets.load(name)()[0] for name in ("eeglab-attention", "kit-meg"))
    for recording, modality, count in ((eeg, "eeg", 30), (meg, "meg", 157)):
        ready = contract.apply(recording).series(contract.modality)[1]
        assert (ready.modality, len(ready.channels)) == (modality, count)
    both = replace(eeg, signals={"meg": meg["meg"], "eeg": eeg["eeg"]})
    assert contract.apply(both).series(contract.modality)[1].modality == "eeg"
    (problem,) = contract.check(replace(eeg, signals={"eog": eeg["eog"]}))
    assert "has no eeg or meg time series" in problem.what


def test_meg_is_placed_in_the_head_frame_and_says_so():
    meg = nkfm.datasets.load("kit-meg")()[0]
    contract = SeriesContract(modality="meg", sfreq=100, frame="head")
    ready = contract.apply(meg)
    assert "moved from the device to the head frame" in " ".join(ready.info.steps)
    assert "dev_head_t" in contract.explain(meg)
    shift = np.array(meg.info.facts["dev_head_t"])
    wanted = meg["meg"].channels.position @ shift[:3, :3].T + shift[:3, 3]
    np.testing.assert_allclose(ready["meg"].channels.position, wanted)
    lost = replace(meg, info=replace(meg.info, facts={}))
    assert any("no position in the head frame" in problem.what for problem in contract.check(lost))


def test_names_that_a_model_has_not_learned_are_a_problem_that_lists_them() -> None:
    contract = SeriesContract(known_names=("FZ", "CZ", "PZ"))
    recording = fake_recording(n_channels=5)  # Fz, Cz, Pz, C3, C4
    (problem,) = contract.check(recording)
    assert problem.what == "2 of 5 channels have names this model has learned nothing for: C3, C4"
    assert problem.remedy == "rename them, or drop them (`--drop`); it knows FZ, CZ, PZ"
    assert contract.check(fake_recording(n_channels=3)) == []
