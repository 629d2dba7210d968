"""REVE against tensors of the published implementation, and the numbers the paper and the released files state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import WeightsError
from nkfm_reve.config import BASE, CONTRACT, LARGE, SMALL, ReveConfig
from nkfm_reve.convert import from_autoencoder, from_reference, to_reference
from nkfm_reve.model import Reve

GOLDENS = Path(__file__).parents[1] / "goldens" / "reve"
CLOSE = {"atol": 3e-5, "rtol": 1e-4}  # of the sidecars


def golden(name: str) -> tuple[dict, dict[str, Tensor], dict[str, Tensor]]:
    """Sidecar, all tensors, and the state dict among them."""
    about = json.loads((GOLDENS / f"{name}.json").read_text())
    tensors = load_file(GOLDENS / f"{name}.safetensors")
    state = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    return about, tensors, state


def batch_of(tensors: dict[str, Tensor]) -> nkfm.Batch:
    stream = SeriesStream.from_arrays(
        tensors["input.eeg"], sfreq=200, positions=tensors["input.positions"], frame="template"
    )
    return nkfm.Batch(streams={"eeg": stream})


def tiny(**changes: object) -> Reve:
    torch.manual_seed(0)
    return Reve(
        ReveConfig(**{"width": 32, "depth": 2, "heads": 2, "head_dim": 16, "freqs": 3, **changes}), CONTRACT
    ).eval()


@pytest.mark.golden
@pytest.mark.parametrize("name", ["forward_19ch_4s", "forward_gelu_bipolar16_5s"])
def test_forward_equals_the_published_model(name):
    about, tensors, state = golden(name)
    model = from_reference(about["config"], state)
    with torch.no_grad():
        features = model(batch_of(tensors))
        layers = model.encoder(batch_of(tensors)["eeg"], keep_layers=True)["layers"]
    torch.testing.assert_close(features.tokens, tensors["output.tokens"].flatten(1, 2), **CLOSE)
    torch.testing.assert_close(features.pooled(), tensors["output.attention_pooling"], **CLOSE)
    if "output.layers" in tensors:
        torch.testing.assert_close(torch.stack(layers), tensors["output.layers"], **CLOSE)


@pytest.mark.golden
@pytest.mark.parametrize("pooling", ["no", "last", "all", "last_avg"])
def test_classifiers_equal_the_published_ones(pooling):
    about, tensors, state = golden(f"classifier_{pooling}_19ch_4s")
    with torch.no_grad():
        logits = from_reference(about["config"], state).predict(batch_of(tensors))
    torch.testing.assert_close(logits, tensors["output.logits"], **CLOSE)


@pytest.mark.golden
def test_conversion_there_and_back_returns_the_published_state_dict():
    about, _, state = golden("forward_19ch_4s")
    back = to_reference(from_reference(about["config"], state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("config", "parameters", "tensors"),
    [(SMALL, 12_667_904, 32), (BASE, 69_189_632, 140), (LARGE, 389_978_496, 140)],
    ids=["small", "base", "large"],
)
def test_released_sizes_have_the_stated_numbers_of_parameters(config, parameters, tensors):
    with torch.device("meta"):
        model = Reve(config, CONTRACT)
    assert model.count_parameters() == parameters
    assert len(model.state_dict()) == tensors


def test_state_dict_of_base_has_the_published_keys_and_shapes():
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in to_reference(Reve(BASE, CONTRACT)).items()}
    expected = {
        "cls_query_token": (1, 1, 512),
        "to_patch_embedding.0.weight": (512, 200),
        "to_patch_embedding.0.bias": (512,),
        "mlp4d.0.weight": (512, 4),
        "mlp4d.2.weight": (512,),
        "mlp4d.2.bias": (512,),
        "ln.weight": (512,),
        "ln.bias": (512,),
    }
    for i in range(22):
        expected |= {
            f"transformer.layers.{i}.0.norm.weight": (512,),
            f"transformer.layers.{i}.0.to_qkv.weight": (1536, 512),
            f"transformer.layers.{i}.0.to_out.weight": (512, 512),
            f"transformer.layers.{i}.1.net.0.weight": (512,),
            f"transformer.layers.{i}.1.net.1.weight": (2722, 512),
            f"transformer.layers.{i}.1.net.3.weight": (512, 1361),
        }
    assert shapes == expected


def test_conversion_refuses_missing_extra_and_misshaped_keys_by_name():
    about, _, state = golden("forward_19ch_4s")
    broken = dict(state)
    del broken["ln.bias"]
    broken["final_layer.0.weight"] = torch.zeros(1)
    broken["mlp4d.0.weight"] = torch.zeros(32, 3)
    with pytest.raises(WeightsError) as caught:
        from_reference(about["config"], broken)
    for words in (
        "missing: ln.bias",
        "superfluous: final_layer.0.weight",
        "mlp4d.0.weight: shape (32, 3), expected (32, 4)",
    ):
        assert words in str(caught.value)


def test_conversion_refuses_weights_that_are_not_numbers():
    about, _, state = golden("forward_19ch_4s")
    with pytest.raises(WeightsError, match="ln.bias: holds values that are not finite"):
        from_reference(about["config"], state | {"ln.bias": torch.full((32,), torch.nan)})


def test_unknown_settings_of_a_published_config_are_ignored():
    about, _, state = golden("forward_19ch_4s")
    from_reference({**about["config"], "auto_map": {"AutoModel": "modeling_reve.Reve"}, "dtype": "float32"}, state)


def random_batch(channels: int = 7, samples: int = 900, size: int = 2) -> nkfm.Batch:
    rng = torch.Generator().manual_seed(1)
    return nkfm.Batch(
        streams={
            "eeg": SeriesStream.from_arrays(
                torch.randn((size, channels, samples), generator=rng),
                sfreq=200,
                positions=0.08 * torch.randn((size, channels, 3), generator=rng),
                frame="template",
            )
        }
    )


@torch.no_grad()
def test_shuffling_channels_with_their_positions_shuffles_tokens_and_keeps_the_summary():
    model, batch = tiny(), random_batch()
    stream = batch["eeg"]
    order = torch.randperm(7, generator=torch.Generator().manual_seed(2))
    shuffled = SeriesStream.from_arrays(
        stream.values[:, order], sfreq=200, positions=stream.positions[:, order], frame="template"
    )
    one, other = model(batch), model(nkfm.Batch(streams={"eeg": shuffled}))
    torch.testing.assert_close(one.pooled(), other.pooled(), atol=1e-5, rtol=1e-5)  # sums in another order
    steps = one.tokens.shape[1] // 7
    torch.testing.assert_close(
        one.tokens.unflatten(1, (7, steps))[:, order], other.tokens.unflatten(1, (7, steps)), atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
def test_trailing_samples_below_one_hop_change_nothing():
    model, stream = tiny(), random_batch(samples=739)["eeg"]
    shorter = SeriesStream.from_arrays(
        stream.values[:, :, :560], sfreq=200, positions=stream.positions, frame="template"
    )
    one, other = model(nkfm.Batch(streams={"eeg": stream})), model(nkfm.Batch(streams={"eeg": shorter}))
    assert one.tokens.shape[1] == 7 * 3
    torch.testing.assert_close(one.tokens, other.tokens, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_padding_changes_nothing_whatever_it_holds():
    model, batch = tiny(), random_batch()
    stream = batch["eeg"]
    padded = SeriesStream.from_arrays(
        torch.nn.functional.pad(stream.values, (0, 500, 0, 4), value=1e6),
        sfreq=200,
        positions=torch.nn.functional.pad(stream.positions, (0, 0, 0, 4), value=1e6),
        channel_mask=(torch.arange(11) < 7).expand(2, 11),
        time_mask=(torch.arange(1400) < 900).expand(2, 1400),
        frame="template",
    )
    one, other = model(batch), model(nkfm.Batch(streams={"eeg": padded}))
    torch.testing.assert_close(one.pooled(), other.pooled(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.tokens.flatten(0, 1), other.tokens[other.mask], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_half_precision_stays_near_float32():
    model, batch = tiny(width=64, heads=4), random_batch()
    full = model(batch).pooled()
    half = model.to(torch.bfloat16)(batch).pooled().float()
    assert (full - half).norm() / full.norm() < 0.03  # bfloat16 keeps 8 bits


def test_encoder_of_a_pretrained_autoencoder_becomes_reve():
    about, tensors, state = golden("mae_19ch_4s")
    autoencoder = from_reference(about["config"], state)
    reve = from_autoencoder(autoencoder).eval()
    with torch.no_grad():
        torch.testing.assert_close(reve(batch_of(tensors)).tokens, autoencoder(batch_of(tensors)).tokens)
    assert torch.equal(reve.pool.query, state["cls_query_token"])


@pytest.mark.golden
def test_autoencoder_loss_and_gradients_equal_the_published_ones():
    about, tensors, state = golden("mae_19ch_4s")
    model = from_reference(about["config"], state)
    indices = tensors["input.masked_indices"]
    hidden = torch.zeros(len(indices), 19 * 4, dtype=torch.bool).scatter(1, indices, True)
    made = model.reconstruct(batch_of(tensors), hidden=hidden)
    order = indices.argsort(1)
    published = torch.cat([p[o] for p, o in zip(tensors["output.pred_masked_patches"], order, strict=True)])
    torch.testing.assert_close(made.predicted, published, **CLOSE)
    torch.testing.assert_close(
        model.loss(batch_of(tensors), hidden=hidden).total, tensors["output.loss_primary"].squeeze(), **CLOSE
    )
    model.train()
    loss = model.loss(batch_of(tensors), hidden=hidden)
    torch.testing.assert_close(loss.total, tensors["output.loss_total_train"].squeeze(), **CLOSE)
    torch.testing.assert_close(
        loss.parts["secondary"], tensors["output.loss_secondary"].squeeze(), atol=1e-4, rtol=1e-4
    )
    loss.total.backward()
    ours = {
        "mask_token": model.mask_token,
        "cls_query_token": model.pool.query,
        "encoder.to_patch_embedding.0.bias": model.encoder.tokenizer.project.bias,
        "encoder.mlp4d.0.weight": model.encoder.encoding.learned.weight,
        "to_pixels.bias": model.to_raw.bias,
        "cls_to_pixels.2.bias": model.global_to_raw[2].bias,
    }
    for name, parameter in ours.items():
        torch.testing.assert_close(parameter.grad, tensors[f"output.grad.{name}"], **CLOSE)


def test_base_autoencoder_has_the_stated_number_of_parameters():
    with torch.device("meta"):
        cls = nkfm.models.load("mae")
        from nkfm_mae.config import MaskedAutoencoderConfig

        model = cls(MaskedAutoencoderConfig(encoder=BASE.encoder), CONTRACT)
    assert model.count_parameters() == 83_311_504
    assert sum(p.numel() for p in model.decoder.parameters()) == 12_560_384
