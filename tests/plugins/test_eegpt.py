"""EEGPT against tensors of the published definition, and the numbers its sources state."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError, WeightsError
from nkfm_eegpt.config import CONTRACT, ELECTRODES, EegptConfig
from nkfm_eegpt.convert import example_reference, from_reference
from nkfm_eegpt.model import Eegpt


def batch(*names: str, samples: int = 256, seed: int = 0) -> nkfm.Batch:
    x = torch.randn((1, len(names), samples), generator=torch.Generator().manual_seed(seed))
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=256, names=names)})


@pytest.mark.golden
@torch.no_grad()
def test_features_equal_those_of_the_published_definition(port_golden):
    golden = port_golden("eegpt")
    model = from_reference(golden.config, golden.state)
    golden.assert_close(model(golden.batch()).tokens, "features")
    assert model.count_parameters() == golden.about["parameters"]


def test_the_published_size_has_the_stated_number_of_parameters():
    with torch.device("meta"):
        model = Eegpt(EegptConfig(), CONTRACT)
    assert model.count_parameters() == 25_287_168 == nkfm.weights.load("eegpt-large").parameters


def test_every_electrode_has_a_row_of_its_own():
    assert len(set(ELECTRODES)) == 62
    assert [ELECTRODES.index(name) for name in ("FP1", "T7", "CZ", "O2")] == [0, 25, 29, 61]


@torch.no_grad()
def test_a_token_stands_for_all_electrodes_at_one_time():
    model = from_reference(*example_reference())
    out = model(batch("Cz", "fp1", "Oz"))
    assert out.tokens.shape == (1, 7, 32)  # (256 - 64) / 32 + 1 times, 2 summaries of 16
    assert out.coords[0, :, 3].tolist() == [0.125 * i for i in range(7)]
    assert out.coords[..., :3].isnan().all()
    x = batch("Cz", "fp1", "Oz")["eeg"].values.clone()
    x[..., 64 + 32 :] = 0
    later = model(nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=256, names=("Cz", "fp1", "Oz"))}))
    torch.testing.assert_close(later.tokens[:, :2], out.tokens[:, :2])  # nothing passes from one time to another
    assert not torch.allclose(later.tokens[:, 2], out.tokens[:, 2])


@torch.no_grad()
def test_samples_after_the_last_full_patch_are_left_out():
    model = from_reference(*example_reference())
    whole, more = batch("Cz", samples=96), batch("Cz", samples=127)
    values = torch.cat([whole["eeg"].values, more["eeg"].values[..., 96:]], dim=2)
    longer = nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(values, sfreq=256, names=("Cz",))})
    torch.testing.assert_close(model(longer).tokens, model(whole).tokens)


def test_unknown_electrodes_are_an_error_and_never_another_row():
    with pytest.raises(DataError, match="eegpt has learned nothing for 1 channels: AFZ.*it knows 62 names"):
        from_reference(*example_reference())(batch("Cz", "AFz"))


def test_a_projection_of_one_montage_is_left_out_aloud(caplog):
    config, state = example_reference()
    state = state | {"chan_proj.proj.bias": torch.zeros(19), "chans_id": torch.zeros(1, 19, dtype=torch.int64)}
    with caplog.at_level(logging.WARNING):
        from_reference(config, state)
    assert "chan_proj" in caplog.text


def test_other_models_and_keys_are_refused():
    config, state = example_reference()
    with pytest.raises(ConfigError, match="no EEGPT encoder has layer_norm_eps=1e-05"):
        from_reference({**config, "layer_norm_eps": 1e-5}, state)
    with pytest.raises(WeightsError, match=r"superfluous: predictor\.mask_token"):
        from_reference(config, state | {"predictor.mask_token": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"missing: target_encoder\.patch_embed\.proj\.weight"):
        from_reference(config, {k: v for k, v in state.items() if "proj.weight" not in k or "attn" in k})


def test_the_contract_gives_millivolts_of_the_average_reference():
    wave = 1e-4 * np.sin(2 * np.pi * 10 * np.arange(8000) / 256)
    ready = CONTRACT.apply(nkfm.from_array([wave, 3 * wave], sfreq=256, names=["Fz", "Cz"]))["eeg"].read()
    assert ready == pytest.approx(np.array([-0.1, 0.1])[:, None] * wave / 1e-4, abs=1e-6)
