"""The convolutional patch tokenizer: its norms see all real patches of a window, and nothing else."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError
from nkfm_convpatch.config import ConvPatchConfig
from nkfm_convpatch.tokenizer import ConvPatchTokenizer, GroupNorm

LAYERS = ((4, 49, 25, 24, 2), (4, 3, 1, 1, 2))


def tokenizer(**changes: object) -> ConvPatchTokenizer:
    torch.manual_seed(0)
    made = ConvPatchTokenizer(ConvPatchConfig(layers=LAYERS, **changes), None, 200)
    for norm in made.norms:
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    return made


def test_widths_are_those_the_papers_state():
    assert ConvPatchConfig().width(200) == 200  # LaBraM
    cbramod = ((25, 49, 25, 24, 5), (25, 3, 1, 1, 5), (25, 3, 1, 1, 5))
    assert ConvPatchConfig(layers=cbramod).width(200) == 200
    with pytest.raises(ConfigError, match="these layers give tokens of width 32, not 31"):
        ConvPatchTokenizer(ConvPatchConfig(layers=LAYERS), 31, 200)
    with pytest.raises(ConfigError, match="groups dividing features; got"):
        ConvPatchConfig(layers=((5, 3, 1, 1, 2),))
    with pytest.raises(ConfigError, match="leave nothing of a patch"):
        ConvPatchConfig(layers=((4, 300, 1, 0, 2),)).width(200)


@torch.no_grad()
def test_it_is_convolution_group_norm_and_gelu_over_the_whole_window():
    made, x = tokenizer(order="features"), torch.randn(2, 3, 400, generator=torch.Generator().manual_seed(1))
    tokens = made(SeriesStream.from_arrays(x, sfreq=200))
    y = x.view(2, 1, 6, 200)
    for conv, norm in zip(made.convs, made.norms, strict=True):
        y = F.gelu(F.group_norm(conv(y), 2, norm.weight, norm.bias))
    torch.testing.assert_close(tokens.values, y.transpose(1, 2).flatten(2))
    other = tokenizer(order="steps").embed(made.cut(SeriesStream.from_arrays(x, sfreq=200)).values)
    torch.testing.assert_close(other.unflatten(2, (8, 4)).transpose(2, 3).flatten(2), tokens.values)


@torch.no_grad()
def test_padding_is_in_no_statistic():
    norm = GroupNorm(2, 4)
    x = torch.randn(2, 4, 5, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    found = norm(torch.where(mask[:, None, :, None], x, 1e6), mask)
    torch.testing.assert_close(found[:1, :, :3], F.group_norm(x[:1, :, :3], 2, norm.weight, norm.bias))
    torch.testing.assert_close(found[1:], F.group_norm(x[1:], 2, norm.weight, norm.bias))
    assert not found[0, :, 3:].any()


@torch.no_grad()
def test_a_sample_that_is_not_a_number_stays_one():
    """Only a patch without any number is padding: a broken sample must not pass for one."""
    raw = torch.randn(1, 3, 200, generator=torch.Generator().manual_seed(1))
    raw[0, 1, 7] = torch.nan
    assert tokenizer().embed(raw).isnan().any()
