"""Embedding recordings, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli import embed as command
from neurokit_fm.cli.main import cli
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import StoreError
from neurokit_fm.testing.fake import fake_recording
from nkfm_reve.config import ReveConfig
from nkfm_reve.model import Reve

NAMES = ["Fp1", "Fp2", "C3", "C4", "O1", "O2"]
CONTRACT = nkfm.SeriesContract(sfreq=200, min_sfreq=100, window_s=4.0, frame="template")


def model(**changes: object) -> Reve:
    torch.manual_seed(0)
    return Reve(ReveConfig(**{"width": 32, "depth": 1, "heads": 2, "head_dim": 16, "freqs": 3, **changes}), CONTRACT)


def recording(seconds: float = 21.0, seed: int = 0, scale: float = 2e-5) -> nkfm.Recording:
    x = scale * np.random.default_rng(seed).normal(size=(6, round(seconds * 200)))
    return nkfm.from_array(x, sfreq=200, names=NAMES)


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, [str(a) for a in args])
    if isinstance(result.exception, nkfm.NkfmError | FileNotFoundError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "data").mkdir()
    paths = [tmp_path / "data" / f"sub-0{i}.nkfm.h5" for i in range(3)]
    for i, path in enumerate(paths):
        save_recording(recording(seed=i), path)
    return paths


def test_every_window_gets_the_vector_the_model_gives_it():
    made = nkfm.embed(model(), recording())
    assert made.values.shape == (5, 32)
    assert made.times.tolist() == [[0, 4], [4, 8], [8, 12], [12, 16], [16, 20]]
    ready = CONTRACT.apply(recording())
    from neurokit_fm.batch.collate import collate

    with torch.no_grad():
        expected = model().eval()(collate([ready.crop(8, 12)])).pooled()
    np.testing.assert_allclose(made.values[2], expected[0], atol=1e-5)
    assert made.channels == tuple(NAMES)
    assert made.steps[-1] == "z-score of each channel over the recording"


def test_batch_size_changes_nothing():
    one, many = (nkfm.embed(model(), recording(), batch_tokens=n).values for n in (1, 100_000))
    np.testing.assert_allclose(one, many, atol=1e-5)


def test_hop_overlaps_windows_and_trials_stay_apart():
    assert nkfm.embed(model(), recording(), hop_s=2.0).times[:3].tolist() == [[0, 4], [2, 6], [4, 8]]
    trials = nkfm.from_array(2e-5 * np.random.default_rng(0).normal(size=(3, 6, 300)), sfreq=200, names=NAMES)
    assert nkfm.embed(model(), trials).times.tolist() == [[0, 1.5], [1.5, 3], [3, 4.5]]


def test_windows_of_trials_are_timed_on_the_recordings_own_clock():
    trials = nkfm.from_array(2e-5 * np.random.default_rng(0).normal(size=(9, 6, 333)), sfreq=250, names=NAMES)
    times = nkfm.embed(model(), trials).times
    np.testing.assert_allclose(times[:, 0], np.arange(9) * 333 / 250, atol=1e-9)


def test_an_embedding_survives_its_file(tmp_path):
    made = nkfm.embed(model(), recording())
    made.save(tmp_path / "out.h5")
    back = nkfm.Embedding.load(tmp_path / "out.h5")
    np.testing.assert_array_equal(back.values, made.values)
    np.testing.assert_array_equal(back.times, made.times)
    assert (back.channels, back.contract, back.steps, back.model) == (made.channels, made.contract, made.steps, "reve")
    (tmp_path / "other.h5").write_text("no")
    with pytest.raises(StoreError, match=r"other\.h5"):
        nkfm.Embedding.load(tmp_path / "other.h5")


def test_one_file_from_the_command_line(folder, files, tmp_path):
    code, text = run("embed", files[0], "--model", folder, "-o", tmp_path / "out.h5", "--json")
    assert code == 0
    row = json.loads(text)["files"][0]
    assert (row["status"], row["windows"], row["width"], row["channels"]) == ("embedded", 5, 32, 6)
    made = nkfm.Embedding.load(tmp_path / "out.h5")
    assert made.weights == nkfm.load_model(folder).load_report.sha256
    assert made.version == nkfm.__version__


def test_many_files_resume_where_they_stopped(folder, files, tmp_path):
    out = tmp_path / "out"
    assert run("embed", files[0].parent, "--model", folder, "-o", out)[0] == 0
    assert sorted(p.name for p in out.iterdir()) == ["sub-00.h5", "sub-01.h5", "sub-02.h5"]
    (out / "sub-01.h5").unlink()
    before = (out / "sub-00.h5").stat().st_mtime_ns
    code, text = run("embed", *files, "--model", folder, "-o", out, "--json")
    assert code == 0
    assert [row["status"] for row in json.loads(text)["files"]] == [
        "skipped, already done",
        "embedded",
        "skipped, already done",
    ]
    assert (out / "sub-00.h5").stat().st_mtime_ns == before
    run("embed", *files, "--model", folder, "-o", out, "--force")
    assert (out / "sub-00.h5").stat().st_mtime_ns > before


def test_outputs_of_another_model_are_not_taken_for_finished(folder, files, tmp_path):
    run("embed", files[0], "--model", folder, "-o", tmp_path / "out.h5")
    model(width=64, heads=1).save_pretrained(tmp_path / "other")
    code, text = run("embed", files[0], "--model", tmp_path / "other", "-o", tmp_path / "out.h5")
    assert code == 1
    assert "was made with another model" in text
    code, text = run("embed", files[0], "--model", folder, "-o", tmp_path / "out.h5", "--hop", "2")
    assert code == 1
    assert "hop or choice of channels" in text


def test_mne_objects_are_taken_as_they_are():
    import mne

    info = mne.create_info(NAMES, 200.0, "eeg")
    raw = mne.io.RawArray(recording()["eeg"].read(), info, verbose="ERROR")
    np.testing.assert_allclose(nkfm.embed(model(), raw).values, nkfm.embed(model(), recording()).values, atol=1e-5)


def test_one_bad_file_does_not_stop_the_others(folder, files, tmp_path):
    save_recording(recording(scale=20.0), files[1])
    code, text = run("embed", files[0].parent, "--model", folder, "-o", tmp_path / "out", "--json")
    rows = json.loads(text)["files"]
    assert code == 1
    assert [row["status"] for row in rows] == ["embedded", "failed", "embedded"]
    assert "unit is probably wrong" in rows[1]["problem"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["sub-00.h5", "sub-02.h5"]


def test_channels_can_be_dropped_by_name(folder, files, tmp_path):
    code, text = run("embed", files[0], "--model", folder, "-o", tmp_path / "o.h5", "--drop", "C3, C4", "--json")
    assert json.loads(text)["files"][0]["channels"] == 4
    assert code == 0
    code, text = run("embed", files[0], "--model", folder, "-o", tmp_path / "p.h5", "--drop", "C99")
    assert code == 1
    assert "has no channel C99 to drop" in text


def test_recordings_of_one_name_keep_their_folders(tmp_path):
    paths = [tmp_path / "a" / "rest.edf", tmp_path / "b" / "rest.edf"]
    assert [p.name for p in command.output_names(paths, tmp_path, ".h5")] == ["a_rest-edf.h5", "b_rest-edf.h5"]


def test_nothing_is_written_when_the_input_is_bad(folder, tmp_path):
    save_recording(recording(0.3), tmp_path / "short.nkfm.h5")
    code, text = run("embed", tmp_path / "short.nkfm.h5", "--model", folder, "-o", tmp_path / "out" / "x.h5")
    assert code == 1
    assert "longest unbroken stretch is 0.3 s" in text
    assert list((tmp_path / "out").iterdir()) == []
    code, text = run("embed", tmp_path / "missing*.edf", "--model", folder, "-o", tmp_path / "x.h5")
    assert code == 1
    assert "no recording matches" in text


def test_a_plain_module_equals_the_model():
    stream_names = tuple(NAMES)
    x = torch.randn((2, 6, 800), generator=torch.Generator().manual_seed(0))
    module = nkfm.as_module(model().eval(), ch_names=stream_names)
    template = nkfm.Channels.of(NAMES)
    from neurokit_fm.positions import known_positions, place

    placed, _ = place(template, "eeg", "template")
    head = torch.tensor(known_positions(stream_names, "eeg", "head"), dtype=torch.float32)
    with torch.no_grad():
        by_name = module(x)
        in_template = nkfm.as_module(model().eval(), frame="template")(x, torch.tensor(placed.position).float())
        in_head = nkfm.as_module(model().eval())(x, channel_positions=head.expand(2, 6, 3))
    torch.testing.assert_close(by_name, in_template)
    torch.testing.assert_close(
        by_name, in_head, atol=2e-3, rtol=1e-2
    )  # the caps of two frames agree within a millimetre
    headed = nkfm.as_module(model().eval(), torch.nn.Linear(32, 3), ch_names=stream_names)
    assert headed(x).shape == (2, 3)
    with pytest.raises(nkfm.NkfmError, match="give channel_positions or ch_names"):
        nkfm.as_module(model())(x)


def test_fake_recordings_of_other_layouts_are_refused_clearly():
    with pytest.raises(nkfm.NkfmError, match="has no eeg time series; it holds"):
        nkfm.embed(model(), fake_recording("points"))


def test_info_says_what_an_embedding_holds(folder, files, tmp_path):
    run("embed", files[0], "--model", folder, "-o", tmp_path / "out.h5")
    code, text = run("info", tmp_path / "out.h5")
    assert code == 0
    assert "5 windows of 32 numbers, 0 to 20 s" in text
