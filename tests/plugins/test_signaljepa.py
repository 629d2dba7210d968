"""Signal-JEPA against tensors of the published definition, and the numbers its sources state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError, WeightsError
from nkfm_signaljepa.config import CONTRACT, CONTRACT_PLACES, ELECTRODES, SignalJepaConfig
from nkfm_signaljepa.convert import TABLE, example_reference, from_reference
from nkfm_signaljepa.model import SignalJepa, place_sines


def batch(*names: str, samples: int = 640, seed: int = 0, **options: object) -> nkfm.Batch:
    x = torch.randn((1, len(names), samples), generator=torch.Generator().manual_seed(seed))
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=128, names=names, **options)})


@pytest.mark.golden
@pytest.mark.parametrize("name", ["signaljepa", "signaljepa_places"])
@torch.no_grad()
def test_features_equal_those_of_the_published_definition(port_golden, name):
    golden = port_golden(name)
    model = from_reference(golden.config, golden.state)
    golden.assert_close(model(golden.batch()).tokens, "features")
    assert model.count_parameters() == golden.about["parameters"]


@pytest.mark.parametrize(
    ("name", "electrodes", "parameters"),
    [("signal-jepa-62", ELECTRODES, 2_265_044), ("signal-jepa-anywhere", (), 2_263_184)],
)
def test_published_sizes_have_the_stated_numbers_of_parameters(name, electrodes, parameters):
    with torch.device("meta"):
        model = SignalJepa(SignalJepaConfig(electrodes=electrodes), CONTRACT)
    assert model.count_parameters() == parameters == nkfm.weights.load(name).parameters


def test_a_token_sees_152_samples_every_128():
    """1.1875 s and 1 s at 128 Hz, as published."""
    assert SignalJepaConfig().field == (152, 128)
    assert len(set(ELECTRODES)) == 62
    assert [ELECTRODES.index(name) for name in ("FP1", "CZ", "FTT9H", "PO4")] == [0, 13, 45, 61]


@torch.no_grad()
def test_tokens_are_seconds_channel_by_channel():
    out = from_reference(*example_reference())(batch("Cz", "Oz"))
    assert out.tokens.shape == (1, 2 * 4, 16)  # (640 - 152) // 128 + 1 seconds of two channels
    assert out.index[0].tolist() == [[row, step] for row in range(2) for step in range(4)]
    assert out.coords[0, :, 3].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


@torch.no_grad()
def test_a_table_of_another_montage_is_named_by_its_configuration():
    config, state = example_reference()
    own = {**config, "channel_embedding": "scratch", "chs_info": [{"ch_name": "A1"}, {"ch_name": "b2"}]}
    model = from_reference(own, {**state, TABLE: state[TABLE][:2]})
    assert model.config.electrodes == ("A1", "B2")
    assert model.contract.known_names == ("A1", "B2")
    with pytest.raises(DataError, match="signal-jepa has learned nothing for 1 channels: CZ"):
        model(batch("A1", "Cz"))
    with pytest.raises(ConfigError, match="does not name the electrodes of its table; give chs_info"):
        from_reference({**own, "chs_info": None}, state)


@torch.no_grad()
def test_without_a_table_electrodes_need_positions_and_no_names():
    config, state = example_reference()
    model = from_reference(config, {k: v for k, v in state.items() if k != TABLE})
    assert model.contract == CONTRACT_PLACES
    assert model(batch("X1", positions=[[0.0, 0.01, 0.1]], frame="template")).tokens.isfinite().all()
    with pytest.raises(DataError, match="places electrodes by position, and 1 have none"):
        model(batch("X1", "X2", positions=[[0.0, 0.01, 0.1], [np.nan] * 3], frame="template"))


def test_positions_are_sines_of_each_coordinate():
    reach, rates = 0.1, np.exp(2 * np.pi * (1 - np.array([0, 0.5])))
    found = place_sines(torch.tensor([0.1, -0.02, 0.0]), reach, 12)
    phase = np.array([0.1, -0.02, 0.0])[:, None] / (10 * reach) * rates  # (3, 2)
    assert found.numpy() == pytest.approx(np.stack([np.sin(phase), np.cos(phase)], -1).ravel(), abs=1e-5)


def test_the_predictor_of_the_pretraining_and_a_classifier_are_left_out_and_nothing_else():
    config, state = example_reference()
    more = {"transformer.decoder.norm.weight": torch.zeros(16), "final_layer.linear.weight": torch.zeros(2, 16)}
    from_reference(config, state | more)
    with pytest.raises(WeightsError, match=r"superfluous: mask_token"):
        from_reference(config, state | {"mask_token": torch.zeros(16)})
    with pytest.raises(WeightsError, match=r"missing: feature_encoder\.1\.2\.bias"):
        from_reference(config, {k: v for k, v in state.items() if k != "feature_encoder.1.2.bias"})
    with pytest.raises(ConfigError, match="feature_encoder__mode='layer_norm'"):
        from_reference({**config, "feature_encoder__mode": "layer_norm"}, state)


def test_widths_of_place_and_time_must_add_up():
    with pytest.raises(ConfigError, match="must add up to the width of tokens, 64"):
        SignalJepaConfig(time_width=30)


def test_electrodes_of_a_recording_are_placed_by_name_in_the_frame_of_the_pretraining():
    wave = 1e-5 * np.random.default_rng(0).standard_normal((2, 128 * 20))
    recording = nkfm.from_array(wave, sfreq=128, names=["Oz", "Cz"])
    ready = CONTRACT_PLACES.apply(recording)["eeg"]
    assert ready.channels.position[0] == pytest.approx([0.0001076, -0.114892, 0.014657], abs=1e-6)
    assert "multiply by 1e+06" in CONTRACT.explain(recording)
