"""A plugin as a stranger writes it: a distribution of its own, built, installed, found, checked and used."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(make_environment, source):
    """An environment with the plugin, installed from a wheel."""
    environment = make_environment()
    project = source("nkfm-heartbeat")
    environment.run(str(environment.bin / "pip"), "wheel", str(project), "-w", str(project / "dist"))
    (wheel,) = (project / "dist").glob("nkfm_heartbeat-0.1.0-*.whl")
    environment.install(wheel)
    return environment


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the plugin from its source."""
    monkeypatch.syspath_prepend(HERE / "nkfm-heartbeat")
    return lambda name: importlib.import_module(f"nkfm_heartbeat.{name}")


def beats(times: np.ndarray, duration_s: float, sfreq: float = 125.0) -> np.ndarray:
    """A made-up lead: a narrow R peak at each time, a small slow T wave after it, drift and noise."""
    t = np.arange(round(duration_s * sfreq)) / sfreq
    x = 0.2 * np.sin(2 * np.pi * 0.3 * t) + 0.02 * np.random.default_rng(0).standard_normal(len(t))
    for time in times:
        x += np.exp(-0.5 * ((t - time) / 0.012) ** 2) + 0.25 * np.exp(-0.5 * ((t - time - 0.25) / 0.05) ** 2)
    return x


def text_file(path: Path, label: str = "ECG") -> Path:
    """Twenty seconds at 250 Hz in counts, with a beat every 0.8 s from 0.5 s on."""
    counts = 2048 + 200 * beats(np.arange(0.5, 19.6, 0.8), 20.0, 250.0)
    header = f"# Simple Text Format\n# Sampling Rate (Hz):= 250.00\n# Resolution:= 12\n# Labels:= {label}\n"
    path.write_text(header + "\n".join(f"{c:.1f}" for c in counts) + "\n", encoding="utf-8")
    return path


def stream_of(*signals: np.ndarray, sfreq: float = 125.0) -> SeriesStream:
    """A padded batch of recordings with as many leads as each array has rows."""
    return collate(
        [nkfm.from_array(x, sfreq=sfreq, names=[f"L{i}" for i in range(len(x))], modality="ecg") for x in signals]
    ).the(SeriesStream)


def test_beats_are_found_where_they_are(part) -> None:
    tokenizer, config = part("tokenizer"), part("config")
    times = np.array([0.4, 1.3, 1.9, 3.1, 3.9, 4.5])
    found = tokenizer.find_beats(beats(times, 5.0)[None], 125.0, config.BeatConfig())
    assert found / 125.0 == pytest.approx(times, abs=0.012)  # 1.5 samples


def test_a_real_ecg_has_fifteen_beats(part, shared: Path) -> None:
    recording = part("reader").read_text(shared / "data" / "signals" / "ecg.txt")
    assert recording["ecg"].sfreq == 1000
    assert recording["ecg"].duration == pytest.approx(15.0)
    ready = part("config").ECG.apply(recording)["ecg"]
    peaks = part("tokenizer").find_beats(ready.read(), ready.sfreq, part("config").BeatConfig())
    assert len(peaks) == 15  # counted by eye
    assert np.diff(peaks / ready.sfreq) == pytest.approx(1.0, abs=0.08)  # a heart at rest
    assert (ready.read()[0, peaks] > 5).all()  # R peaks, not T waves


