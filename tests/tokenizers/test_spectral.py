"""Spectral patches: the published formulas, the geometry of segments, and the look-up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.nn.quantize import Quantizer, QuantizerConfig
from nkfm_spectral.config import SpectralConfig, SpectralVQConfig
from nkfm_spectral.frontend import SpectralFrontend, amplitude, instance_norm, patches
from nkfm_spectral.tokenizer import SpectralTokenizer
from nkfm_spectral.vq import SpectralVQTokenizer

GOLDEN = Path(__file__).parents[1] / "goldens" / "eegformer" / "frontend_vq_ngram.safetensors"
CLOSE = {"atol": 1e-3, "rtol": 1e-3}  # the golden's own tolerance


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.golden
def test_spectrum_normalisation_and_patches_are_those_of_the_specification():
    golden = load_file(GOLDEN)
    spectrum = amplitude(golden["input.signal"])
    torch.testing.assert_close(spectrum, golden["output.amplitude"], **CLOSE)
    normalised, mean, scale = instance_norm(spectrum)
    torch.testing.assert_close(normalised, golden["output.normalised"], **CLOSE)
    torch.testing.assert_close(normalised * scale + mean, spectrum, **CLOSE)
    torch.testing.assert_close(patches(normalised, 50, 50), golden["output.patches"], **CLOSE)
    stream = SeriesStream.from_arrays(golden["input.signal"], sfreq=50.0)
    tokens = SpectralTokenizer(SpectralConfig(patch_len=50, stride=50), width=8, sfreq=50.0).cut(stream)
    torch.testing.assert_close(tokens.values.view(8, 3, 6, 50), golden["output.patches"], **CLOSE)


@pytest.mark.golden
def test_codes_are_the_nearest_by_squared_distance():
    golden = load_file(GOLDEN)
    quantizer = Quantizer(4, QuantizerConfig(size=6, width=4, table="learned", start="random", commitment=1.0))
    quantizer.books[0].embed.data.copy_(golden["input.codebook"])
    found = quantizer(golden["input.hidden"].requires_grad_())
    assert torch.equal(found.codes[..., 0], golden["output.codes"])
    for term in (found.codebook, found.commitment):
        torch.testing.assert_close(term, golden["output.quantised_mse"], **CLOSE)


def test_the_published_segment_has_30_patches_of_4_hz():
    frontend = SpectralFrontend(SpectralConfig(), 250.0)
    assert (frontend.segment, frontend.n_patches) == (3000, 30)
    hz = frontend.bins_hz()
    assert hz.shape == (30, 50)
    assert float(hz[0, 0]) == pytest.approx(1 / 12)
    assert float(hz[-1, -1]) == pytest.approx(125.0)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"patch_len": 50, "stride": 25}, (1500 - 50) // 25 + 1),
        ({"patch_len": 64, "stride": 64}, (1500 - 64) // 64 + 1),
        ({"patch_len": 1500, "stride": 1}, 1),
        ({"patch_len": 1501, "stride": 1, "keep_dc": True}, 1),
        ({"piece_s": 1.0, "patch_len": 25, "stride": 25}, 12 * 5),
    ],
)
def test_the_number_of_patches_follows_the_formula(settings, count):
    frontend = SpectralFrontend(SpectralConfig(**settings), 250.0)
    assert frontend.n_patches == count
    assert frontend.normalised(noise(2, 3000))[0].shape == (2, count, settings["patch_len"])
    assert frontend.bins_hz().shape == (count, settings["patch_len"])


@pytest.mark.parametrize("piece_s", [None, 1.0])
def test_a_sine_is_found_in_the_patch_that_holds_its_frequency(piece_s):
    t = torch.arange(3000) / 250.0
    tokenizer = SpectralTokenizer(SpectralConfig(piece_s=piece_s, patch_len=25, stride=25), width=4, sfreq=250.0)
    when = slice(None) if piece_s is None else slice(1000, 1250)  # the fifth second alone
    x = torch.zeros(1, 1, 3000)
    x[..., when] = torch.sin(2 * torch.pi * 32.0 * t)[when]
    tokens = tokenizer.cut(SeriesStream.from_arrays(x, sfreq=250.0))
    strongest = int(tokens.values.amax(-1).argmax())
    hz = tokenizer.frontend.bins_hz()[strongest]
    assert float(hz[tokens.values[0, strongest].argmax()]) == pytest.approx(32.0)
    if piece_s is not None:
        assert 4.0 <= float(tokens.coords[0, strongest, 3]) < 5.0


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_a_channel_that_never_changes_gives_zeros(level):
    z, _, _ = instance_norm(amplitude(torch.full((3000,), level)))
    assert float(z.abs().max()) < 1e-6


def test_an_offset_does_not_reach_the_spectrum():
    x = noise(4, 3000)
    torch.testing.assert_close(amplitude(x + 1000.0), amplitude(x), atol=0.1, rtol=1e-3)


def test_segments_follow_one_another_and_what_is_left_over_is_dropped():
    tokenizer = SpectralTokenizer(SpectralConfig(segment_s=1.0, patch_len=10, stride=10), width=4, sfreq=100.0)
    x = noise(1, 2, 350)
    tokens = tokenizer.cut(SeriesStream.from_arrays(x, sfreq=100.0))
    assert tokens.values.shape == (1, 2 * 3 * 5, 10)
    single = tokenizer.cut(SeriesStream.from_arrays(x[..., 100:200], sfreq=100.0))
    torch.testing.assert_close(tokens.values.view(2, 3, 5, 10)[:, 1], single.values.view(2, 5, 10))
    assert tokens.coords[0, :15, 3].tolist() == pytest.approx([0.2 * i for i in range(15)])


def test_geometry_that_cannot_be_is_refused():
    with pytest.raises(
        ConfigError, match=r"patch_len=60 is wider than the spectrum of 1 s at 100 Hz, which has 50 bins"
    ):
        SpectralFrontend(SpectralConfig(segment_s=1.0, patch_len=60, stride=60), 100.0)
    with pytest.raises(ConfigError, match="no whole number of pieces of 5 s"):
        SpectralFrontend(SpectralConfig(piece_s=5.0), 100.0)
    with pytest.raises(ConfigError, match="stride must be in"):
        SpectralConfig(patch_len=10, stride=20)
    with pytest.raises(DataError, match=r"minimum is 1200 samples \(12 s\)"):
        SpectralTokenizer(SpectralConfig(), 4, 100.0).cut(SeriesStream.from_arrays(noise(1, 1, 600), sfreq=100.0))
    with pytest.raises(DataError, match="made for 100 Hz got 250 Hz"):
        SpectralTokenizer(SpectralConfig(), 4, 100.0).cut(SeriesStream.from_arrays(noise(1, 1, 6000), sfreq=250.0))


def coder(**changes: object) -> SpectralVQTokenizer:
    torch.manual_seed(0)
    settings = {**vars(SpectralVQTokenizer.example), **changes}
    return SpectralVQTokenizer(SpectralVQConfig(**settings), width=32, sfreq=200.0).eval()


def test_channels_never_see_each_other():
    tokenizer, x = coder(), noise(1, 4, 200)
    with torch.no_grad():
        codes = tokenizer.codes(SeriesStream.from_arrays(x, sfreq=200.0)).view(4, -1)
        order = torch.tensor([2, 0, 3, 1])
        shuffled = tokenizer.codes(SeriesStream.from_arrays(x[:, order], sfreq=200.0)).view(4, -1)
        fewer = tokenizer.codes(SeriesStream.from_arrays(x[:, :2], sfreq=200.0)).view(2, -1)
    assert torch.equal(shuffled, codes[order])
    assert torch.equal(fewer, codes[:2])


def test_padding_has_no_code():
    stream = SeriesStream.from_arrays(noise(1, 2, 200), sfreq=200.0, channel_mask=[[True, False]])
    codes = coder().codes(stream)[0, :, 0]
    assert bool((codes[:10] >= 0).all())
    assert bool((codes[10:] == -1).all())


def test_cosine_look_up_ignores_the_length_of_vectors():
    tokenizer = coder(quantizer=QuantizerConfig(size=16, width=32, distance="cosine", start="random"))
    hidden = noise(1, 10, 32)
    assert torch.equal(tokenizer.quantise(hidden).codes, tokenizer.quantise(7 * hidden).codes)


def test_token_vectors_are_those_of_the_codes_and_pass_a_gradient_to_the_encoder():
    tokenizer = coder()
    raw = tokenizer.cut(SeriesStream.from_arrays(noise(1, 2, 200), sfreq=200.0)).values
    out = tokenizer.embed(raw)
    codes = tokenizer.quantise(tokenizer.encode(raw)).codes
    torch.testing.assert_close(out, tokenizer.quantizer.decode(codes))
    out.square().mean().backward()
    assert float(tokenizer.project.weight.grad.abs().sum()) > 0
