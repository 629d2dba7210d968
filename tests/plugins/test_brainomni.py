"""BrainOmni against tensors of the published implementation, and EEG, MEG and both through one call."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.errors import ConfigError, ContractError, WeightsError
from neurokit_fm.testing import fake_recording
from nkfm_brainomni.blocks import TABLE, Rope
from nkfm_brainomni.config import BASE, CONTRACT, TINY, BrainOmniConfig
from nkfm_brainomni.convert import example_reference, from_braindecode, from_reference, from_tokenizer, to_reference
from nkfm_brainomni.model import BrainOmni, Draws

GOLDENS = Path(__file__).parents[1] / "goldens" / "brainomni"
CLOSE = {"atol": 5e-5, "rtol": 1e-4}  # of the sidecar
ROPES = ("exact", "released")


@pytest.fixture(scope="module")
def golden() -> tuple[dict, dict[str, Tensor], dict[str, Tensor]]:
    """Sidecar, all tensors, and the state dict among them."""
    about = json.loads((GOLDENS / "brainomni_tiny.json").read_text())
    tensors = load_file(GOLDENS / "brainomni_tiny.safetensors")
    return about, tensors, {key.removeprefix("model."): v for key, v in tensors.items() if key.startswith("model.")}


def tiny(**changes: object) -> BrainOmni:
    torch.manual_seed(0)
    model = BrainOmni(replace(BrainOmni.example, **changes), replace(CONTRACT, window_s=2.0))
    for linear in (m for m in model.modules() if isinstance(m, torch.nn.Linear)):  # wide enough to tell inputs apart
        torch.nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
    return model.eval()


@pytest.mark.golden
@pytest.mark.parametrize("rope", ROPES)
def test_features_equal_the_published_ones(golden, rope):
    about, t, state = golden
    model = from_reference({**about["config"], "rope": rope}, state)
    inputs = t["input.x"], t["input.pos"], t["input.sensor_type"]
    with torch.no_grad():
        tokens, codes = model.tokenize(*inputs)
        assert codes.equal(t["output.indices"].long())
        torch.testing.assert_close(tokens, t["output.tokens"], **CLOSE)
        torch.testing.assert_close(model.blocks[0](t["output.block_input"]), t[f"output.block0_{rope}_rope"], **CLOSE)
        torch.testing.assert_close(model.encode(*inputs), t[f"output.encode_{rope}_rope"], **CLOSE)


@pytest.mark.golden
def test_masked_prediction_equals_the_published_one(golden):
    about, t, state = golden
    model = from_reference(about["config"], state, rope="exact")
    with torch.no_grad():
        tokens, codes = model.tokenize(t["input.x"], t["input.pos"], t["input.sensor_type"])
        logits = model.predict_codes(tokens)[:, :, : t["output.logits_unmasked_exact_rope"].shape[2]]
        torch.testing.assert_close(logits, t["output.logits_unmasked_exact_rope"], **CLOSE)
        draws = Draws(
            keep=t["input.mask_uniform"],
            elsewhere=t["input.shuffle_permutation"].long(),
            replace=t["input.replace_uniform"],
        )
        seen, hidden = model.hide(tokens, draws)
        assert hidden.equal(~t["output.keep_mask"])
        torch.testing.assert_close(seen, t["output.masked_tokens"], **CLOSE)
        loss, accuracy = model.masked_prediction(tokens, codes, draws)
    torch.testing.assert_close(loss[None], t["output.pretrain_loss_exact_rope"], **CLOSE)
    torch.testing.assert_close(accuracy, t["output.pretrain_acc_per_level"], **CLOSE)


@pytest.mark.golden
def test_the_classifier_equals_the_published_one(golden):
    about, t, state = golden
    model = from_reference(about["config"], state)
    assert model.config.rope == "released"
    assert model.config.classes == 3
    with torch.no_grad():
        x = model.encode(t["input.x"], t["input.pos"], t["input.sensor_type"])
        pooled = x.mean(2).flatten(1)
        features = nkfm.Features(
            tokens=x.flatten(1, 2), mask=torch.ones(2, 128, dtype=torch.bool), coords=torch.zeros(2, 128, 4),
            index=torch.zeros(2, 128, 2, dtype=torch.int64), extras={"pooled": pooled},
        )  # fmt: skip
        torch.testing.assert_close(pooled, t["output.head_features_released_rope"], **CLOSE)
        torch.testing.assert_close(model.classify(features), t["output.head_logits_released_rope"], **CLOSE)


def test_rotations_are_damaged_in_the_released_table_only():
    exact, released = Rope(16, "exact"), Rope(16, "released")
    x = torch.randn(1, TABLE + 1, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(exact(x).norm(dim=-1), x.norm(dim=-1), atol=1e-4, rtol=1e-4)
    short = released(x[:, :TABLE])
    torch.testing.assert_close(
        short[:, :, :2], x[:, :TABLE, :2] * torch.arange(TABLE).cos()[:, None], atol=1e-4, rtol=1e-3
    )
    torch.testing.assert_close(released(x)[:, 1:8], exact(x)[:, 1:8], atol=0.05, rtol=0.05)
    assert released(x[:, :TABLE]).equal(short), "a long input changes nothing for the short ones after it"


def test_a_table_of_any_length_or_complex_is_read(golden):
    about, t, state = golden
    inputs = t["input.x"], t["input.pos"], t["input.sensor_type"]
    with torch.no_grad():
        expected = from_reference(about["config"], state).encode(*inputs)
        long = {k: torch.cat([v, v[:60]]) if k.endswith("rotate") else v for k, v in state.items()}
        assert from_reference(about["config"], long).encode(*inputs).equal(expected)
        turned = {
            k: torch.polar(torch.ones_like(v), v.clamp(-1, 1).acos()) if k.endswith("rotate") else v
            for k, v in state.items()
        }
        assert from_reference(about["config"], turned).config.rope == "exact"
        same = from_reference(about["config"], turned, rope="released").encode(*inputs)
        torch.testing.assert_close(same, expected, **CLOSE)
        bare = {k: v for k, v in state.items() if "rope" not in k}
        assert from_reference(about["config"], bare).config.rope == "exact"
    with pytest.raises(WeightsError, match="rope='released' needs blocks.0"):
        from_reference(about["config"], bare, rope="released")


@pytest.mark.parametrize(("config", "every", "own"), [(TINY, 13_475_042, 8_424_704), (BASE, 37_757_666, 32_707_328)])
def test_released_sizes_have_the_published_number_of_parameters(config, every, own):
    with torch.device("meta"):
        model = BrainOmni(config, CONTRACT)
    assert model.count_parameters() == every
    assert every - sum(p.numel() for p in model.tokenizer.parameters()) == own
    assert all(not p.requires_grad for p in model.tokenizer.parameters())


def test_names_are_those_published():
    released = replace(TINY, rope="released"), replace(BASE, rope="released")
    for config, keys in zip(released, (332, 334), strict=True):
        with torch.device("meta"):
            assert len(to_reference(BrainOmni(config, CONTRACT))) == keys


def test_a_published_state_dict_goes_there_and_back():
    config, state = example_reference()
    back = to_reference(from_reference(config, state))
    assert back.keys() == state.keys()
    assert all(back[key].equal(state[key]) for key in state)
    with pytest.raises(ConfigError, match="num_quantizers_used must be num_quantizers=2; got 1"):
        from_reference({**config, "num_quantizers_used": 1}, state)


def test_braindecodes_weights_give_features_only():
    config, state = example_reference()
    renamed = {}
    for key, value in state.items():
        name = (
            key.replace("quantizer.rvq.", "quantizer.")
            .replace("conv.conv.", "conv.")
            .replace("convtr.convtr.", "convtr.")
        )
        name = name.replace("mlp.layer.2", "mlp.3").replace("mlp.layer.0", "mlp.0")
        name = name.replace("ff.layer.2", "ff.3").replace("ff.layer.0", "ff.0")
        renamed[name.replace("tokenizer.decoder.", "tokenizer.final_layer.")] = value
        if name.endswith("rotate"):
            renamed[name] = torch.stack([value, torch.zeros_like(value)], -1)
    renamed = {k: v for k, v in renamed.items() if k.split(".")[0] not in ("mask_token", "predict_head")}
    renamed |= {"final_layer.weight": torch.zeros(2, 96), "final_layer.bias": torch.zeros(2), "pos": torch.zeros(19, 6)}
    model, whole = from_braindecode(config, renamed), from_reference(config, state)
    x = torch.randn(1, 4, 256, generator=torch.Generator().manual_seed(0))
    pos, kind = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1)), torch.tensor([[0, 0, 1, 2]])
    with torch.no_grad():
        assert model.encode(x, pos, kind).equal(whole.encode(x, pos, kind))
    with pytest.raises(ConfigError, match="features only"):
        model.predict_codes(torch.zeros(1, 3, 2, 16))


def test_attention_is_not_dropped_in_evaluation():
    model = tiny(dropout=0.5)
    batch = nkfm.Batch(streams={"eeg": collate_series([ready(eeg(6))])})
    with torch.no_grad():
        assert model(batch).tokens.equal(model(batch).tokens)


def eeg(channels: int, seconds: float = 2.0) -> nkfm.Recording:
    return fake_recording("series", n_channels=channels, duration_s=seconds, sfreq=256, frame="head")


def simulated(**settings: object) -> nkfm.Recording:
    config = {"montages": ["10-20"], "duration_s": 8.0, "subjects": 1, "test_subjects": 0, "sessions": 1, **settings}
    return nkfm.datasets.load("simulated")(config)[0]


def ready(recording: nkfm.Recording) -> nkfm.TimeSeries:
    return CONTRACT.apply(recording).series("eeg+meg")[1]


@pytest.mark.parametrize(
    ("settings", "sensors"),
    [({"montages": [], "meg": ["kit157"]}, 157), ({}, 19), ({"montages": ["biosemi32"], "meg": ["ctf151"]}, 32 + 151)],
)
def test_eeg_meg_and_both_of_any_montage_go_through_one_call(settings, sensors):
    embedding = nkfm.embed(tiny(), simulated(**settings))
    assert embedding.values.shape == (4, 3 * 32)
    assert len(embedding.channels) == sensors
    assert bool(torch.isfinite(torch.from_numpy(embedding.values)).all())


def test_samples_of_different_sensors_and_lengths_share_a_batch():
    model = tiny()
    signals = [ready(eeg(5)), ready(simulated(meg=["kit157"], duration_s=7.0)), ready(eeg(3, 1.3))]
    with torch.no_grad():
        together = model(nkfm.Batch(streams={"s": collate_series(signals)}))
        for b, signal in enumerate(signals):
            alone = model(nkfm.Batch(streams={"s": collate_series([signal])}))
            torch.testing.assert_close(together.pooled()[b], alone.pooled()[0], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(together.tokens[b, together.mask[b]], alone.tokens[0], atol=1e-5, rtol=1e-4)


def test_what_has_neither_eeg_nor_meg_is_refused():
    with pytest.raises(ContractError, match="no eeg"):
        nkfm.embed(tiny(), fake_recording("points"))


def test_padding_never_stands_in_for_a_hidden_token():
    mask = torch.zeros(2, 3, 10, dtype=torch.bool)
    mask[0], mask[1, :, :4] = True, True
    draws = Draws.of(mask, torch.Generator().manual_seed(0))
    real = mask.flatten()
    assert bool(real[draws.elsewhere[real]].all())
    assert sorted(draws.elsewhere.tolist()) == list(range(60))


def test_a_fresh_model_starts_from_a_trained_tokenizer():
    cls = nkfm.models.load("braintokenizer")
    trained = cls(cls.example, CONTRACT)
    model = from_tokenizer(trained, replace(BrainOmni.example, depth=1))
    assert model.config.tokenizer["overlap"] == 0.25
    for key, value in trained.tokenizer.state_dict().items():
        assert model.tokenizer.state_dict()[key].equal(value)
    model.train()
    batch = nkfm.Batch(streams={"s": collate_series([ready(eeg(6))])})
    before = {key: value.clone() for key, value in model.tokenizer.state_dict().items()}
    model.loss(batch, generator=torch.Generator().manual_seed(0)).total.backward()
    assert all(value.equal(before[key]) for key, value in model.tokenizer.state_dict().items())
    with pytest.raises(ConfigError, match="'braintokenizer'"):
        from_tokenizer(tiny(), BrainOmni.example)


def test_training_lowers_the_loss():
    model = tiny(depth=2).train()
    batch = nkfm.Batch(streams={"s": collate_series([ready(eeg(6)), ready(eeg(8))])})
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    losses = []
    for step in range(15):
        optimiser.zero_grad()
        loss = model.loss(batch, generator=torch.Generator().manual_seed(step)).total
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < sum(losses[:3]) - 1


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="heads must be even"):
        BrainOmniConfig(heads=3)
    with pytest.raises(ConfigError, match="mask_ratio"):
        BrainOmniConfig(mask_ratio=0.0)
    with pytest.raises(ConfigError, match="no classifier"):
        tiny().classify(None)


PUBLISHED = {  # first features and sum of all; from the tests of braindecode, which has the same weights
    ("brainomni-tiny", "released"): ((0.0065936, -0.0092882, -0.0178511, -0.0473160), 51.2547836),
    ("brainomni-tiny", "exact"): ((0.0045920, -0.0055119, -0.0214457, -0.0476147), 62.1380463),
    ("brainomni-base", "released"): ((0.0078633, -0.0886895, -0.0735951, -0.0352202), -11.0904369),
}


@pytest.mark.network
@pytest.mark.parametrize(("name", "rope"), PUBLISHED)
def test_published_weights_give_the_published_features(name, rope):
    model = nkfm.load_model(name)
    if rope == "exact":
        weights = {key: value for key, value in model.state_dict().items() if ".rope." not in key}
        model = BrainOmni(replace(model.config, rope="exact"), model.contract).eval()
        model.load_state_dict(weights)
    x = torch.randn(1, 2, 512, generator=torch.Generator().manual_seed(123))
    pos = torch.tensor([[[0.1, 0.2, 0.3, 0, 0, 0], [-0.2, 0.1, 0.4, 0, 0, 0]]])
    with torch.no_grad():
        found = model.encode(x, pos, torch.zeros(1, 2, dtype=torch.int64))
    first, total = PUBLISHED[name, rope]
    torch.testing.assert_close(found.flatten()[:4], torch.tensor(first), atol=1e-5, rtol=0)
    assert float(found.sum()) == pytest.approx(total, abs=1e-2)