def test_tokens_are_aligned_to_the_peak_and_samples_may_have_different_numbers_of_them(part) -> None:
    tokenizer = part("tokenizer").BeatTokenizer(part("config").BeatConfig(), width=8, sfreq=125.0)
    fast, slow = np.arange(0.4, 4.6, 0.5), np.array([1.0, 2.5])
    one, other = beats(fast, 5.0), beats(slow, 4.0)
    tokens = tokenizer.cut(stream_of(np.stack([one, -2 * one]), other[None]))
    room = tokens.values.shape[1] // 2
    counts = tokens.mask.view(2, 2, room).sum(2)
    assert counts.tolist() == [[9, 9], [2, 0]]
    assert tokens.coords[0, :9, 3].numpy() == pytest.approx(fast, abs=0.012)
    assert tokens.coords[1, :2, 3].numpy() == pytest.approx(slow, abs=0.012)
    assert torch.equal(tokens.values[0, room : room + 9], -2 * tokens.values[0, :9])  # channel-major, one time a beat
    assert (tokens.values[0, :9].argmax(1) - 25).abs().max() <= 1  # the peak, 0.2 s after the start


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1\n2\n", "no line '# sampling rate"),
        ("# Sampling Rate (Hz):= 250\n# Labels:= EEG\n1\n", "must all start with ECG or all with PPG; got EEG"),
        ("# Sampling Rate (Hz):= 250\n# Labels:= ECG1, ECG2\n1\n2\n", "2 labels for 1 columns of 2 samples"),
    ],
)
def test_the_reader_says_what_is_wrong(part, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "ecg.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        part("reader").read_text(tmp_path / "ecg.txt")


def test_the_installed_plugin_is_listed(installed) -> None:
    offered = json.loads(installed.nkfm("list", "--json"))
    mine = {kind: [e["name"] for e in entries if e["plugin"] == "nkfm_heartbeat"] for kind, entries in offered.items()}
    assert {kind: names for kind, names in mine.items() if names} == {
        "tokenizers": ["beat"],
        "readers": ["heartbeat-text"],
        "modalities": ["ppg"],
        "commands": ["heartbeat"],
    }
    assert "nkfm_heartbeat" in installed.nkfm("doctor")


def test_the_installed_plugin_keeps_the_rules(installed) -> None:
    assert "tokenizer beat" in installed.nkfm("check", "nkfm_heartbeat")


@pytest.fixture(scope="module")
def trained(installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ecg.txt` and the model `heart` that the plugin's own command made of it."""
    folder = tmp_path_factory.mktemp("heart")
    ecg = text_file(folder / "ecg.txt")
    said = installed.nkfm("heartbeat", str(ecg), "--out", "heart", "--steps", "30", cwd=folder)
    before, after = (float(word) for word in said.split("loss ")[1].split(" in ")[0].split(" -> "))
    assert after < 0.8 * before
    return folder


def test_a_model_is_composed_by_name(trained: Path) -> None:
    config = json.loads((trained / "heart" / "config.json").read_text(encoding="utf-8"))
    assert config["neurokit_fm"]["model"] == "mae"
    assert config["config"]["encoder"]["tokenizer"] == {"name": "beat"}
    assert config["config"]["encoder"]["encoding"]["name"] == "fourier-4d"


def test_it_is_reloaded_with_its_fingerprint_and_embeds_from_the_command_line(installed, trained: Path) -> None:
    done = json.loads(installed.nkfm("embed", "ecg.txt", "--model", "heart", "-o", "a.h5", "--json", cwd=trained))
    assert "fingerprint replayed within 0.0e+00" in done["load_report"]
    assert [(row["windows"], row["width"], row["status"]) for row in done["files"]] == [(4, 64, "embedded")]
    made = nkfm.Embedding.load(trained / "a.h5")  # needs no plugin
    assert made.contract.modality == "ecg"
    assert np.isfinite(made.values).all()
    assert made.times.tolist() == [[0, 5], [5, 10], [10, 15], [15, 20]]


def test_a_recording_of_the_new_modality_is_read(installed, tmp_path: Path) -> None:
    text_file(tmp_path / "ppg.txt", "PPG")
    assert "ppg: 1 channels x 5,000 samples at 250 Hz" in installed.nkfm("info", "ppg.txt", cwd=tmp_path)


def test_without_the_plugin_the_saved_model_says_what_is_missing(trained: Path) -> None:
    with pytest.raises(LookupError, match="no tokenizer called 'beat'"):
        nkfm.load_model(trained / "heart")
