"""Loading, publishing and caching against a Hub, by the real client; what goes wrong is said in the user's terms."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from huggingface_hub import ModelCard, close_session, constants

import neurokit_fm as nkfm
from neurokit_fm import fingerprint
from neurokit_fm.cli.main import cli
from neurokit_fm.errors import UnknownName, WeightsError
from neurokit_fm.evaluation import Outcome, Prediction, ProbeReport, Score
from neurokit_fm.evaluation.report import score
from neurokit_fm.heads import HeadConfig
from neurokit_fm.hub import load_contract
from neurokit_fm.hub.cache import cached, choose, remove
from neurokit_fm.hub.download import announced
from neurokit_fm.hub.push import push_folder
from nkfm_reve.catalogue import BASE
from nkfm_reve.config import CONTRACT, ReveConfig
from nkfm_reve.model import Reve

SIZES = {"embed_dim": 32, "depth": 1, "heads": 2, "head_dim": 16, "freqs": 3}


def reve(seed: int = 0) -> Reve:
    torch.manual_seed(seed)
    return Reve(ReveConfig(width=32, depth=1, heads=2, head_dim=16, freqs=3), CONTRACT)


def tuned() -> Reve:
    """A model as fine-tuning leaves it: with a head, whose outputs have names."""
    model = reve()
    model.attach_head(HeadConfig(width=32, n_outputs=2, pool="attention", labels=("left", "right")))
    return model.eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tuned().save_pretrained(tmp_path / "model", licence="bsd-3-clause")
    return tmp_path / "model"


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def refused(ref: str, words: str, **options: str) -> None:
    with pytest.raises(WeightsError, match=words):
        nkfm.load_model(ref, **options)


# publishing and loading


def test_a_fine_tuned_model_makes_the_round_trip_with_head_and_labels(hub, tmp_path):
    model = tuned()
    batch = fingerprint.example_batch(CONTRACT, seed=5)
    ref = model.push_to_hub("lab/mine", private=True, token="hf_lab", licence="mit")
    assert hub.repos["model", "lab/mine"].private
    assert set(hub.repos["model", "lab/mine"].files) == {
        ".gitattributes", "README.md", "config.json", "fingerprint.safetensors", "model.safetensors"
    }  # fmt: skip
    back = nkfm.load_model(ref, token="hf_lab")
    assert back.reference == ref
    assert back.head.config.labels == ("left", "right")
    assert same(model, back)
    with torch.no_grad():
        assert torch.equal(model.predict(batch), back.predict(batch))
    assert load_contract(ref, token="hf_lab") == CONTRACT


def test_another_machine_gets_the_same_numbers(hub, folder, tmp_path):
    """From the shell, by variables of huggingface_hub alone, in processes that share nothing but the Hub."""

    def run(home: str, *line: str) -> str:
        variables = {**os.environ, **hub.environment(tmp_path / home, "hf_lab")}
        done = subprocess.run(
            [sys.executable, "-m", "neurokit_fm.cli.main", *line],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (ref,) = json.loads(run("here", "push", str(folder), "lab/mine", "--json")).values()
    pulled = json.loads(run("there", "pull", ref, "--to", str(tmp_path / "copy"), "--json"))
    assert pulled["fingerprint"] < 1e-5
    batch = fingerprint.example_batch(CONTRACT, seed=5)
    with torch.no_grad():
        assert torch.equal(tuned().predict(batch), nkfm.load_model(tmp_path / "copy").predict(batch))


def test_a_revision_stays_what_it_was(hub, folder):
    first = push_folder(folder, "lab/mine", token="hf_lab")
    hub.repos["model", "lab/mine"].tags["v1"] = first.rpartition("@")[2]
    reve(seed=1).push_to_hub("lab/mine", token="hf_lab", message="another")
    assert not same(nkfm.load_model("lab/mine"), reve())
    for pinned in (first, "lab/mine@v1"):
        assert nkfm.load_model(pinned).head is not None
    other = push_folder(folder, "lab/mine", token="hf_lab", revision="tuned")
    assert nkfm.load_model("lab/mine@tuned").head is not None
    assert other != first
    refused("lab/mine@v9", "lab/mine@v9: no such revision; see .*/lab/mine/tree/main")


def test_what_is_cached_needs_no_hub(hub, folder, monkeypatch):
    push_folder(folder, "lab/mine", token="hf_lab")
    nkfm.load_model("lab/mine")
    before = len(hub.seen)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    nkfm.load_model("lab/mine")
    assert len(hub.seen) == before
    refused("lab/other", "not in the local cache, and HF_HUB_OFFLINE forbids")


def test_a_hub_that_is_gone_is_no_trouble_for_what_is_cached(hub, folder):
    push_folder(folder, "lab/mine", token="hf_lab")
    nkfm.load_model("lab/mine")
    hub.stop()
    nkfm.load_model("lab/mine")
    refused("lab/other", "not in the local cache and http://127.0.0.1:.* cannot be reached")


def test_a_proxy_and_another_endpoint_are_settings_of_the_client(hub, folder, monkeypatch):
    hub.add("lab/mine", folder)
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.url, "http://hub.invalid")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    close_session()  # it reads the proxies when it is made
    nkfm.load_model("lab/mine")
    assert {seen.headers["host"] for seen in hub.seen} == {"hub.invalid"}


def test_a_private_model_asks_for_a_login(hub, folder, monkeypatch):
    push_folder(folder, "lab/mine", token="hf_lab", private=True)
    refused("lab/mine", "no such repository at .*, or it is private: run `hf auth login`")
    monkeypatch.setenv("HF_TOKEN", "hf_guest")
    refused("lab/mine", "no such repository at .*, or it is one your login may not see")
    refused("lab/mine", "does not know your token; run `hf auth login`", token="hf_stale")
    nkfm.load_model("lab/mine", token="hf_lab")


def test_a_gated_model_names_the_page_and_the_next_step(hub, folder):
    hub.add("lab/gated", folder, gated=True)
    page = f"{hub.url}/lab/gated"
    refused("lab/gated", f"is gated: accept its terms at {page}, run `hf auth login`")
    refused(
        "lab/gated", f"is gated: accept its terms at {page} with the account you are logged in to", token="hf_guest"
    )
    hub.repos["model", "lab/gated"].granted.add("guest")
    nkfm.load_model("lab/gated", token="hf_guest")


def test_a_broken_connection_is_resumed(hub, folder):
    weights = (folder / "model.safetensors").read_bytes()
    hub.add("lab/mine", {**{p.name: p.read_bytes() for p in folder.iterdir()}, "extra.bin": b"x"})
    hub.cuts["model.safetensors"] = [70_000]
    assert nkfm.load_model("lab/mine").load_report.sha256 == hashlib.sha256(weights).hexdigest()
    assert [seen.headers.get("range") for seen in hub.asked("GET", "model.safetensors")] == [None, "bytes=65536-"]
    assert not hub.asked("GET", "extra.bin")


def test_a_download_that_fails_keeps_what_it_has(hub, folder):
    hub.add("lab/mine", folder)
    hub.broken["fingerprint.safetensors"] = 500
    refused("lab/mine", "cannot be reached|exchange with")
    assert len(hub.asked("GET", "model.safetensors")) == 1
    hub.broken.clear()
    nkfm.load_model("lab/mine")
    assert len(hub.asked("GET", "model.safetensors")) == 1


def test_bytes_other_than_announced_are_thrown_away(hub, folder):
    hub.add("lab/mine", folder)
    weights = (folder / "model.safetensors").read_bytes()
    hub.tampered["model.safetensors"] = weights[:-1] + bytes([weights[-1] ^ 1])
    refused("lab/mine", "model.safetensors arrived with sha256 .*, the Hub announced .*; it was removed")
    hub.tampered.clear()
    assert same(nkfm.load_model("lab/mine"), tuned())


def test_a_file_kept_in_a_store_of_several_caches_is_known_by_its_own_hash(tmp_path):
    (tmp_path / "shared").write_bytes(b"x")
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / ("a" * 64)).symlink_to(tmp_path / "shared")
    (tmp_path / "model").symlink_to(f"blobs/{'a' * 64}")
    assert announced(tmp_path / "model") == "a" * 64
    (tmp_path / "other").symlink_to("shared")
    assert not announced(tmp_path / "other")
    assert not announced(tmp_path / "shared")


def test_a_list_of_files_cannot_lead_out_of_the_cache(hub, folder, tmp_path):
    files = {p.name: p.read_bytes() for p in folder.iterdir()}
    hub.add("lab/evil", files | {"../../../evil.txt": b"x", "/etc/evil": b"x", "a/../../b": b"x", "modeling.py": b"x"})
    nkfm.load_model("lab/evil")
    fetched = {seen.path.rpartition("/")[2] for seen in hub.asked("GET", "") if "/resolve/" in seen.path}
    assert fetched == set(files)
    assert not list(Path(constants.HF_HUB_CACHE).parent.rglob("*evil.txt"))


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        ("mine", "hf_lab", "is not the name of a repository; give owner/name"),
        ("lab/mine@v1", "hf_lab", "is not the name of a repository"),
        ("lab/mine", "hf_guest", "your token may not do this"),
        ("lab/mine", "hf_stale", "does not know your token"),
    ],
)
def test_a_push_that_may_not_be_says_why(hub, folder, repo, token, words):
    with pytest.raises(WeightsError, match=words):
        push_folder(folder, repo, token=token)
    assert not hub.repos


def test_a_folder_that_does_not_load_is_not_published(hub, folder):
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        push_folder(folder, "lab/mine", token="hf_lab")
    assert not hub.seen


# the card


def report() -> ProbeReport:
    def measured(method: str, right: int) -> Score:
        truth = np.array(["a", "b"] * 10)
        decision = np.eye(2)[(truth == "b").astype(int)]
        decision[right:] = decision[right:, ::-1]
        said = Prediction(names=("a", "b"), decision=decision)
        return score(
            method, Outcome.of("classes", truth, said, truth), n_train=100, protocol="held-out subjects", seed=0
        )

    scores = [measured("reve", 14), measured("band power", 13)]
    return ProbeReport(scores=(scores[0],), baselines=(scores[1],))


def test_the_card_is_valid_and_says_everything(hub, tmp_path):
    training = {"init": "reve-base", "data": [{"dataset": "finger-movements"}], "train": {"steps": 10}}
    about = {"licence": "CC-BY-NC-4.0", "training": training, "evaluation": {"finger-movements": report()}}
    tuned().save_pretrained(tmp_path, **about)
    card = ModelCard.load(tmp_path / "README.md")
    card.validate()
    data = card.data
    assert (data.library_name, data.license, data.base_model) == ("neurokit_fm", "cc-by-nc-4.0", BASE.repo)
    assert data.tags == ["neuroscience", "eeg", "reve", "arxiv:2510.21585"]
    assert data.datasets == ["finger-movements"]
    (result,) = data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == (
        "finger-movements",
        "balanced_accuracy",
        0.7,
    )
    for words in ("left, right", '"steps": 10', "| band power | 0.650 |", "best baseline", '"sfreq"'):
        assert words in card.text
    tuned().push_to_hub("lab/mine", token="hf_lab", **about)
    assert "evaluation.json" in hub.repos["model", "lab/mine"].files
    tuned().save_pretrained(tmp_path, licence="ask Anna first")
    card = ModelCard.load(tmp_path / "README.md")
    card.validate()
    assert (card.data.license, card.data.license_name, card.data.eval_results) == ("other", "ask Anna first", None)
    assert not (tmp_path / "evaluation.json").exists()


# the cache


def test_the_cache_lists_what_is_ours_and_makes_room(hub, folder):
    hub.add("other/thing", {"config.json": '{"model_type": "bert"}'})
    huggingface_hub_download("other/thing")
    first = push_folder(folder, "lab/mine", token="hf_lab")
    nkfm.load_model("lab/mine")
    reve(seed=1).push_to_hub("lab/mine", token="hf_lab")
    nkfm.load_model("lab/mine")
    rows = cached()
    assert {row.name for row in rows} == {"reve"}
    assert sorted(row.branches for row in rows) == [(), ("main",)]
    (old,) = choose()
    assert old.ref == first
    assert not choose(["lab/mine"], unused_days=1)
    with pytest.raises(UnknownName, match="Did you mean 'lab/mine'"):
        choose(["lab/mein"])
    run = CliRunner().invoke(cli, ["cache", "prune", "--yes"])
    assert "freed" in run.output, run.output
    assert [row.branches for row in cached()] == [("main",)]
    assert "lab/mine@" in CliRunner().invoke(cli, ["cache", "list"]).output
    assert remove(choose(["lab/mine@main"])) > 100_000
    assert not cached()
    assert (Path(constants.HF_HUB_CACHE) / "models--other--thing").is_dir()


def huggingface_hub_download(repo: str) -> None:
    from huggingface_hub import snapshot_download

    snapshot_download(repo)
