"""Recipes: strict reading, replacements, schedules by name, and the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from neurokit_fm.cli.main import cli
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import ConfigError
from neurokit_fm.testing import fake_recording
from neurokit_fm.training import Recipe, read_recipe
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.rates import ScheduleConfig

ROOT = Path(__file__).parents[2]
TEXT = """
out = "{out}"
save_every = 2
[model]
name = "mae"
encoder = {{transformer = {{width = 16, depth = 1, heads = 2, head_dim = 8}}}}
decoder = {{width = 16, depth = 1, heads = 2, head_dim = 8}}
[contract]
layout = "series"
window_s = 2.0
[[data]]
files = ["{file}"]
[train]
steps = 3
batch_tokens = 32
device = "cpu"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rec.h5"
    save_recording(fake_recording(duration_s=6), file)
    made = tmp_path / "recipe.toml"
    made.write_text(TEXT.format(out=tmp_path / "out", file=file))
    return made


def values(**changes: Any) -> dict[str, Any]:
    return {
        "out": "x",
        "model": {"name": "mae"},
        "contract": {"layout": "series"},
        "data": [{"dataset": "finger-movements", "split": "given"}],
        "train": {"steps": 10},
    } | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sead": 1}, "Recipe has no setting 'sead'. .*Known: out"),
        (
            {"train": {"steps": 10, "batch_token": 9}},
            "TrainConfig has no setting 'batch_token'. Did you mean 'batch_tokens'",
        ),
        ({"train": {}}, "TrainConfig needs 'steps'"),
        ({"train": {"steps": "10"}}, "TrainConfig.steps must be of type int; got '10'"),
        ({"train": {"steps": 10, "recompute": 1}}, "TrainConfig.recompute must be of type bool; got 1"),
        (
            {"train": {"steps": 10, "precision": "bf61"}},
            "must be one of 'float32', 'bf16'; got 'bf61'. Did you mean 'bf16'",
        ),
        ({"train": {"steps": 0}}, "must be positive; got 0, 4096, 1 and 10"),
        ({"train": {"steps": 10, "ema": 1.0}}, "ema in .0, 1.; got 5, 100 and 1"),
        ({"optimiser": {"name": "adam"}}, "OptimiserConfig.name must be one of .*Did you mean 'adamw'"),
        ({"optimiser": {"lr": -1.0}}, "expected lr > 0"),
        ({"optimiser": {"betas": [0.9]}}, "OptimiserConfig.betas takes 2 values"),
        ({"schedule": {"name": "cosine", "cooldown": 0.1}}, "'cosine' takes no cooldown"),
        ({"schedule": {"warmup": 0.6, "cooldown": 0.6}}, "warmup=6 and cooldown=6 steps do not fit total=10"),
        ({"schedule": {"warmup": 5.0}}, "shares of the run"),
        ({"data": []}, "no ..data.. to train on"),
        ({"data": [{"weight": 1.0}]}, "names a corpus, what it is made of"),
        ({"data": [{"dataset": "d", "files": ["f"]}]}, "names a corpus, what it is made of"),
        ({"data": [{"corpus": "c", "weight": 0.0}]}, "weight of c must be positive"),
        ({"data": [{"corpus": "c", "split": "given"}]}, "split and settings belong to a data set"),
        ({"init": "there"}, "either a .model. to make or `init`"),
        ({"contract": None}, "needs a .contract."),
        ({"keep": 0}, "keep must be at least 1"),
        ({"distil": {"teacher": "t", "weight": -1.0}}, "must not be negative"),
        ({"data": [{"corpus": "c"}], "train": {"steps": 1, "window_s": 1.0}}, "window_s has no effect on corpora"),
    ],
)
def test_what_a_recipe_cannot_be_is_said_when_it_is_read(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe.of(**values(**changes))


def test_the_test_part_of_a_probed_data_set_cannot_be_trained_on() -> None:
    probed = {"dataset": "finger-movements", "split": "given"}
    assert Recipe.of(**values(evaluate=probed)).evaluate is not None
    with pytest.raises(ConfigError, match="finger-movements is trained on and probed: its test part must stay unseen"):
        Recipe.of(**values(evaluate=probed, data=[{"dataset": "finger-movements"}]))


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ConfigError, match=r"(?s)out must name.*no \[\[data\]\].*keep must be"):
        Recipe.of(**values(out="", data=[], keep=0))


