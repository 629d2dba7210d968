"""N-grams of codes, naive Bayes over them, contrasts within a recording, and the command that shows both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file

import neurokit_fm as nkfm
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import ConfigError, DataError, NkfmError
from nkfm_eegformer.command import codes as command
from nkfm_eegformer.config import EEGFormerConfig
from nkfm_eegformer.contrast import contrast, during, held_out_scores
from nkfm_eegformer.model import EEGFormer
from nkfm_eegformer.ngrams import CodeNGramBayes, Vocabulary, ngram_counts, places
from nkfm_eegformer.reading import CodeSequences
from nkfm_simulate.config import ActivityConfig, SimulationConfig
from nkfm_simulate.dataset import simulate

GOLDEN = Path(__file__).parents[1] / "goldens" / "eegformer" / "frontend_vq_ngram.safetensors"
CLOSE = {"atol": 1e-3, "rtol": 1e-3}  # the golden's own tolerance


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return load_file(GOLDEN)


def column_of(keys: np.ndarray) -> dict[tuple[int, ...], int]:
    return {tuple(key): column for column, key in enumerate(keys.tolist())}


@pytest.mark.golden
def test_ngrams_are_counted_as_in_the_specification(golden):
    keys, counts = ngram_counts(golden["output.codes"], (1, 2))
    mine = column_of(keys)
    order = [mine[tuple(key)] for key in golden["output.ngram_keys"].tolist()]
    assert sorted(order) == list(range(len(keys)))
    assert np.array_equal(counts[:, order], golden["output.ngram_counts"])


@pytest.mark.golden
@pytest.mark.parametrize("whole", [False, True])
def test_naive_bayes_is_that_of_the_specification(golden, whole):
    codes, labels = golden["output.codes"], golden["input.labels"]
    vocabulary = Vocabulary.of(codes, (1, 2)) if whole else None
    bayes = CodeNGramBayes((1, 2), alpha=1.0).fit(codes[:4], labels[:4], vocabulary)
    np.testing.assert_allclose(bayes.predict_log_proba(codes), golden["output.nb_log_proba"], **CLOSE)
    expected = dict(
        zip(map(tuple, golden["output.ngram_keys"].tolist()), golden["output.ngram_log_ratio"], strict=True)
    )
    for key, odds in zip(map(tuple, bayes.vocabulary.keys.tolist()), bayes.log_odds(1), strict=True):
        assert odds == pytest.approx(expected[key], abs=1e-3)


def drawn(shape: tuple[int, ...], base: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(base, size=shape)


@pytest.mark.parametrize("orders", [(1,), (2,), (3, 1), (1, 2, 4)])
def test_counts_equal_those_of_a_plain_loop(orders):
    codes = drawn((4, 3, 6))
    codes[1, 2] = -1  # a channel that is not there
    keys, counts = ngram_counts(codes, orders)
    expected: list[dict[tuple[int, ...], int]] = [{} for _ in codes]
    for b, c in np.ndindex(4, 3):
        for n in orders:
            for i in range(6 - n + 1):
                gram = tuple(codes[b, c, i : i + n].tolist())
                if min(gram) >= 0:
                    expected[b][gram] = expected[b].get(gram, 0) + 1
    found = [
        {tuple(k for k in key if k >= 0): int(n) for key, n in zip(keys.tolist(), row, strict=True) if n}
        for row in counts
    ]
    assert found == expected


def test_unknown_ngrams_say_nothing():
    codes, labels = drawn((20, 2, 5), base=3), np.arange(20) % 2
    bayes = CodeNGramBayes().fit(codes, labels)
    strange = np.full((1, 2, 5), 9)
    assert np.exp(bayes.predict_log_proba(strange)) == pytest.approx(np.array([[0.5, 0.5]]))
    assert not bayes.evidence(strange).any()


def test_evidence_of_single_codes_adds_up_to_the_decision():
    codes, labels = drawn((30, 2, 5)), np.arange(30) % 2
    bayes = CodeNGramBayes((1,)).fit(codes, labels)
    log_proba = bayes.predict_log_proba(codes)
    assert bayes.evidence(codes, 1).sum(axis=(1, 2)) == pytest.approx(log_proba[:, 1] - log_proba[:, 0])


def test_a_pair_gives_its_evidence_to_both_of_its_patches():
    codes = np.array([[[0, 1, 2]], [[2, 1, 0]]] * 5)
    bayes = CodeNGramBayes((2,)).fit(codes, [0, 1] * 5)
    odds = dict(zip(map(tuple, bayes.vocabulary.keys.tolist()), bayes.log_odds(1), strict=True))
    assert bayes.evidence(codes[:1], 1)[0, 0] == pytest.approx([odds[0, 1], odds[0, 1] + odds[1, 2], odds[1, 2]])


def test_the_planted_pair_is_the_most_telling():
    codes, labels = drawn((200, 4, 8), base=12), np.arange(200) % 2
    codes[labels == 1, 2, 3:5] = (11, 3)
    lead = CodeNGramBayes().fit(codes, labels).telling(1)[0]
    assert lead.key == (11, 3)
    assert lead.inside > 100 > 4 * lead.outside
    assert 0 < lead.at_least < lead.log_odds
    assert (places(codes, (11, 3))[:, 1:] == (2, 3)).all(axis=1).mean() > 0.7


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(DataError, match="needs two classes"):
        CodeNGramBayes().fit(drawn((4, 2, 5)), [1, 1, 1, 1])
    with pytest.raises(DataError, match="4 samples and 3 labels"):
        CodeNGramBayes().fit(drawn((4, 2, 5)), [1, 0, 1])
    with pytest.raises(ConfigError, match="alpha must be positive"):
        CodeNGramBayes(alpha=0.0)
    with pytest.raises(ConfigError, match="too many to number"):
        ngram_counts(drawn((1, 1, 9), base=2048), (6,))
    with pytest.raises(DataError, match="got float64"):
        ngram_counts(np.zeros((1, 2, 3)))
    with pytest.raises(DataError, match="there is no class 'c'; there are a, b"):
        CodeNGramBayes().fit(drawn((4, 2, 5)), list("abab")).log_odds("c")


# Contrasts


def sequences(codes: np.ndarray, step_s: float = 1.0, window_s: float = 2.0) -> CodeSequences:
    start = step_s * np.arange(len(codes))
    return CodeSequences(
        codes=codes,
        times=np.stack([start, start + window_s], axis=1),
        scores={name: np.zeros(codes.shape[:2], np.float32) for name in ("reconstruction", "quantisation")},
        channels=nkfm.Channels.of([f"E{i}" for i in range(codes.shape[1])]),
        hz=np.zeros((codes.shape[2], 1)),
        n_codes=12,
    )


def test_windows_are_told_apart_by_what_was_learned_elsewhere():
    inside = np.arange(200) % 40 < 10
    codes = drawn((200, 3, 6), base=11)
    codes[inside, 0, 2] = 11
    made = contrast(sequences(codes), inside, name="during x")
    assert made.telling()[0].key[0] == 11 or 11 in made.telling()[0].key
    assert made.held_out is not None
    assert made.held_out.auroc > 0.9
    assert made.evidence[inside, 0, 2].mean() > 5 * np.abs(made.evidence[:, 1:].mean())


def test_noise_is_not_told_apart_although_its_own_windows_are():
    inside = np.arange(200) % 40 < 10
    made = contrast(sequences(drawn((200, 3, 6), base=12)), inside, name="during x")
    own = made.evidence.sum(axis=(1, 2))
    assert own[inside].min() > np.median(own[~inside])  # naive Bayes knows its own windows by heart
    assert made.held_out is not None
    assert 0.35 < made.held_out.auroc < 0.65


def test_overlapping_windows_take_no_part_in_learning_for_each_other():
    """Each window shares its only rare code with its neighbour, which says nothing about windows elsewhere."""
    pairs = np.repeat(np.arange(5, 12), 2)
    codes = np.zeros((14, 1, 1), dtype=np.int64)
    codes[:, 0, 0] = pairs
    inside = np.repeat(np.arange(7) % 2 == 0, 2)
    scores = held_out_scores(sequences(codes), inside, orders=(1,))
    alone = [row for row in range(14) if np.isfinite(scores[row])]
    assert alone
    prior = np.unique(np.round(scores[alone], 6))
    assert len(prior) <= 5  # the prior of each stretch and nothing of the codes


def test_events_without_a_length_need_one():
    codes = sequences(drawn((20, 2, 3)))
    events = nkfm.Events.of([3.0, 9.0], ["tone", "tone"])
    with pytest.raises(DataError, match=r"2 of 2 events tone have no duration; say how long they last \(`--lasting"):
        during(codes, events, ["tone"], None)
    assert during(codes, events, ["tone"], 1.0).nonzero()[0].tolist() == [2, 3, 8, 9]
    with pytest.raises(DataError, match="has no events click; it has tone"):
        during(codes, events, ["click"], None)
    with pytest.raises(DataError, match="0 of 20 windows are during x"):
        contrast(codes, np.zeros(20, bool), name="during x")


# The command


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """A recording with discharges, and a small model that has seen normal ones."""
    folder = tmp_path_factory.mktemp("codes")
    rest = SimulationConfig(duration_s=60, task="rest", activity=ActivityConfig(states=1), montages=("10-20",))
    sick = replace(rest, activity=replace(rest.activity, seizures_per_hour=150, seizure_s=6.0))
    save_recording(simulate(sick, seed=2, subject=3), folder / "sick.h5")
    torch.manual_seed(0)
    config = EEGFormerConfig(
        segment_s=2.0,
        patch_len=10,
        stride=10,
        dim=16,
        ffn=32,
        heads=2,
        enc_layers=1,
        dec_layers=1,
        n_codes=24,
        dropout=0.0,
    )
    model = EEGFormer(config, nkfm.SeriesContract(sfreq=100.0, window_s=2.0, min_window_s=2.0))
    nkfm.pretrain(model, [simulate(rest, seed=2)], steps=40, batch_tokens=1024, lr=3e-3)
    model.eval().save_pretrained(folder / "model")
    return folder / "sick.h5", folder / "model"


def test_the_command_finds_discharges_and_writes_codes_and_a_page(files, tmp_path):
    recording, model = files
    out, page = tmp_path / "codes.h5", tmp_path / "codes.html"
    line = f"{recording} --model {model} --event seizure -o {out} --report {page} --json"
    done = CliRunner().invoke(command, line, catch_exceptions=False)
    row = json.loads(done.output)
    assert row["windows"] == len(CodeSequences.load(out)) == 59
    assert row["held_out_auroc"] > 0.8
    assert row["telling"][0]["log_odds"] > 1
    assert row["used"] + len(row["dead"]) == row["codebook"] == 24
    text = page.read_text(encoding="utf8")
    for title in ("Where and when", "The most telling patterns", "Codes over time", "The codebook", "How unusual"):
        assert f"<h2>{title}</h2>" in text
    assert "AUPRC by chance" in text


def test_without_events_the_unusual_windows_are_described(files):
    recording, model = files
    done = CliRunner().invoke(command, f"{recording} --model {model} --drop Cz,Pz", catch_exceptions=False)
    first, second, header, *rest = done.output.splitlines()
    assert "59 windows of 2 s, 17 channels" in first
    assert second.startswith("6 windows are unusual")
    assert header.split()[:2] == ["codes", "log-odds"]
    assert len(rest) == 8


def test_the_command_says_what_is_wrong(files):
    recording, model = files
    for more, message in (
        (["--event", "spindle"], "has no events spindle"),
        (["--drop", "X9"], "has no channel X9"),
        (["--orders", "1,x"], "--orders takes lengths"),
        (["-o", str(recording / "codes.h5")], "there is no folder"),
    ):
        with pytest.raises(NkfmError, match=message):
            CliRunner().invoke(command, [str(recording), "--model", str(model), *more], catch_exceptions=False)
