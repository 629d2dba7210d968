"""CBraMod against tensors of the published definition, and the numbers its sources state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, WeightsError
from nkfm_cbramod.config import CONTRACT, CbramodConfig
from nkfm_cbramod.convert import from_reference
from nkfm_cbramod.model import Cbramod


def batch(channels: int = 4, seconds: int = 3, seed: int = 0) -> nkfm.Batch:
    x = torch.randn((2, channels, 200 * seconds), generator=torch.Generator().manual_seed(seed))
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=200)})


def example() -> Cbramod:
    torch.manual_seed(0)
    return Cbramod(Cbramod.example, CONTRACT).eval()


@pytest.mark.golden
@torch.no_grad()
def test_features_equal_those_of_the_published_definition(port_golden):
    golden = port_golden("cbramod")
    model = from_reference(golden.config, golden.state)
    golden.assert_close(model(golden.batch()).tokens, "features")
    assert model.count_parameters() == golden.about["parameters"]


def test_the_published_size_has_the_stated_number_of_parameters():
    with torch.device("meta"):
        model = Cbramod(CbramodConfig(), CONTRACT)
    assert model.tokenizer.width == 200
    assert model.count_parameters() == 4_923_800 == nkfm.weights.load("cbramod-base").parameters


def test_a_classifier_is_left_out_and_every_other_key_counts(port_golden):
    golden = port_golden("cbramod")
    assert {"final_layer.1.weight", "final_layer.1.bias"} < set(golden.state)
    broken = {k: v for k, v in golden.state.items() if k != "encoder.layers.0.linear1.bias"}
    with pytest.raises(WeightsError, match=r"missing: encoder\.layers\.0\.linear1\.bias"):
        from_reference(golden.config, broken)
    with pytest.raises(WeightsError, match=r"superfluous: encoder\.layers\.1\.norm1\.weight"):
        from_reference(golden.config, golden.state | {"encoder.layers.1.norm1.weight": torch.zeros(32)})
    with pytest.raises(ConfigError, match="activation must be GELU; got 'torch.nn.ReLU'"):
        from_reference({**golden.config, "activation": "torch.nn.ReLU"}, golden.state)


@torch.no_grad()
def test_the_order_of_channels_means_something():
    model, x = example(), batch()
    turned = nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x["eeg"].values.flip(1), sfreq=200)})
    one, other = model(x).tokens.unflatten(1, (4, 3)), model(turned).tokens.unflatten(1, (4, 3)).flip(1)
    assert (one - other).abs().max() > 1e-3


@torch.no_grad()
def test_the_loss_is_that_of_hidden_patches_alone():
    model, x = example(), batch()
    torch.nn.init.zeros_(model.out.weight)
    torch.nn.init.zeros_(model.out.bias)
    raw = model.tokenizer.cut(x["eeg"])
    hidden = torch.rand((2, 12), generator=torch.Generator().manual_seed(5)) < 0.5
    loss = model.loss(x, generator=torch.Generator().manual_seed(5)).total
    torch.testing.assert_close(loss, raw.values[hidden].square().mean())


def test_pretraining_needs_features_as_wide_as_a_patch(port_golden):
    golden = port_golden("cbramod")
    with pytest.raises(ConfigError, match="out_width=16 cannot be compared with patches of 200 samples"):
        from_reference(golden.config, golden.state).loss(golden.batch())


def test_the_contract_gives_units_of_100_microvolts():
    wave = 1e-4 * np.sin(2 * np.pi * 10 * np.arange(8000) / 200)
    recording = nkfm.from_array([wave, 2 * wave], sfreq=200, names=["Fz", "Cz"])
    assert "multiply by 10000" in CONTRACT.explain(recording)
    assert CONTRACT.apply(recording)["eeg"].read().std(axis=1) == pytest.approx([0.5**0.5, 2**0.5], rel=0.01)