def test_settings_are_replaced_by_dotted_keys(path: Path) -> None:
    recipe = read_recipe(
        path, ["train.steps=7", "optimiser.name=adamw", "optimiser.lr=2e-4", "data.0.weight=2", "train.ema = 0.9"]
    )
    assert (recipe.train.steps, recipe.train.ema, recipe.data[0].weight) == (7, 0.9, 2.0)
    assert recipe.optimiser == OptimiserConfig(name="adamw", lr=2e-4)
    for setting, message in [
        ("train.steps", "reads key=value"),
        ("train.stepz=1", "Did you mean 'steps'"),
        ("data.1.weight=1", "'1' must be a number below 1"),
        ("out.x=1", "'out' is a value, not a table"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read_recipe(path, [setting])


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such recipe"):
        read_recipe(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("steps = = 1")
    with pytest.raises(ConfigError, match=r"b.toml is not TOML: .*line 1"):
        read_recipe(tmp_path / "b.toml")


# Expected rates: small_checks of shared/specs/methods.md M2, in double precision.
@pytest.mark.parametrize(
    ("schedule", "lr", "steps", "expected"),
    [
        (
            {"name": "wsd", "warmup": 0.05, "cooldown": 0.2, "end": 0.0},
            1e-3,
            100,
            {4: 8e-4, 50: 1e-3, 85: 7.5e-4, 99: 5e-5},
        ),
        (
            {"name": "wsd", "warmup": 0.05, "cooldown": 0.2, "end": 0.0, "shape": "sqrt"},
            1e-3,
            100,
            {85: 5e-4, 90: 2.9289321881345245e-4, 100: 0.0},
        ),
        (
            {"name": "rewarm-cosine", "warmup": 0.08, "start": 1 / 60, "end": 0.05},
            6e-4,
            50,
            {0: 1e-5, 2: 3.05e-4, 4: 6e-4, 27: 3.15e-4, 49: 3.066440078069631e-05},
        ),
        (
            {"name": "infinite", "warmup": 0.1, "cooldown": 0.4, "end": 1e-3, "horizon": 100}
            | {"anneal_from": 200, "anneal_steps": 50},
            1e-3,
            300,
            {0: 0.0, 9: 9e-4, 10: 1e-3, 30: 6.25e-4, 50: 2.5e-4, 199: 2.5e-4, 225: 1.5811388300841898e-05, 255: 1e-6},
        ),
        ({"name": "cosine", "end": 0.1}, 1.0, 100, {0: 0.0, 10: 1.0, 55: 0.55, 100: 0.1}),
        ({"start": 0.01}, 1.0, 100, {0: 0.01, 10: 1.0, 89: 1.0, 100: 0.001}),
    ],
)
def test_schedules_have_the_published_rates(
    schedule: dict[str, Any], lr: float, steps: int, expected: dict[int, float]
) -> None:
    made = ScheduleConfig(**schedule)
    found = {step: made.rate(step, lr=lr, steps=steps) for step in expected}
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_horizon_keeps_the_past_of_a_lengthened_run() -> None:
    fixed, share = ScheduleConfig(horizon=100), ScheduleConfig()
    assert [fixed.rate(n, lr=1.0, steps=50) for n in range(50)] == [fixed.rate(n, lr=1.0, steps=90) for n in range(50)]
    assert share.rate(48, lr=1.0, steps=50) < share.rate(48, lr=1.0, steps=90)
    assert fixed.rate(150, lr=1.0, steps=200) == 1.0  # a second trapezoid


def test_the_command_trains_and_goes_on(path: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["pretrain", str(path), "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["steps"] == 3
    assert (Path(made["model"]) / "model.safetensors").is_file()
    lines = [json.loads(line) for line in Path(made["log"]).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "step", "step", "step"]
    assert sum(line["tokens"] for line in lines[1:]) == made["tokens"]
    again = CliRunner().invoke(cli, ["pretrain", str(path), "--set", "train.steps=4"])
    assert again.exit_code == 0, again.output
    assert "4 steps, last loss" in again.stdout
    new = CliRunner().invoke(cli, ["pretrain", str(path), "--resume", "no"])
    assert isinstance(new.exception, ConfigError)
    elsewhere = CliRunner().invoke(cli, ["pretrain", str(path), "--out", str(tmp_path / "b"), "--set", "train.steps=1"])
    assert elsewhere.exit_code == 0, elsewhere.output
    assert (tmp_path / "b" / "model" / "config.json").is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_the_example_recipes_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.out == f"runs/{path.stem}"
