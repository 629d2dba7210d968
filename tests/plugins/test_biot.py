"""BIOT against tensors of the published definition, and the numbers its sources state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError, WeightsError
from nkfm_biot.config import CONTRACT_16, BiotConfig
from nkfm_biot.convert import example_reference, from_checkpoint, from_reference
from nkfm_biot.model import Biot, sinusoids


def batch(x: torch.Tensor, **options: object) -> nkfm.Batch:
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=200, **options)})


def noise(channels: int = 3, samples: int = 450, seed: int = 0) -> torch.Tensor:
    return torch.randn((2, channels, samples), generator=torch.Generator().manual_seed(seed))


@pytest.mark.golden
@torch.no_grad()
def test_features_equal_those_of_the_published_definition(port_golden):
    golden = port_golden("biot")
    model = from_reference(golden.config, golden.state)
    golden.assert_close(model(golden.batch()).pooled(), "features")
    assert model.count_parameters() == golden.about["parameters"]


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [("biot-prest", 16, 3_186_176), ("biot-shhs-prest", 18, 3_186_688), ("biot-six-datasets", 18, 3_186_688)],
)
def test_published_sizes_have_the_stated_numbers_of_parameters(name, channels, parameters):
    published = nkfm.weights.load(name)
    with torch.device("meta"):
        model = Biot(BiotConfig(channels=channels), published.contract)
    assert model.count_parameters() == parameters == published.parameters  # 3.2 M in the paper
    assert published.contract.max_channels == channels


@torch.no_grad()
def test_weights_of_the_catalogue_divide_each_channel_by_its_95th_percentile():
    config, state = example_reference()
    plain, dividing = from_reference(config, state), from_checkpoint(config, state)
    x = noise()
    level = np.quantile(x.abs().numpy(), 0.95, axis=-1, keepdims=True) + 1e-8
    expected = plain(batch(torch.from_numpy(x.numpy() / level).float())).tokens
    torch.testing.assert_close(dividing(batch(x)).tokens, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(dividing(batch(1000 * x)).tokens, expected, atol=1e-6, rtol=1e-5)  # whatever the unit


@torch.no_grad()
def test_the_percentile_is_that_of_real_samples():
    model = from_checkpoint(*example_reference())
    x = noise(samples=600)
    real = torch.arange(600) < 401
    padded = batch(torch.where(real, x, 1e6), time_mask=real.expand(2, 600))
    torch.testing.assert_close(model(padded).pooled(), model(batch(x[..., :401])).pooled(), atol=1e-6, rtol=1e-5)


def test_rows_beyond_the_table_of_channels_are_an_error():
    with pytest.raises(DataError, match="biot has learned 6 channels, and this input has 7; choose 6 at most"):
        from_reference(*example_reference())(batch(noise(channels=7)))
    many = nkfm.from_array(1e-5 * noise(channels=17)[0].numpy(), sfreq=200, names=[f"E{i}" for i in range(17)])
    assert "17 channels, at most 16 allowed" in str(CONTRACT_16.check(many)[0])


def test_sinusoids_are_those_of_the_transformer():
    table = sinusoids(5, 4)
    assert table[0].tolist() == [0, 1, 0, 1]
    assert table[3] == pytest.approx([np.sin(3), np.cos(3), np.sin(0.03), np.cos(0.03)], abs=1e-6)


def test_windows_below_a_second_have_one_frame_of_their_length():
    config, state = example_reference()
    state = state | {"encoder.patch_embedding.projection.weight": torch.zeros(16, 61)}
    model = from_reference({**config, "n_times": 120}, state)
    assert model(batch(noise(samples=120))).tokens.shape == (2, 3, 16)


def test_a_missing_and_a_superfluous_key_are_named():
    config, state = example_reference()
    with pytest.raises(WeightsError, match=r"missing: encoder\.channel_tokens\.weight"):
        from_reference(config, {k: v for k, v in state.items() if "channel_tokens" not in k})
    with pytest.raises(WeightsError, match="superfluous: encoder.index"):
        from_reference(config, state | {"encoder.index": torch.zeros(6)})
