"""The whole demo, with too little training to learn anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli import demo as module
from neurokit_fm.cli.main import cli

SIZE = {"width": 32, "depth": 1, "heads": 2, "head_dim": 16}


def test_the_demo_writes_model_embedding_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = {**module.CONFIG["encoder"], "transformer": SIZE}
    encoder["encoding"] = {**encoder["encoding"], "freqs": 2}
    monkeypatch.setattr(module, "CONFIG", {**module.CONFIG, "encoder": encoder, "decoder": SIZE})
    monkeypatch.setattr(module, "HEAD", "lda")
    monkeypatch.setattr(module, "FEATURES", "pooled")
    monkeypatch.setattr(module, "HOP_S", 2.0)
    result = CliRunner().invoke(cli, ["demo", "--out", str(tmp_path), "--steps", "2", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["steps"] == 2
    assert {score["n_train"] for score in found["probe"]["scores"]} == {316}
    assert {score["n_test"] for score in found["probe"]["scores"]} == {100}
    plain = found["held_out_loss_of_plain_predictions"]
    assert plain["spherical spline"] < plain["nearest channel"] < plain["zero"] < found["held_out_loss"]

    model = nkfm.load_model(tmp_path / "model")
    assert model.load_report is not None
    assert model.load_report.fingerprint is not None
    embedding = nkfm.Embedding.load(tmp_path / "embedding.h5")
    assert embedding.weights == model.load_report.sha256
    assert embedding.values.shape == (119, 32)  # 2 s every 2 s of 238.3 s

    page = (tmp_path / "report.html").read_text(encoding="utf8")
    assert "http://" not in page
    assert "not less than the best plain prediction" in page
    for score in found["probe"]["scores"] + found["probe"]["baselines"]:
        assert f"{score['low']:.3f} to {score['high']:.3f}" in page
    for word in (f"{found['held_out_loss']:.3f}", embedding.weights, "fingerprint replayed", "--steps 2 --seed 0"):
        assert word in page
    assert page.count('src="data:image/svg+xml;base64,') == 7


def test_the_demo_says_so_where_the_model_is_no_better() -> None:
    plain = {"zero": 0.8, "spherical spline": 0.25}
    assert "less than the best plain prediction (spherical spline, 0.250" in module.compare(0.2, plain)
    assert "not less than the best plain prediction (spherical spline" in module.compare(0.3, plain)


@pytest.mark.parametrize("arguments", [["--steps", "1"], ["--steps", "x"]])
def test_wrong_settings_are_usage_errors(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["demo", *arguments]).exit_code == 2
