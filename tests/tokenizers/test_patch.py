"""Patches: how many, in which order, and which are real."""

from __future__ import annotations

import pytest
import torch

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from nkfm_patch.config import PatchConfig
from nkfm_patch.tokenizer import PatchTokenizer


def reve_patches() -> PatchTokenizer:
    return PatchTokenizer(PatchConfig(length_s=1.0, hop_s=0.9), width=8, sfreq=200)


@pytest.mark.parametrize(("samples", "patches"), [(200, 1), (800, 4), (1000, 5), (1460, 8), (2000, 11), (6000, 33)])
def test_number_of_patches_is_the_released_codes(samples, patches):
    tokens = reve_patches().cut(SeriesStream.from_arrays(torch.zeros(1, 2, samples), sfreq=200))
    assert tokens.values.shape == (1, 2 * patches, 200)


def test_tokens_are_channel_major_with_seconds_and_places():
    x = torch.arange(2 * 560.0).view(1, 2, 560)
    positions = torch.tensor([[0.01, 0.02, 0.03], [0.04, 0.05, 0.06]])
    tokens = reve_patches()(SeriesStream.from_arrays(x, sfreq=200, positions=positions, frame="head"))
    raw = reve_patches().cut(SeriesStream.from_arrays(x, sfreq=200, positions=positions, frame="head"))
    assert tokens.index[0].tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    torch.testing.assert_close(tokens.coords[0, :, 3], torch.tensor([0, 0.9, 1.8] * 2))
    torch.testing.assert_close(tokens.coords[0, 4, :3], positions[1])
    assert torch.equal(raw.values[0, 4], x[0, 1, 180:380])


def test_a_patch_is_real_only_if_all_its_samples_are():
    time_mask = torch.arange(560) < 400
    tokens = reve_patches().cut(
        SeriesStream.from_arrays(torch.zeros(1, 2, 560), sfreq=200, time_mask=time_mask, channel_mask=[[True, False]])
    )
    assert tokens.mask[0].tolist() == [True, True, False, False, False, False]


def test_too_short_a_signal_names_the_minimum():
    with pytest.raises(DataError, match=r"minimum is 200 samples \(1 s\)"):
        reve_patches().cut(SeriesStream.from_arrays(torch.zeros(1, 1, 60), sfreq=200))


def test_another_rate_is_refused():
    with pytest.raises(DataError, match="made for 200 Hz got 250 Hz"):
        reve_patches().cut(SeriesStream.from_arrays(torch.zeros(1, 1, 600), sfreq=250))


def test_patches_must_be_whole_samples():
    with pytest.raises(ConfigError, match="not a whole number of samples at 128 Hz"):
        PatchTokenizer(PatchConfig(length_s=0.9, hop_s=0.9), width=8, sfreq=128)
    with pytest.raises(ConfigError, match="hop_s must be in"):
        PatchConfig(length_s=1.0, hop_s=2.0)
