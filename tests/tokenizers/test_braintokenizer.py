"""BrainTokenizer against tensors of the published implementation, and what the published code cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError, WeightsError
from neurokit_fm.testing import fake_recording
from nkfm_braintokenizer import seanet
from nkfm_braintokenizer.bad_channels import bad_channels, spectral_distance
from nkfm_braintokenizer.catalogue import RELEASED
from nkfm_braintokenizer.config import CONTRACT, BrainTokenizerConfig
from nkfm_braintokenizer.convert import example_reference, from_braindecode, from_reference, to_reference
from nkfm_braintokenizer.losses import balance, reconstruction_losses, target_of, total_of
from nkfm_braintokenizer.model import BrainTokenizerModel
from nkfm_braintokenizer.sensors import normalise_positions, normalise_signal, sensor_inputs
from nkfm_braintokenizer.tokenizer import BrainTokenizer, SensorEncoder

GOLDENS = Path(__file__).parents[1] / "goldens" / "brainomni"
CLOSE = {"atol": 2e-5, "rtol": 1e-4}  # of the sidecars


def golden(name: str) -> tuple[dict, dict[str, Tensor], dict[str, Tensor]]:
    """Sidecar, all tensors, and the state dict among them."""
    about = json.loads((GOLDENS / f"{name}.json").read_text())
    tensors = load_file(GOLDENS / f"{name}.safetensors")
    return about, tensors, {key.removeprefix("model."): v for key, v in tensors.items() if key.startswith("model.")}


def tiny(**changes: object) -> BrainTokenizerModel:
    torch.manual_seed(0)
    model = BrainTokenizerModel(replace(BrainTokenizer.example, **changes), replace(CONTRACT, window_s=1.0))
    for linear in (m for m in model.modules() if isinstance(m, torch.nn.Linear)):  # wide enough to tell inputs apart
        torch.nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
    return model.eval()


def both(seconds: float = 3.0, eeg: int = 6, meg: int = 9, sfreq: float = 256.0) -> nkfm.Recording:
    """EEG and MEG of one clock, SI units, places in their own frames."""
    rng = np.random.default_rng(0)
    signals = {}
    for kind, n, size, frame in (("eeg", eeg, 1e-5, "head"), ("meg", meg, 1e-13, "device")):
        place = rng.standard_normal((n, 3))
        place /= np.linalg.norm(place, axis=1, keepdims=True)
        channels = nkfm.Channels.of(
            [f"{kind}{i}" for i in range(n)],
            kind=kind,
            sensor_type="eeg" if kind == "eeg" else "grad_axial",
            unit="V" if kind == "eeg" else "T",
            position=0.1 * place,
            orientation=None if kind == "eeg" else place,
            frame=frame,
        )
        data = size * rng.standard_normal((n, round(seconds * sfreq))).astype(np.float32)
        signals[kind] = nkfm.TimeSeries(data=data, sfreq=sfreq, channels=channels, modality=kind)
    return nkfm.Recording(signals=signals)


def stream_of(recording: nkfm.Recording) -> SeriesStream:
    return collate_series([CONTRACT_RAW.apply(recording).series("eeg+meg")[1]])


CONTRACT_RAW = replace(CONTRACT, band=None, notch=())


@pytest.mark.golden
@pytest.mark.parametrize("overlap", [0, 25])
@pytest.mark.parametrize("name", ["tokenizer_mixed_tiny", "tokenizer_eeg_short"])
def test_codes_and_reconstruction_equal_the_published_ones(name, overlap):
    about, t, state = golden(name)
    tokenizer = from_reference({**about["config"], "overlap_ratio": overlap / 100}, state).tokenizer
    at, x = f"output.ov{overlap:02}.", t["input.x"]
    with torch.no_grad():
        sensors = tokenizer.sensors(t["input.pos"], t["input.sensor_type"])
        torch.testing.assert_close(sensors, t["output.sensor_embedding"], **CLOSE)
        windows = tokenizer.windows(x)
        if f"{at}conv_features_sample0" in t:
            rows = tokenizer.encoder(windows[0].flatten(0, 1)[:, None])
            torch.testing.assert_close(rows, t[f"{at}conv_features_sample0"], **CLOSE)
        latents = tokenizer.encode_windows(windows, sensors)
        torch.testing.assert_close(latents, t[f"{at}encoder_features"], **CLOSE)
        made = tokenizer.encode(x, t["input.pos"], t["input.sensor_type"])
        assert made.codes.equal(t[f"{at}indices"].long())
        torch.testing.assert_close(made.values, t[f"{at}quantized"], **CLOSE)
        torch.testing.assert_close(made.commitment[None], t[f"{at}commitment_loss"], **CLOSE)
        if f"{at}reconstruction" in t:
            back = tokenizer.decode_codes(made.codes, t["input.pos"], t["input.sensor_type"])
            torch.testing.assert_close(back, t[f"{at}reconstruction"], **CLOSE)
            torch.testing.assert_close(target_of(windows), t[f"{at}target"], **CLOSE)


@pytest.mark.golden
def test_losses_and_their_gradient_equal_the_published_ones():
    _, t, _ = golden("tokenizer_losses")
    target = target_of(t["input.signal"])
    torch.testing.assert_close(target, t["output.target"], atol=1e-5, rtol=1e-4)
    made = t["input.reconstruction"].requires_grad_()
    parts = reconstruction_losses(made, target)
    for name, value in parts.items():
        torch.testing.assert_close(value[None], t[f"output.{name}"], atol=1e-5, rtol=1e-4)
    total = total_of(parts, t["input.commitment"][0])
    torch.testing.assert_close(total[None], t["output.total"], atol=1e-5, rtol=1e-4)
    total.backward()
    torch.testing.assert_close(made.grad, t["output.grad_reconstruction"], atol=1e-5, rtol=1e-4)


@pytest.mark.golden
def test_signals_are_normalised_as_published():
    _, t, _ = golden("signal_normalisation")
    out = normalise_signal(t["input.x"][None], t["input.sensor_type"][None].long())[0]
    torch.testing.assert_close(out, t["output.x"], atol=1e-6, rtol=1e-5)


@pytest.mark.golden
def test_bad_channels_are_those_of_the_published_rule():
    _, t, _ = golden("bad_channels")
    x = t["input.x"].numpy()
    assert bad_channels(x).tolist() == t["output.bad"].tolist()
    np.testing.assert_allclose(spectral_distance(x), t["output.mean_distance"].numpy(), rtol=1e-4)
    known = np.arange(len(x)) == 0
    assert bad_channels(x, known_bad=known)[0]
    with pytest.raises(DataError, match="not finite"):
        bad_channels(np.full((3, 100), np.nan))


@pytest.mark.golden
@pytest.mark.parametrize("name", ["sensor_neuromag_eeg", "sensor_kit157", "sensor_eeg_biosemi32"])
def test_sensors_of_a_raw_header_are_seen_as_published(name):
    about, t, state = golden(name)
    names = about["channel_names"]
    info = mne.create_info(names, 256.0, ["eeg"] * len(names))
    with info._unlock():
        for i, ch in enumerate(info["chs"]):
            ch["loc"] = t["input.loc"][i].numpy()
            for key in ("kind", "coil_type", "unit", "coord_frame"):
                ch[key] = int(t[f"input.{key}"][i])
    recording = nkfm.from_mne(mne.io.RawArray(np.zeros((len(names), 64)), info, verbose="ERROR"))
    _, series = recording.series("eeg+meg")
    back = [series.channels.name.index(n) for n in names]
    pos, kind = sensor_inputs(collate_series([series]))
    assert kind[0, back].tolist() == t["output.sensor_type"].tolist()
    torch.testing.assert_close(pos[0, back], t["output.pos_raw"], atol=2e-6, rtol=0)
    pos = normalise_positions(pos, kind)
    torch.testing.assert_close(pos[0, back], t["output.pos"], atol=2e-6, rtol=0)
    encoder = SensorEncoder(about["config"]["n_dim"])
    prefix = {"sensor_embed.pos_embedding_layer": "place", "sensor_embed.sensor_embedding_layer": "kind",
              "sensor_embed.aggregate_mlp.layer": "mlp", "sensor_embed.norm": "norm"}  # fmt: skip
    own = {next(mine + k.removeprefix(p) for p, mine in prefix.items() if k.startswith(p)): v for k, v in state.items()}
    encoder.load_state_dict(own)
    with torch.no_grad():
        out = encoder(pos[:, back], kind[:, back])
    torch.testing.assert_close(out, t["output.sensor_embedding"], **CLOSE)


def test_the_released_size_has_the_published_number_of_parameters():
    with torch.device("meta"):
        tokenizer = BrainTokenizerModel(BrainTokenizerConfig(), CONTRACT).tokenizer
    count = {
        "all": sum(p.numel() for p in tokenizer.parameters()),
        "sensors": sum(p.numel() for p in tokenizer.sensors.parameters()),
        "encoder": sum(p.numel() for part in (tokenizer.encoder, tokenizer.gather) for p in part.parameters()),
        "decoder": sum(p.numel() for part in (tokenizer.decoder, tokenizer.spread) for p in part.parameters()),
        "codebooks": sum(b.numel() for b in tokenizer.quantizer.buffers()),
    }
    assert count == {
        "all": 5_050_338,
        "sensors": 560_512,
        "encoder": 2_247_104,
        "decoder": 2_242_722,
        "codebooks": 1_050_628,
    }
    assert count["all"] == RELEASED.parameters


@pytest.mark.parametrize(("samples", "windows"), [(300, 1), (512, 1), (1023, 1), (1024, 2), (1200, 2)])
def test_without_overlap_a_rest_is_left_out(samples, windows):
    tokenizer = BrainTokenizer(replace(BrainTokenizerConfig(), filters=2, width=8), width=8, sfreq=256)
    assert tokenizer.n_windows(samples) == windows == tokenizer.windows(torch.zeros(1, 1, samples)).shape[2]


@pytest.mark.parametrize(("seconds", "tokens"), [(2, 8), (4, 24), (10, 56), (30, 160)])
def test_with_overlap_the_number_of_tokens_is_the_published_one(seconds, tokens):
    tokenizer = BrainTokenizer(replace(BrainTokenizerConfig(), filters=2, width=8, overlap=0.25), width=8, sfreq=256)
    windows = tokenizer.windows(torch.zeros(1, 1, seconds * 256)).shape[2]
    assert windows * 8 == tokens == 8 * tokenizer.n_windows(seconds * 256)
    assert int(tokenizer.window_mask(torch.tensor([seconds * 256]), windows).sum()) == windows


def test_rows_in_pieces_give_the_same_as_all_at_once(monkeypatch):
    model, x = tiny(), torch.randn(150, 1, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pieces = model.tokenizer.encoder(x)
        monkeypatch.setattr(seanet, "ROWS", 10**6)
        torch.testing.assert_close(model.tokenizer.encoder(x), pieces, atol=1e-6, rtol=1e-5)


def test_training_and_evaluation_run_the_same_convolutions():
    tokenizer = tiny().tokenizer
    x = torch.randn(5, 1, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = tokenizer.encoder(x), tokenizer.decoder(torch.ones(3, 16, 8))
    torch.testing.assert_close(tokenizer.encoder(x), plain[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(tokenizer.decoder(torch.ones(3, 16, 8)), plain[1], atol=1e-6, rtol=1e-5)


def test_padded_sensors_and_samples_do_not_change_codes():
    model = tiny()
    one, other = both(2.0, eeg=4, meg=5), both(3.0)
    alone = [model.encode(nkfm.Batch(streams={"s": stream_of(r)})) for r in (one, other)]
    pair = collate_series([CONTRACT_RAW.apply(r).series("eeg+meg")[1] for r in (one, other)])
    together = model.encode(nkfm.Batch(streams={"s": pair}))
    n = alone[0].shape[2]
    assert together[0, :, :n].equal(alone[0][0])
    assert bool((together[0, :, n:] == -1).all())
    assert together[1].equal(alone[1][0])


def test_the_order_of_sensors_does_not_matter():
    tokenizer, g = tiny().tokenizer, torch.Generator().manual_seed(1)
    x, pos, kind = torch.randn(1, 8, 256, generator=g), torch.randn(1, 8, 6, generator=g), torch.arange(8)[None] % 3
    order = torch.randperm(8, generator=g)
    with torch.no_grad():
        one, two = tokenizer.encode(x, pos, kind), tokenizer.encode(x[:, order], pos[:, order], kind[:, order])
        assert one.codes.equal(two.codes)
        back = [
            tokenizer.decode_codes(made.codes, p, k)
            for made, p, k in ((one, pos, kind), (two, pos[:, order], kind[:, order]))
        ]
    torch.testing.assert_close(back[0][:, order], back[1], atol=1e-5, rtol=1e-4)


def test_positions_lose_place_and_size_of_the_head_but_not_its_rotation():
    pos, kind = sensor_inputs(stream_of(both()))
    plain = normalise_positions(pos, kind)
    assert float(plain[0, kind[0] == 0, :3].square().sum(1).mean()) == pytest.approx(1 / 3, rel=1e-5)
    assert float(plain[0, kind[0] > 0, :3].square().sum(1).mean()) == pytest.approx(1 / 3, rel=1e-5)
    moved = pos.clone()
    moved[..., :3] = 2 * pos[..., :3] + 0.05
    torch.testing.assert_close(normalise_positions(moved, kind), plain, atol=1e-5, rtol=1e-4)
    turned = pos.clone()
    turned[..., :2] = torch.stack([-pos[..., 1], pos[..., 0]], -1)
    assert float((normalise_positions(turned, kind) - plain).abs().max()) > 0.1
    metres = normalise_positions(pos, torch.where(kind > 0, 2, kind), grad_positions="metres")
    assert metres[0, kind[0] > 0, :3].equal(pos[0, kind[0] > 0, :3])


def test_one_sensor_of_a_type_is_an_error_or_taken_as_it_is():
    batch = nkfm.Batch(streams={"s": stream_of(both(meg=1))})
    with pytest.raises(DataError, match="one MEG sensor only"):
        tiny(lonely="error")(batch)
    features = tiny()(batch)
    assert bool(torch.isfinite(features.tokens).all())
    x, kind = torch.randn(1, 3, 50), torch.tensor([[0, 0, 2]])
    with pytest.raises(DataError, match="one GRAD sensor only"):
        normalise_signal(x, kind)
    out = normalise_signal(x, kind, lonely="absolute")
    assert float(out[0, 2].std(correction=0)) == pytest.approx(1, rel=1e-4)


def test_the_scale_of_volts_matters():
    x = torch.randn(1, 9, 5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kind = torch.zeros(1, 9, dtype=torch.int64)
    in_volts = normalise_signal(x * 1e-5, kind)
    assert float(in_volts.std()) == pytest.approx(0.49, abs=0.01)
    assert float(normalise_signal(x * 10, kind).std()) == pytest.approx(1.0, abs=0.01)


def test_sensors_without_place_or_of_another_type_are_named():
    stream = stream_of(both())
    lost = replace(stream, positions=stream.positions.clone().index_fill_(1, torch.tensor([2]), torch.nan))
    with pytest.raises(DataError, match=r"no position.*eeg2"):
        tiny()(nkfm.Batch(streams={"s": lost}))
    with pytest.raises(DataError, match=r"neither EEG nor a coil"):
        sensor_inputs(replace(stream, sensor_type=torch.full_like(stream.sensor_type, -1)))


def test_a_fresh_codebook_must_be_filled_first():
    codebook = replace(BrainTokenizer.example.codebook, start="kmeans")
    model, batch = tiny(codebook=codebook), nkfm.Batch(streams={"s": stream_of(both())})
    with pytest.raises(WeightsError, match="empty"):
        model(batch)
    model.train().loss(batch, generator=torch.Generator().manual_seed(0)).total.backward()
    assert bool(torch.isfinite(model.eval()(batch).tokens).all())


def test_training_lowers_the_loss_and_evaluation_repeats_itself():
    model, batch = tiny(), nkfm.Batch(streams={"s": stream_of(both())})
    first = float(model.loss(batch).total.detach())
    assert float(model.loss(batch).total.detach()) == first
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    for step in range(12):
        optimiser.zero_grad()
        model.loss(batch, generator=torch.Generator().manual_seed(step)).total.backward()
        optimiser.step()
    assert float(model.eval().loss(batch).total.detach()) < first - 0.03


def test_training_hides_a_quarter_of_the_sensors_and_needs_two():
    model, batch = tiny(), nkfm.Batch(streams={"s": stream_of(both(eeg=4, meg=8))})
    assert int(model.reconstruct(batch, hide=True).hidden.sum()) == 3
    assert not bool(model.reconstruct(batch).hidden.any())
    alone = fake_recording("series", n_channels=1, duration_s=2, sfreq=256, frame="head")
    with pytest.raises(DataError, match="at least 2"):
        model.loss(nkfm.Batch(streams={"s": stream_of(alone)}))


def test_a_phase_that_says_nothing_is_better_than_a_wrong_one():
    torch.manual_seed(0)
    target, wrong = target_of(torch.randn(2, 256, 512))
    still = torch.zeros(256, 512).index_fill_(1, torch.tensor([0]), 1.0)  # all of its phases are 0
    phase = {name: float(reconstruction_losses(x, target)["phase"]) for name, x in (("still", still), ("wrong", wrong))}
    assert phase["still"] == pytest.approx(torch.pi / 2, abs=0.02)
    assert phase["wrong"] == pytest.approx(2 * torch.pi / 3, abs=0.02)


def test_types_of_sensors_can_have_equal_parts_in_the_loss():
    kind = torch.tensor([[0, 0, 2, 2, 2, 2, 2, 2], [0, 0, 0, 0, 2, 2, -1, -1]])
    real = (kind >= 0)[..., None].expand(-1, -1, 3)
    weight = balance(real, kind)
    assert [float(weight[kind == number].sum()) for number in (-1, 0, 2)] == pytest.approx([0, 1, 1])
    batch = nkfm.Batch(streams={"s": stream_of(both(eeg=4, meg=12))})
    made = tiny(balanced=True).reconstruct(batch, hide=True)
    each = made.correlation()
    equal = sum(float(each[made.kind == number].mean().detach()) for number in (0, 2)) / 2
    assert float(tiny(balanced=True).loss(batch).parts["pcc"].detach()) == pytest.approx(equal, abs=1e-6)
    assert float(tiny().loss(batch).parts["pcc"].detach()) == pytest.approx(float(each.mean().detach()), abs=1e-6)


@pytest.mark.parametrize(("start", "alike"), [("published", True), ("unit", False)])
def test_latent_sources_depend_on_the_signal_from_the_start_if_asked_to(start, alike):
    torch.manual_seed(0)
    config = BrainTokenizerConfig(filters=4, width=32, latents=4, start=start)
    tokenizer = BrainTokenizer(config, width=32, sfreq=256.0)
    ready = tokenizer.prepare(stream_of(both()))
    latents = tokenizer.encode_windows(tokenizer.windows(ready.x), tokenizer.sensors(ready.pos, ready.kind))
    unit = torch.nn.functional.normalize(latents, dim=-1)  # (B, K, n, S, D)
    assert (float(unit.mean((0, 2, 3)).norm(dim=-1).mean().detach()) > 0.99) is alike


def test_axial_gradiometers_and_joined_frames_reach_the_model():
    _, series = CONTRACT.apply(both()).series("eeg+meg")
    assert series.channels.frame == "native"
    assert len(series.channels) == 15
    assert sensor_inputs(collate_series([series]))[1][0].tolist() == [0] * 6 + [2] * 9


def test_signals_of_different_clocks_are_not_joined():
    recording = both()
    slow = replace(recording["meg"], sfreq=128.0)
    with pytest.raises(DataError, match="share rate"):
        recording.with_signal("meg", slow).series("eeg+meg")


def test_a_published_state_dict_goes_there_and_back():
    config, state = example_reference()
    model = from_reference(config, state)
    back = to_reference(model)
    assert back.keys() == state.keys()
    assert all(back[key].equal(state[key]) for key in state)
    with pytest.raises(ConfigError, match="running means"):
        from_reference({**config, "quantize_optimize_method": "simvq"}, state)


def test_the_names_of_braindecode_are_understood():
    config, state = example_reference()
    renamed = {}
    for key, value in state.items():
        name = (
            key.replace("quantizer.rvq.", "quantizer.")
            .replace("conv.conv.", "conv.")
            .replace("convtr.convtr.", "convtr.")
        )
        name = name.replace("aggregate_mlp.layer.2", "aggregate_mlp.3").replace(
            "aggregate_mlp.layer.0", "aggregate_mlp.0"
        )
        renamed[name.replace("decoder.", "final_layer.", 1) if name.startswith("decoder.") else name] = value
    renamed |= {"pos": torch.zeros(19, 6), "sensor_type": torch.zeros(19)}
    one, other = from_braindecode(config, renamed), from_reference(config, state)
    assert all(value.equal(other.state_dict()[key]) for key, value in one.state_dict().items())


@pytest.mark.network
def test_published_weights_give_the_published_codes():
    tokenizer = nkfm.load_model("braintokenizer").tokenizer
    x = torch.randn(1, 2, 512, generator=torch.Generator().manual_seed(123))
    pos = torch.tensor([[[0.1, 0.2, 0.3, 0, 0, 0], [-0.2, 0.1, 0.4, 0, 0, 0]]])
    with torch.no_grad():
        made = tokenizer.encode(x, pos, torch.zeros(1, 2, dtype=torch.int64))
    first = torch.tensor([-0.0480957, 0.0390930, 0.0056915, -0.0263825])  # from the tests of braindecode
    torch.testing.assert_close(made.values.flatten()[:4], first, atol=1e-5, rtol=0)
    assert float(made.values.sum()) == pytest.approx(-52.4971275, abs=1e-2)
    assert int(made.codes.sum()) == 138744
