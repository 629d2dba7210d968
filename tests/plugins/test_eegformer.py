"""EEGFormer: its sizes, its losses, its parts by name, and what it says about recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.finetuning import FinetuneConfig, finetune
from neurokit_fm.finetuning.adapters import add_adapters, blocks
from neurokit_fm.heads import HeadConfig
from neurokit_fm.nn.blocks import TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoderConfig
from neurokit_fm.training import History
from nkfm_eegformer.anomaly import detection, detections, window_scores
from nkfm_eegformer.config import CONTRACT, PRESETS, EEGFormerConfig
from nkfm_eegformer.model import EEGFormer
from nkfm_eegformer.ngrams import CodeNGramBayes
from nkfm_eegformer.prediction import CodePrediction, CodePredictionConfig, predictor_of
from nkfm_eegformer.reading import CodeSequences, code_maps, code_spectra, pattern, read_codes, read_trials, usage
from nkfm_mae.config import MaskConfig, MaskedAutoencoderConfig
from nkfm_mae.model import MaskedAutoencoder
from nkfm_simulate.config import ActivityConfig, ArtefactConfig, SimulationConfig
from nkfm_simulate.dataset import simulate, simulated

SMALL = EEGFormerConfig(
    segment_s=2.0, patch_len=10, stride=10, dim=32, ffn=64, heads=4, enc_layers=1, dec_layers=1, n_codes=32, dropout=0.0
)
SECONDS_2 = nkfm.SeriesContract(sfreq=100.0, window_s=2.0, min_window_s=2.0)
REST = SimulationConfig(
    subjects=4, sessions=1, duration_s=40, task="rest", montages=("10-20",),
    activity=ActivityConfig(states=1, beta_nam=0, frequency_jitter_hz=0),
)  # fmt: skip


def built(config: EEGFormerConfig = SMALL, contract: nkfm.SeriesContract = SECONDS_2) -> EEGFormer:
    torch.manual_seed(0)
    return EEGFormer(config, contract)


def batch(b: int = 2, c: int = 3, samples: int = 200, seed: int = 0) -> nkfm.Batch:
    x = torch.randn((b, c, samples), generator=torch.Generator().manual_seed(seed))
    return nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=100.0)})


@pytest.fixture(scope="module")
def run() -> tuple[EEGFormer, History]:
    """A model pretrained on the first two simulated heads."""
    model = built()
    recordings = [simulate(REST, seed=3, subject=s) for s in range(2)]
    history = nkfm.pretrain(model, recordings, steps=50, batch_tokens=2048, lr=3e-3, held_out_s=8.0)
    return model.eval(), history


@pytest.fixture(scope="module")
def trained(run) -> EEGFormer:
    return run[0]


# Sizes and formulas


@pytest.mark.parametrize(("name", "millions"), [("small", 1.85), ("base", 2.31), ("large", 3.24)])
def test_the_published_sizes_have_the_published_numbers_of_parameters(name, millions):
    config = replace(PRESETS[name], codebook="learned")
    with torch.device("meta"):
        model = EEGFormer(config, CONTRACT)
    layers = config.enc_layers + config.dec_layers
    counted = layers * 198_272 + config.n_codes * 128
    assert counted == pytest.approx(1e6 * millions, abs=6e3)
    embeddings = 50 * 128 + 128 + 2 * 30 * 128 + 2 * 256 + 128 * 50 + 50  # patches in and out, positions, final norms
    assert model.count_parameters() == counted + embeddings
    assert model.n_patches == 30


def test_the_loss_is_the_published_sum_of_means():
    model = built(replace(SMALL, codebook="learned", beta=0.3)).eval()
    with torch.no_grad():
        loss = model.loss(batch())
        tokens = model.tokenizer.cut(batch()["eeg"])
        hidden = model.tokenizer.encode(tokens.values)
        found = model.tokenizer.quantizer.decode(model.encode(batch()).flatten(1)[..., None])
        rec = (model.decode(model.encode(batch())).flatten(1, 2) - tokens.values).square().mean()
    gap = (hidden - found).square().mean()
    assert float(loss.parts["rec"]) == pytest.approx(float(rec), rel=1e-5)
    assert float(loss.parts["codebook"]) == pytest.approx(float(gap), rel=1e-5)
    assert float(loss.parts["commit"]) == pytest.approx(0.3 * float(gap), rel=1e-5)
    assert float(loss.total) == pytest.approx(float(rec + 1.3 * gap), rel=1e-5)


def test_the_decoder_sees_the_codes_and_nothing_else():
    model = built().eval()
    read = model.read(batch())
    again = model.decode(read.codes)
    assert again.shape == (2, 3, 10, 10)
    error = (again - read.patches).square().mean(-1).mean(-1)
    torch.testing.assert_close(read.reconstruction, error.detach())
    assert model.embed(batch()).shape == (2, 3, 10, 32)


def test_longer_windows_are_segments_one_after_the_other():
    model = built().eval()
    long = batch(1, 2, 450)
    first = nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(long["eeg"].values[..., :200], sfreq=100.0)})
    codes = model.encode(long)
    assert codes.shape == (1, 2, 20)
    assert torch.equal(codes[..., :10], model.encode(first))


def test_dropout_comes_from_the_generator():
    model = built(replace(SMALL, dropout=0.5)).train()
    state = torch.get_rng_state()
    losses = [model.loss(batch(), generator=torch.Generator().manual_seed(s)).total.detach() for s in (1, 1, 2)]
    assert float(losses[0]) == float(losses[1]) != float(losses[2])
    assert torch.equal(torch.get_rng_state(), state)


# Learning


def test_pretraining_reduces_the_reconstruction_error_and_keeps_codes_in_use(run):
    model, history = run
    first, last = history.steps[0].parts, history.steps[-1].parts
    assert last["rec"] < 0.5 * first["rec"]
    assert history.held_out_end < 0.5 * history.held_out_start
    unseen = usage(read_codes(model, simulate(REST, seed=3, subject=3)))
    assert unseen.share > 0.25
    assert float(model.seen.sum()) > 0


def test_classification_moves_encoder_codebook_and_decoder():
    model = built(replace(SMALL, codebook="learned")).train()
    model.attach_head(HeadConfig(width=32, n_outputs=2, labels=("a", "b")))
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    loss = model.task_loss(batch(), torch.tensor([0, 1]), generator=torch.Generator().manual_seed(0))
    loss.total.backward()
    optimiser.step()
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert {"tokenizer.project.weight", "tokenizer.quantizer.books.0.embed", "head.linear.weight"} <= moved
    assert {name for name in before if name.startswith("decoder.")} <= moved
    with pytest.raises(ConfigError, match="needs a head"):
        built().task_loss(batch(), torch.tensor([0, 1]))


def test_a_head_learns_what_its_classes_differ_in():
    model = built().train()
    model.attach_head(HeadConfig(width=32, n_outputs=2, labels=("slow", "fast")))
    t = torch.arange(200) / 100.0
    target = torch.arange(16) % 2
    waves = torch.sin(2 * torch.pi * torch.where(target == 0, 7.0, 31.0)[:, None, None] * t)
    x = waves + torch.randn((16, 2, 200), generator=torch.Generator().manual_seed(0))
    data = nkfm.Batch(streams={"eeg": SeriesStream.from_arrays(x, sfreq=100.0)})
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(40):
        optimiser.zero_grad()
        model.task_loss(data, target, generator=torch.Generator().manual_seed(step)).total.backward()
        optimiser.step()
    model.eval()
    assert torch.equal(model.predict(data).argmax(1), target)


@pytest.mark.parametrize("table", ["learned", "ema"])
def test_fine_tuning_moves_the_codes_along_with_the_encoder(table):
    dataset = simulated(replace(REST, task="motor", subjects=2, test_subjects=0, duration_s=24, trial_s=2.0), seed=1)
    model = built(replace(SMALL, codebook=table)).eval()
    if table == "ema":
        model.tokenizer.quantizer.books[0].inited.fill_(1)
    settings = {"epochs": 1, "head_epochs": 1, "valid_share": 0.0}
    for method, moves in (("head", False), ("full", True)):
        tuned = finetune(model, dataset, method, settings=settings)
        same = torch.equal(tuned.tokenizer.quantizer.books[0].embed, model.tokenizer.quantizer.books[0].embed)
        assert same != moves


def test_adapters_go_into_the_encoder_and_not_into_the_codebook():
    pytest.importorskip("peft")
    model = built(replace(SMALL, enc_layers=2))
    assert blocks(model)[0] == "tokenizer.encoder"
    add_adapters(model, FinetuneConfig(method="lora", rank=4), steps=10)
    model.eval().requires_grad_(True)
    model.tokenizer.encode(model.tokenizer.cut(batch()["eeg"]).values).sum().backward()
    adapters = {name: p.grad for name, p in model.named_parameters() if "lora_B" in name}
    assert len(adapters) == 4
    assert all(grad is not None and bool(grad.any()) for grad in adapters.values())


def test_a_linear_probe_runs_on_the_features(trained):
    config = replace(REST, task="motor", subjects=2, test_subjects=1, trial_s=2.0)
    train, test = nkfm.split(simulated(config, seed=1), by="given")
    score = nkfm.probe(trained, train, test).scores[0]
    assert 0.0 <= score.value <= 1.0
    assert score.n_test == len(read_trials(trained, test))


# Parts by name


def test_a_masked_autoencoder_predicts_hidden_spectra():
    block = TransformerConfig(width=32, depth=1, heads=2, head_dim=16)
    encoder = TokenEncoderConfig(
        tokenizer={"name": "spectral", "segment_s": 2.0, "patch_len": 10, "stride": 10},
        encoding={"name": "fourier-4d", "freqs": 3, "step_s": 0.2},
        transformer=block,
    )
    torch.manual_seed(0)
    contract = replace(SECONDS_2, frame="head")
    model = MaskedAutoencoder(
        MaskedAutoencoderConfig(encoder=encoder, decoder=block, mask=MaskConfig(kind="random")), contract
    )
    recordings = [simulate(REST, seed=3)]
    history = nkfm.pretrain(model, recordings, steps=30, batch_tokens=1024, lr=3e-3)
    assert history.steps[-1].parts["primary"] < 0.8 * history.steps[0].parts["primary"]


def test_hidden_codes_are_predicted_above_chance_from_other_channels(trained):
    config = CodePredictionConfig(
        encoding={"name": "fourier-4d", "freqs": 3, "step_s": 0.2},
        transformer=TransformerConfig(width=32, depth=1, heads=2, head_dim=16),
    )
    positioned = EEGFormer(trained.config, replace(SECONDS_2, frame="head"))
    positioned.load_state_dict(trained.state_dict())
    torch.manual_seed(0)
    model = predictor_of(positioned, config)
    frozen = model.tokenizer.quantizer.books[0].embed.clone()
    assert torch.equal(frozen, trained.tokenizer.quantizer.books[0].embed)
    history = nkfm.pretrain(model, [simulate(REST, seed=3)], steps=40, batch_tokens=1024, lr=3e-3)
    share = read_codes(trained, simulate(REST, seed=3)).counts()
    assert history.steps[-1].parts["accuracy"] > share.max() / share.sum()  # the best of a constant guess
    assert torch.equal(model.tokenizer.quantizer.books[0].embed, frozen)


def test_the_parts_are_in_the_registries():
    assert {"spectral", "spectral-vq"} <= set(nkfm.tokenizers)
    for name in ("eegformer-vq", "code-prediction", "mae"):
        cls = nkfm.models.load(name)
        assert read_config(cls.config_class, {}) == cls.config_class()


def test_a_tokenizer_without_codes_has_none_to_predict():
    config = CodePredictionConfig(tokenizer={"name": "patch", "length_s": 1.0, "hop_s": 1.0})
    with pytest.raises(ConfigError, match="'patch' has no codes to predict; 'spectral-vq' has"):
        CodePrediction(config, SECONDS_2)


# Reading recordings


def test_codes_of_a_recording_know_their_time_channel_and_frequency(trained, tmp_path):
    recording = simulate(REST, seed=3)
    codes = read_codes(trained, recording, hop_s=1.0, spectra=True)
    assert codes.codes.shape == (39, 19, 10)
    assert codes.times[1].tolist() == [1.0, 3.0]
    assert codes.channels.name == recording["eeg"].channels.name
    assert codes.hz[0, 0] == 0.5
    assert codes.hz[-1, -1] == 50.0
    use = usage(codes)
    assert use.counts.sum() == codes.codes.size
    assert set(use.dead) == set(range(32)) - set(np.unique(codes.codes).tolist())
    spectra, maps = code_spectra(codes), code_maps(codes)
    one = int(use.counts.argmax())
    what = pattern(codes, [one])
    assert what.count == use.counts[one]
    here = (codes.codes == one)[..., None]
    assert spectra[one] == pytest.approx((codes.spectra * here).sum((0, 1, 2), dtype=float) / use.counts[one], abs=1e-3)
    assert maps[one] == pytest.approx(what.rate)
    assert maps.sum(axis=0) == pytest.approx(np.full(19, 10))
    codes.save(tmp_path / "codes.h5", source="here", model="mine")
    back = CodeSequences.load(tmp_path / "codes.h5")
    assert np.array_equal(back.codes, codes.codes)
    assert np.array_equal(back.times, codes.times)
    assert back.channels == codes.channels
    assert np.array_equal(back.scores["reconstruction"], codes.scores["reconstruction"])


def test_impossible_readings_say_why(trained):
    recording = simulate(REST, seed=3)
    with pytest.raises(DataError, match="no unbroken stretch of 12 s"):
        read_codes(built(replace(SMALL, segment_s=12.0), replace(SECONDS_2, window_s=12.0)), recording.crop(0, 6))
    codes = read_codes(trained, recording)
    with pytest.raises(DataError, match="spectra=True"):
        pattern(codes, [0])
    with pytest.raises(DataError, match="no codes yet"):
        built().eval().anomaly_scores(batch())


def test_ngrams_find_the_motif_that_classes_differ_in():
    """Two classes of the same heads, sources and noise; one has a rhythm at 27 Hz in both hand areas besides."""
    with_motif = replace(REST, activity=replace(REST.activity, beta_nam=25, beta_hz=27.0))
    model = built(replace(SMALL, enc_layers=2, n_codes=64))
    known = [simulate(config, seed=3, subject=s) for config in (REST, with_motif) for s in range(3)]
    nkfm.pretrain(model, known, steps=80, batch_tokens=2048, lr=3e-3)
    parts = [read_codes(model, recording, spectra=True) for recording in known]
    codes = replace(
        parts[0],
        codes=np.concatenate([part.codes for part in parts]),
        spectra=np.concatenate([part.spectra for part in parts]),
    )
    bayes = CodeNGramBayes().fit(codes.codes, np.repeat(["plain", "motif"], 3 * len(parts[0])))
    top = pattern(codes, bayes.telling("motif")[0].key)
    assert top.peak_hz == pytest.approx(27.0, abs=1.6)  # the planted peak has a standard deviation of 1.6 Hz
    unseen = [read_codes(model, simulate(config, seed=3, subject=3)).codes for config in (REST, with_motif)]
    right = [(bayes.predict(x) == name).mean() for x, name in zip(unseen, ("plain", "motif"), strict=True)]
    assert np.mean(right) > 0.75


def test_scores_find_discharges_and_muscles_in_recordings_of_another_head(trained):
    sick = replace(REST, duration_s=120, activity=replace(REST.activity, seizures_per_hour=90, seizure_s=10.0))
    tense = replace(REST, duration_s=60, artefacts=ArtefactConfig(muscle_per_minute=8))
    reference = sum(read_codes(trained, simulate(REST, seed=3, subject=s)).counts() for s in range(3))
    for config, label, least in ((sick, "seizure", 0.9), (tense, "muscle", 0.7)):
        recording = simulate(config, seed=5, subject=3)
        codes = read_codes(trained, recording, hop_s=1.0)
        truth = codes.overlapping(recording.events.labelled(label))
        found = detections(window_scores(codes, reference), truth)
        assert set(found) == {"reconstruction", "quantisation", "rarity"}
        assert found["reconstruction"].auroc > least
        assert found["reconstruction"].auprc > 2 * found["reconstruction"].prevalence


@pytest.mark.shared
def test_eyes_closed_and_open_are_told_apart_on_a_real_channel(shared):
    """Two recordings of one channel, 125 Hz: learned on two minutes of each, tested on the rest."""
    contract = nkfm.SeriesContract(sfreq=125.0, window_s=2.0, min_window_s=2.0)
    recordings = []
    for name in ("ec", "eo"):
        x = np.loadtxt(shared / "data" / "signals" / f"eeg_{name}.txt")
        recordings.append(nkfm.from_array(1e-5 * x[None] / x.std(), sfreq=125.0, names=["E1"], modality="eeg"))
    model = built(contract=contract)
    nkfm.pretrain(model, [rec.crop(0, 120) for rec in recordings], steps=60, batch_tokens=640, lr=3e-3)
    known = [read_codes(model, rec.crop(0, 120), hop_s=1.0).codes for rec in recordings]
    bayes = CodeNGramBayes().fit(np.concatenate(known), np.repeat(["closed", "open"], list(map(len, known))))
    new = [read_codes(model, rec.crop(120, rec["eeg"].duration)).codes for rec in recordings]
    right = [(bayes.predict(codes) == name).mean() for codes, name in zip(new, ("closed", "open"), strict=True)]
    assert np.mean(right) > 0.75


def test_the_three_scores_are_one_of_each_channel(trained):
    scores = trained.anomaly_scores(batch(2, 3))
    assert {name: tuple(value.shape) for name, value in scores.items()} == dict.fromkeys(
        ("reconstruction", "quantisation", "rarity"), (2, 3)
    )
    counts = torch.zeros(32)
    counts[0] = 1000.0
    rare = trained.anomaly_scores(batch(2, 3), counts)["rarity"]
    share = (trained.encode(batch(2, 3)) == 0).float().mean(-1)
    expected = -share * np.log(1001 / 1032) - (1 - share) * np.log(1 / 1032)
    torch.testing.assert_close(rare, expected)


def test_a_detector_needs_both_kinds_of_windows():
    found = detection([0.1, 0.9, 0.8, 0.2], [False, True, True, False])
    assert (found.auroc, found.auprc, found.prevalence, found.n) == (1.0, 1.0, 0.5, 4)
    with pytest.raises(DataError, match="0 of 2 windows are unusual"):
        detection([0.1, 0.2], [False, False])
    with pytest.raises(DataError, match="1 of 2 scores are not finite"):
        detection([0.1, float("nan")], [False, True])
