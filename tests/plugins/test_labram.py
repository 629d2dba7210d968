"""LaBraM against tensors of the published definition, and the numbers its sources state."""

from __future__ import annotations

import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError, WeightsError
from nkfm_labram.config import CONTRACT, ELECTRODES, LabramConfig
from nkfm_labram.convert import example_reference, from_reference
from nkfm_labram.model import Labram


def batch(*names: str, seconds: float = 2, seed: int = 0) -> nkfm.Batch:
    x = torch.randn((1, len(names), round(200 * seconds)), generator=torch.Generator().manual_seed(seed))
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=200, names=names)})


def example() -> Labram:
    torch.manual_seed(0)
    return Labram(Labram.example, CONTRACT).eval()


@pytest.mark.golden
@torch.no_grad()
def test_features_equal_those_of_the_published_definition(port_golden):
    golden = port_golden("labram")
    model = from_reference(golden.config, golden.state)
    found = model(golden.batch())
    golden.assert_close(found.tokens, "features")
    golden.assert_close(found.pooled(), "cls_token")
    assert model.count_parameters() == golden.about["parameters"]


def test_the_published_size_has_the_stated_number_of_parameters():
    with torch.device("meta"):
        model = Labram(LabramConfig(), CONTRACT)
    assert model.tokenizer.width == 200
    assert model.count_parameters() == 5_819_936 == nkfm.weights.load("labram-base").parameters  # 5.8 M in the paper


def test_every_electrode_has_a_row_of_its_own():
    assert len(set(ELECTRODES)) == 128
    assert [ELECTRODES.index(name) for name in ("FP1", "CZ", "T3", "FP1-F7", "P8-O2")] == [0, 41, 88, 120, 127]


@torch.no_grad()
def test_electrodes_are_known_by_name_in_any_case_and_any_order():
    model = example()
    one = model(batch("Cz", "fp1", "T8."))
    turned = batch("Cz", "fp1", "T8.")["eeg"].values.flip(1)
    stream = SeriesStream.from_arrays(turned, sfreq=200, names=("T8", "FP1", "CZ"))
    other = model(nkfm.Batch(streams={"eeg": stream}))
    torch.testing.assert_close(one.tokens.unflatten(1, (3, 2)).flip(1), other.tokens.unflatten(1, (3, 2)))
    renamed = model(batch("Cz", "fp2", "T8"))
    assert (renamed.tokens - one.tokens).abs().max() > 1e-4


def test_unknown_electrodes_are_an_error_that_names_them():
    with pytest.raises(DataError, match=r"labram has learned nothing for 2 channels: EOG, E12\..*drop them") as caught:
        example()(batch("Cz", "EOG", "E12"))
    assert "128 names" in str(caught.value)
    nameless = SeriesStream.from_arrays(torch.zeros(1, 1, 400), sfreq=200)
    with pytest.raises(DataError, match="by their names, and this input has none"):
        example()(nkfm.Batch(streams={"eeg": nameless}))


def test_windows_longer_than_the_table_of_times_are_an_error():
    with pytest.raises(DataError, match="4 steps of 1 s; this window has 5. Use windows of 4 s at most"):
        example()(batch("Cz", seconds=5))


@torch.no_grad()
def test_mean_pooling_is_the_norm_of_the_mean_token():
    config, state = example_reference()
    moved = {key.replace("norm.", "fc_norm.") if key.startswith("norm.") else key: x for key, x in state.items()}
    model = from_reference({**config, "use_mean_pooling": True}, moved)
    caught = []
    model.norm.register_forward_hook(lambda module, given, out: caught.append((given[0], out)))
    pooled = model(batch("Cz", "Fz", seconds=0.6)).pooled()
    (whole, _), (mean, out) = caught
    torch.testing.assert_close(mean, whole[:, 1:].mean(1))
    torch.testing.assert_close(pooled, out)


@torch.no_grad()
def test_biases_of_queries_and_values_leave_keys_alone():
    config, state = example_reference()
    rng = torch.Generator().manual_seed(1)
    ends = {f"blocks.{i}.attn.{end}_bias": torch.randn(20, generator=rng) for i in range(2) for end in "qv"}
    bias = from_reference({**config, "qkv_bias": True}, state | ends).transformer.blocks[1].attention.qkv.bias
    assert torch.equal(bias[:20], ends["blocks.1.attn.q_bias"])
    assert not bias[20:40].any()
    assert torch.equal(bias[40:], ends["blocks.1.attn.v_bias"])
    del ends["blocks.0.attn.q_bias"]
    with pytest.raises(WeightsError, match=r"missing: blocks\.0\.attn\.qkv\.bias"):
        from_reference({**config, "qkv_bias": True}, state | ends)


def test_another_model_of_the_same_name_is_refused():
    config, state = example_reference()
    with pytest.raises(ConfigError, match="no LaBraM encoder has neural_tokenizer=False, norm_layer='RMSNorm'"):
        from_reference({**config, "neural_tokenizer": False, "norm_layer": "RMSNorm"}, state)
