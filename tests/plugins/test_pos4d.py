"""The 4-D encoding against published tensors, and its known properties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from neurokit_fm.errors import ConfigError, WeightsError
from nkfm_pos4d.config import Fourier4dConfig
from nkfm_pos4d.convert import from_reference
from nkfm_pos4d.encoding import Fourier4d

GOLDENS = Path(__file__).parents[1] / "goldens" / "reve"
CLOSE = {"atol": 3e-5, "rtol": 1e-4}  # of the sidecars


def places(n: int = 5, steps: int = 3) -> torch.Tensor:
    xyz = 0.08 * torch.randn((1, n, 3), generator=torch.Generator().manual_seed(0))
    t = 0.9 * torch.arange(steps).float()
    return torch.cat([xyz.repeat_interleave(steps, 1), t.repeat(n)[None, :, None]], dim=-1)


@pytest.mark.golden
@pytest.mark.parametrize("name", ["pe4d_base_19ch", "pe4d_base_64ch", "pe4d_large_19ch", "pe4d_small_64ch_22patches"])
def test_encoding_equals_the_published_one(name):
    about = json.loads((GOLDENS / f"{name}.json").read_text())
    tensors = load_file(GOLDENS / f"{name}.safetensors")
    encoding = from_reference(about["config"], {k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    steps = tensors["output.positions4d"]
    torch.testing.assert_close(encoding.fourier(steps), tensors["output.fourier"], **CLOSE)
    seconds = steps * torch.tensor([1, 1, 1, 0.9])
    torch.testing.assert_close(encoding(seconds), tensors["output.pos_embed"], **CLOSE)


def test_fourier_part_repeats_after_eighteen_steps():
    encoding = Fourier4d(Fourier4dConfig(freqs=4), width=512)
    one = torch.tensor([[[0.01, 0.02, 0.03, 5.0]]])
    torch.testing.assert_close(
        encoding.fourier(one), encoding.fourier(one + torch.tensor([0, 0, 0, 18.0])), atol=1e-5, rtol=0
    )


def test_exactly_enough_frequencies_work_and_too_few_are_an_error():
    assert Fourier4d(Fourier4dConfig(freqs=2), width=32)(places()).shape == (1, 15, 32)
    with pytest.raises(ConfigError, match=r"3\*\*4 = 81 frequency vectors cannot fill width 200.*raise freqs to 4"):
        Fourier4d(Fourier4dConfig(freqs=3), width=200)


def test_unknown_coordinates_give_finite_vectors_and_gradients():
    encoding = Fourier4d(Fourier4dConfig(freqs=3), width=64)
    coords = places().clone()
    coords[0, :4, :3] = torch.nan
    out = encoding(coords)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(p.grad).all() for p in encoding.parameters())


def test_half_precision_weights_still_give_float32_phases():
    encoding = Fourier4d(Fourier4dConfig(freqs=4), width=64)
    exact = encoding.fourier(places())
    encoding.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoding.fourier(places()), exact)
        assert encoding(places()).dtype == torch.float32


def test_conversion_names_the_missing_key():
    with pytest.raises(WeightsError, match="missing: ln.bias"):
        from_reference({"embed_dim": 32, "freqs": 3}, {"ln.weight": torch.ones(32)})


def test_space_scale_stretches_the_head_in_the_fourier_part():
    coords = torch.tensor([[[0.02, -0.05, 0.07, 3.0]]])
    one, three = (Fourier4d(Fourier4dConfig(freqs=3, space_scale=s, margin_m=0.0), 162) for s in (1.0, 3.0))
    wide = coords * torch.tensor([3.0, 3.0, 3.0, 1.0])
    torch.testing.assert_close(three.fourier(coords), one.fourier(wide))
    with pytest.raises(ConfigError, match="space_scale must be positive"):
        Fourier4dConfig(space_scale=0.0)
