"""Codes of recordings: kept, decoded, and made from the shell."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.errors import ConfigError, ContractError, StoreError
from neurokit_fm.nn.quantize import QuantizerConfig
from neurokit_fm.testing import fake_recording
from nkfm_braintokenizer import command
from nkfm_braintokenizer.codes import Codes, decode, tokenize

from .test_braintokenizer import both, tiny


def test_codes_of_a_recording_are_kept_and_decoded(tmp_path):
    model, recording = tiny(), both(3.3)
    made = tokenize(model, recording)
    assert made.values.shape == (13, 3, 8, 2)  # 3.3 s make 13 windows of a quarter of a second
    made.save(tmp_path / "a.safetensors")
    again = Codes.load(tmp_path / "a.safetensors")
    assert np.array_equal(again.values, made.values)
    assert again.channels.name == made.channels.name
    back = decode(model, again)
    assert back["meg"].read().shape == (9, 13 * 64)
    assert back["eeg"].channels.unit[0] == "au"
    elsewhere = decode(model, again, both(eeg=3, meg=0)["eeg"].channels)
    assert elsewhere["eeg"].read().shape == (3, 13 * 64)
    with pytest.raises(ConfigError, match="another tokenizer"):
        decode(tiny(codebook=QuantizerConfig(size=16, width=16, levels=3, start="random")), again)
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="not a file of codes"):
        Codes.load(tmp_path / "b.safetensors")


def test_overlapping_windows_are_laid_over_each_other():
    model, recording = tiny(overlap=0.5), both(2.0)
    made = tokenize(model, recording)
    back = decode(model, made)
    assert abs(back["eeg"].duration - 2.0) < 0.2
    assert np.isfinite(back["eeg"].read()).all()


def test_a_long_recording_gives_the_codes_of_its_segments():
    model, recording = tiny(), both(4.0)
    whole = tokenize(model, recording)
    parts = [tokenize(model, recording.crop(a, a + 1)) for a in range(4)]
    assert len(whole.values) == sum(len(part.values) for part in parts)
    assert whole.times[-1, 1] == pytest.approx(4.0)


@pytest.mark.parametrize("run", [command.tokenize, command.decode])
def test_a_name_without_codes_is_told_from_one_that_nobody_has(run, tmp_path):
    def said(name):
        line = [str(tmp_path / "x.edf"), "--tokenizer", name, "-o", str(tmp_path / "y.h5")]
        return str(CliRunner().invoke(run, line).exception)

    way = "give a trained braintokenizer .*; codes of the tokenizer 'spectral-vq' are read by `nkfm codes`"
    assert re.match(f"the tokenizer 'patch' makes no codes; {way}", said("patch"))
    assert re.match(f"the tokenizer 'spectral-vq' is learned with its model; {way}", said("spectral-vq"))
    assert re.match(f"nkfm-tiny is a mae, which makes no codes of this kind; {way}", said("nkfm-tiny"))
    assert said("mae").startswith(
        "'mae' is one of the models, not a trained model; give a folder (`nkfm pretrain` makes one)"
    )
    assert said("nobody").startswith("no model 'nobody': not a folder")


def test_tokenize_and_decode_from_the_shell(tmp_path):
    from neurokit_fm.data.store import save_recording

    model = tiny()
    model.save_pretrained(tmp_path / "model")
    save_recording(both(3.0), tmp_path / "both.h5")
    model_at, codes_at = str(tmp_path / "model"), str(tmp_path / "codes.safetensors")
    line = [str(tmp_path / "both.h5"), "--tokenizer", model_at, "-o", codes_at, "--report", str(tmp_path / "page.html")]
    row = json.loads(CliRunner().invoke(command.tokenize, [*line, "--json"], catch_exceptions=False).stdout)
    assert row["windows"] == 12
    assert {"EEG", "GRAD"} <= row["correlation"].keys()
    assert "hidden from the encoder" in (tmp_path / "page.html").read_text()
    said = CliRunner().invoke(command.tokenize, line[:5], catch_exceptions=False).stdout
    assert "12 windows of 15 sensors as 576 codes" in said
    line = [codes_at, "--tokenizer", model_at, "-o", str(tmp_path / "back.h5")]
    assert "wrote" in CliRunner().invoke(command.decode, line, catch_exceptions=False).stdout
    assert nkfm.read(tmp_path / "back.h5")["meg"].read().shape == (9, 768)
    line = [*line[:3], "-o", str(tmp_path / "like.h5"), "--like", str(tmp_path / "both.h5"), "--json"]
    made = json.loads(CliRunner().invoke(command.decode, line, catch_exceptions=False).stdout)
    assert made["channels"] == {"eeg": 6, "meg": 9}


def test_a_contract_says_what_a_recording_without_either_lacks():
    spikes = fake_recording("points")
    with pytest.raises(ContractError, match="no eeg"):
        tokenize(tiny(), spikes)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "sensors"), [("data/eeg/eeglab_data.set", 30), ("data/meg/kit/test.sqd", 157)])
def test_real_recordings_are_tokenized(shared, name, sensors):
    made = tokenize(tiny(), nkfm.read(shared / name))
    assert len(made.channels) == sensors
    assert bool((made.values >= 0).all())
