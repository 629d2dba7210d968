"""Masks and the masked autoencoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.nn.blocks import TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoderConfig
from nkfm_mae.config import MaskConfig, MaskedAutoencoderConfig
from nkfm_mae.masking import block_mask, draw, grow, random_mask
from nkfm_mae.model import MaskedAutoencoder, log_spectra

GOLDENS = Path(__file__).parents[1] / "goldens" / "reve"
SMALL = TransformerConfig(width=32, depth=2, heads=2, head_dim=16)
CONTRACT = nkfm.SeriesContract(sfreq=200, window_s=4.0, frame="template")


def autoencoder(**changes: object) -> MaskedAutoencoder:
    torch.manual_seed(0)
    encoder = TokenEncoderConfig(
        tokenizer={"name": "patch", "length_s": 0.5, "hop_s": 0.5},
        encoding={"name": "fourier-4d", "freqs": 3, "step_s": 0.5},
        transformer=SMALL,
    )
    return MaskedAutoencoder(MaskedAutoencoderConfig(**{"encoder": encoder, "decoder": SMALL, **changes}), CONTRACT)


def batch(sizes: tuple[tuple[int, int], ...] = ((8, 800), (8, 800))) -> nkfm.Batch:
    """Random samples of (channels, samples), padded with 1e6."""
    rng = torch.Generator().manual_seed(3)
    c, t = max(s[0] for s in sizes), max(s[1] for s in sizes)
    values = torch.full((len(sizes), c, t), 1e6)
    channel_mask, time_mask = (
        torch.zeros((len(sizes), c), dtype=torch.bool),
        torch.zeros((len(sizes), t), dtype=torch.bool),
    )
    for b, (n, length) in enumerate(sizes):
        values[b, :n, :length] = torch.randn((n, length), generator=rng)
        channel_mask[b, :n], time_mask[b, :length] = True, True
    positions = 0.09 * torch.nn.functional.normalize(torch.randn((len(sizes), c, 3), generator=rng), dim=-1)
    stream = SeriesStream.from_arrays(
        values, sfreq=200, positions=positions, channel_mask=channel_mask, time_mask=time_mask, frame="template"
    )
    return nkfm.Batch(streams={"eeg": stream})


def cap(n: int = 64) -> torch.Tensor:
    return 0.095 * torch.nn.functional.normalize(
        torch.randn((n, 3), generator=torch.Generator().manual_seed(5)), dim=-1
    )


@pytest.mark.golden
@pytest.mark.parametrize("name", ["block_mask_19ch_11patches", "block_mask_64ch_11patches"])
def test_legacy_masks_equal_the_published_ones_for_the_same_centres(name):
    about = json.loads((GOLDENS / f"{name}.json").read_text())
    centres = iter([c for one in about["draws"] for c in one["centres"]])
    positions, steps = torch.tensor(about["positions"]), about["n_time_patches"]
    grid = block_mask(positions, steps, MaskConfig(legacy=True), choose=lambda candidates: next(centres))
    flat = torch.zeros(grid.numel(), dtype=torch.bool)
    flat[torch.tensor(about["reference_flat_indices"]).flatten()] = True
    assert torch.equal(grid.flatten(), flat)
    meant = {(t, c) for t, c in about["masked_time_channel"]}
    assert {(int(i) // len(positions), int(i) % len(positions)) for i in flat.nonzero()} == meant


@pytest.mark.golden
def test_growing_around_the_recorded_centres_gives_the_recorded_channels():
    about = json.loads((GOLDENS / "block_mask_64ch_11patches.json").read_text())
    positions = torch.tensor(about["positions"])
    for one in about["draws"]:
        start = torch.zeros(len(positions), dtype=torch.bool)
        if one["precomputed"]:
            start[torch.tensor(one["precomputed"])] = True
        centres = iter(one["centres"])
        hidden = grow(positions, one["ratio"], one["radius"], start, lambda candidates, c=centres: next(c))
        assert hidden.nonzero().squeeze(1).tolist() == one["returned_sorted"]


@pytest.mark.parametrize("steps", [1, 2, 3, 6, 11])
def test_every_step_hides_the_same_number_of_channels_and_some_are_hidden_throughout(steps):
    positions, config = cap(), MaskConfig()
    for seed in range(5):
        grid = block_mask(positions, steps, config, torch.Generator().manual_seed(seed))
        assert grid.sum(0).tolist() == [int(0.55 * 64)] * steps
        assert int(grid.all(1).sum()) >= int(0.1 * 64)


def test_blocks_last_as_long_as_configured_and_legacy_scatters_them():
    positions = cap()

    def stays(config: MaskConfig) -> float:
        """P(hidden at the previous step | hidden) within windows of 11 steps."""
        hits = total = 0
        for seed in range(60):
            grid = block_mask(positions, 11, config, torch.Generator().manual_seed(seed))
            hits += int((grid[:, 1:] & grid[:, :-1]).sum())
            total += int(grid[:, 1:].sum())
        return hits / total

    assert stays(MaskConfig()) > 0.78  # intended 0.82 to 0.84
    assert stays(MaskConfig(legacy=True)) < 0.65  # published code in effect 0.50 to 0.59


def test_no_channel_is_favoured():
    chance = torch.stack(
        [block_mask(cap(), 3, MaskConfig(), torch.Generator().manual_seed(s))[:, 0] for s in range(400)]
    )
    low, high = chance.float().mean(0)[:32].mean(), chance.float().mean(0)[32:].mean()
    assert abs(float(low - high)) < 0.06  # the published truncation gives 0.40 to 0.85 along the channel numbers


def test_masks_never_touch_padding_and_follow_each_sample():
    model = autoencoder()
    tokens = model.encoder.tokenizer.cut(batch(((8, 800), (5, 450)))["eeg"])
    hidden = draw(tokens, MaskConfig(), torch.Generator().manual_seed(0))
    assert not (hidden & ~tokens.mask).any()
    assert hidden.sum(1).tolist() == [8 * int(0.55 * 8), 4 * int(0.55 * 5)]


def test_loss_does_not_depend_on_how_samples_are_batched():
    model = autoencoder(mask=MaskConfig(kind="random")).eval()
    mixed = batch(((8, 800), (5, 450)))
    tokens = model.encoder.tokenizer.cut(mixed["eeg"])
    hidden = draw(tokens, MaskConfig(), torch.Generator().manual_seed(0))
    together = model.reconstruct(mixed, hidden=hidden).predicted
    stream = mixed["eeg"]
    alone = SeriesStream.from_arrays(
        stream.values[1:, :5, :450], sfreq=200, positions=stream.positions[1:, :5], frame="template"
    )
    own = hidden[1].view(8, 8)[:5, :4].reshape(1, 20)  # 0.5 s patches: 8 steps padded, 4 real
    single = model.reconstruct(nkfm.Batch(streams={"eeg": alone}), hidden=own).predicted
    torch.testing.assert_close(together[int(hidden[0].sum()) :], single, atol=1e-5, rtol=1e-5)


def test_hidden_values_cannot_leak_into_their_prediction():
    model = autoencoder().eval()
    one = batch()
    tokens = model.encoder.tokenizer.cut(one["eeg"])
    hidden = draw(tokens, MaskConfig(), torch.Generator().manual_seed(0))
    before = model.reconstruct(one, hidden=hidden).predicted
    stream = one["eeg"]
    changed = stream.values.clone().view(2, 8, 8, 100)
    changed[hidden.view(2, 8, 8)] = 7.0
    again = SeriesStream.from_arrays(changed.view(2, 8, 800), sfreq=200, positions=stream.positions, frame="template")
    assert torch.equal(before, model.reconstruct(nkfm.Batch(streams={"eeg": again}), hidden=hidden).predicted)


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        ({}, {"primary", "secondary"}),
        ({"spectrum_weight": 0.3}, {"primary", "secondary", "spectrum"}),
        ({"global_weight": 0.0, "spectrum_weight": 0.3}, {"primary", "spectrum"}),
    ],
)
def test_training_loss_reaches_every_parameter_and_repeats_with_its_generator(weights: dict, parts: set[str]):
    model = autoencoder(**weights).train()
    losses = [model.loss(batch(), generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(losses[0].total, losses[1].total)
    assert set(losses[0].parts) == parts
    scale = {"primary": 1.0, "secondary": model.config.global_weight, "spectrum": model.config.spectrum_weight}
    expected = sum(scale[name] * losses[0].parts[name] for name in parts)
    torch.testing.assert_close(losses[0].total, expected)
    assert set(model.eval().loss(batch()).parts) == {"primary"}
    losses[0].total.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_spectra_are_those_of_welch_with_every_real_token_of_a_channel_and_no_other():
    from scipy.signal import welch

    stream = batch(((3, 800), (2, 450)))["eeg"]
    found = log_spectra(autoencoder().encoder.tokenizer.cut(stream))  # 0.5 s tokens of 100 samples
    assert found.shape == (2, 3, 51)
    for row, channels, length in ((0, 3, 800), (1, 2, 400)):
        x = stream.values[row, :channels, :length].double().numpy()
        # density, one-sided: twice |X|^2 over rate and energy of the window, but for the first and last frequency
        _, density = welch(x, fs=200, window="hann", nperseg=100, noverlap=0, detrend=False)
        once = torch.full((51,), 0.5)
        once[[0, -1]] = 1.0
        energy = torch.hann_window(100).double().square().sum()
        expected = torch.as_tensor(density) * once * 200 * energy / 100
        torch.testing.assert_close(found[row, :channels].double(), torch.log(expected + 1e-4), atol=1e-4, rtol=1e-4)


def test_the_spectrum_is_read_off_visible_tokens_alone():
    model = autoencoder(spectrum_weight=1.0).train()
    one = batch()
    hidden = draw(model.encoder.tokenizer.cut(one["eeg"]), MaskConfig(), torch.Generator().manual_seed(0))
    seen = model.reconstruct(one, hidden=hidden, generator=torch.Generator().manual_seed(1)).seen
    assert int(seen.mask.sum()) == int((~hidden).sum())
    rows = (seen.index[..., 0] * 8 + seen.index[..., 1])[0][seen.mask[0]]
    assert rows.tolist() == (~hidden[0]).nonzero()[:, 0].tolist()


def test_evaluation_uses_the_same_mask_every_time_and_no_noise():
    model = autoencoder().eval()
    assert torch.equal(model.loss(batch()).total, model.loss(batch()).total)


def test_decoder_may_be_narrower_than_the_encoder():
    model = autoencoder(decoder=TransformerConfig(width=16, depth=1, heads=1, head_dim=16)).train()
    assert torch.isfinite(model.loss(batch()).total)


def test_impossible_masks_are_refused():
    with pytest.raises(ConfigError, match="dropout_ratio <= ratio"):
        MaskConfig(ratio=0.2, dropout_ratio=0.5)


def ragged() -> nkfm.Tokens:
    """One sample: 4 tokens in the first channel, 1 in the second, none in the third, 3 in the fourth; padding around."""
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 0]], dtype=torch.bool)
    index = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij"), dim=-1).view(1, 20, 2)
    coords = torch.full((1, 20, 4), float("nan"))
    return nkfm.Tokens(values=torch.zeros(1, 20, 2), mask=mask.view(1, 20), coords=coords, index=index)


@pytest.mark.parametrize("kind", ["block", "random"])
def test_masks_fit_channels_with_unequal_numbers_of_tokens(kind: str):
    tokens = ragged()
    seen = set()
    for seed in range(20):
        hidden = draw(tokens, MaskConfig(kind=kind), torch.Generator().manual_seed(seed))
        assert not (hidden & ~tokens.mask).any()
        seen.add(int(hidden.sum()))
    if kind == "random":
        assert seen == {int(0.55 * 8)}  # of the real tokens, not of the grid that holds them
    else:
        assert max(seen) > 0


def test_a_single_channel_cannot_be_hidden_in_blocks_and_the_message_says_what_can():
    model = autoencoder()
    with pytest.raises(DataError, match=r"hide none of 8 tokens(?s:.*)for few channels use kind='random'"):
        model.loss(batch(((1, 800),)))
    loss = autoencoder(mask=MaskConfig(kind="random")).loss(batch(((1, 800),)))
    assert torch.isfinite(loss.total)


def test_of_two_tokens_one_is_hidden():
    assert [int(random_mask(n, 0.3).sum()) for n in (0, 1, 2, 3, 10)] == [0, 0, 1, 1, 3]
