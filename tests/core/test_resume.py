"""A run that is killed goes on to the same weights; several processes train as one; failures leave checkpoints whole."""

import importlib.util
import json
import multiprocessing
import os
import random
import resource
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import neurokit_fm as nkfm
from neurokit_fm.corpus.prepare import prepare
from neurokit_fm.data.atomic import only_one
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import ConfigError, MissingDependency, StoreError, TrainingError
from neurokit_fm.testing import fake_recording
from neurokit_fm.training import Recipe, carry_out
from neurokit_fm.training.checkpoint import found, newest
from neurokit_fm.training.journal import read_steps

CONTRACT = nkfm.SeriesContract(sfreq=100.0, window_s=1.0, min_window_s=1.0, clip=15.0, frame="head")
MAE = {
    "name": "mae",
    "encoder": {
        "tokenizer": {"name": "patch", "length_s": 0.5, "hop_s": 0.5},
        "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    },
    "decoder": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
}
CHILD = """
import os
from dataclasses import dataclass

import torch
from torch import nn

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.training import carry_out

def main(recipe, env=None):
    os.environ.update(env or {})
    carry_out(recipe)


@dataclass(frozen=True)
class SteadyConfig:
    width: int = 8


class Steady(nkfm.Model):
    name, config_class, accepts = "steady", SteadyConfig, (SeriesStream,)

    def __init__(self, config, contract):
        super().__init__(config, contract)
        self.down, self.up = nn.Linear(100, config.width), nn.Linear(config.width, 100)

    def forward(self, batch):
        stream = batch.the(SeriesStream)
        b, c, _ = stream.values.shape
        return nkfm.Features(
            tokens=self.down(stream.values),
            mask=stream.channel_mask,
            coords=torch.zeros(b, c, 4),
            index=torch.zeros(b, c, 2, dtype=torch.int64),
        )

    def loss(self, batch, *, generator=None):
        stream = batch.the(SeriesStream)
        made = self.up(torch.tanh(self.down(stream.values)))
        total = (made - stream.values)[stream.channel_mask].square().mean()
        return nkfm.Loss(total, {"square": total})
"""
PLUGIN = """
from neurokit_fm import Entry, hookimpl


@hookimpl
def register_models():
    return [Entry(name="steady", target="recipe_child:Steady", summary="An autoencoder without chance")]
"""

needs_accelerate = pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None, reason="several processes need accelerate (extra 'train')"
)


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Start processes from a server that has imported everything: a fifth of a second each, not several."""
    folder = tmp_path_factory.mktemp("child")
    (folder / "recipe_child.py").write_text(CHILD)
    (folder / "recipe_plugin.py").write_text(PLUGIN)
    about = folder / "recipe_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: recipe-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[neurokit_fm]\nrecipe = recipe_plugin\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["recipe_child", "nkfm_mae.model", "nkfm_patch.tokenizer"])
        import recipe_child  # written above

        yield lambda *args: context.Process(target=recipe_child.main, args=args)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("recordings")
    made = []
    for seed, channels in ((0, 8), (1, 5)):
        path = folder / f"{seed}.h5"
        save_recording(fake_recording(seed=seed, n_channels=channels, duration_s=12, sfreq=100.0, frame="head"), path)
        made.append(str(path))
    return made


@pytest.fixture(scope="module")
def corpus(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(prepare(files, CONTRACT, tmp_path_factory.mktemp("corpus") / "c").path)


def recipe(out: Path, **changes: Any) -> Recipe:
    train = {"steps": 24, "batch_tokens": 48, "ema": 0.9, "device": "cpu"} | changes.pop("train", {})
    values = {
        "model": MAE,
        "contract": {"layout": "series", "sfreq": 100.0, "window_s": 1.0, "min_window_s": 1.0, "clip": 15.0}
        | {"frame": "head"},
        "save_every": 3,
        "keep": 2,
    }
    return Recipe.of(**{**values, "out": str(out), "train": train, **changes})


def weights(out: Path) -> dict[str, Tensor]:
    return {**load_file(out / "model" / "model.safetensors")}


def totals(out: Path) -> list[float]:
    return [step.total for step in read_steps(out / "log.jsonl")]


def kill_at_random(children: Any, job: Recipe, rng: random.Random, kills: int) -> int:
    """Start a run over and over; kill it when it has taken a random number of further steps, then let it finish."""
    log, done = Path(job.out) / "log.jsonl", 0
    for _ in range(kills):
        process = children(job)
        process.start()
        while process.pid is None or not log.exists():
            time.sleep(0.001)
        wanted = len(read_steps(log)) + rng.randint(1, 9)
        while process.is_alive() and len(read_steps(log)) < wanted:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)  # anywhere within a step, or in the middle of a checkpoint
        done += process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    process = children(job)
    process.start()
    process.join()
    assert process.exitcode == 0
    return done


def check_killed(children: Any, tmp_path: Path, data: list[dict[str, Any]], seed: int, kills: int, steps: int) -> None:
    whole = recipe(tmp_path / "whole", data=data, train={"steps": steps})
    carry_out(whole)
    killed = replace(whole, out=str(tmp_path / "killed"))
    assert kill_at_random(children, killed, random.Random(seed), kills) == kills  # all of them in mid-run
    expected, found_ = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert expected.keys() == found_.keys()
    for name, value in expected.items():
        assert torch.allclose(found_[name], value, rtol=0, atol=1e-6), name
    assert totals(tmp_path / "killed") == pytest.approx(totals(tmp_path / "whole"), abs=1e-6)


@pytest.mark.parametrize("kind", ["files", "corpus"])
def test_a_killed_run_goes_on_to_the_same_weights(
    kind: str, children: Any, tmp_path: Path, files: list[str], corpus: str
) -> None:
    data = {"files": [{"files": files}], "corpus": [{"corpus": corpus}], "both": [{"files": files}, {"corpus": corpus}]}
    check_killed(children, tmp_path, data[kind], seed=0, kills=3, steps=36)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["files", "corpus", "both"])
def test_a_run_killed_twenty_times_goes_on_to_the_same_weights(
    kind: str, children: Any, tmp_path: Path, files: list[str], corpus: str
) -> None:
    data = {"files": [{"files": files}], "corpus": [{"corpus": corpus}], "both": [{"files": files}, {"corpus": corpus}]}
    check_killed(children, tmp_path, data[kind], seed=1, kills=20, steps=240)


def test_a_finished_run_is_left_as_it_is_and_can_be_lengthened(tmp_path: Path, files: list[str]) -> None:
    data, schedule = [{"files": files}], {"name": "wsd", "horizon": 12}
    carry_out(recipe(tmp_path / "a", data=data, schedule=schedule, train={"steps": 4}))
    first = weights(tmp_path / "a")
    history = carry_out(recipe(tmp_path / "a", data=data, schedule=schedule, train={"steps": 4}))
    assert len(history.steps) == 4
    assert all(torch.equal(first[name], value) for name, value in weights(tmp_path / "a").items())
    carry_out(recipe(tmp_path / "a", data=data, schedule=schedule, train={"steps": 9}))
    whole = carry_out(recipe(tmp_path / "b", data=data, schedule=schedule, train={"steps": 9}))
    assert totals(tmp_path / "a") == [step.total for step in whole.steps]
    assert [step.number for step in whole.steps] == list(range(9))


def test_a_folder_holds_one_run(tmp_path: Path, files: list[str]) -> None:
    job = recipe(tmp_path, data=[{"files": files}], train={"steps": 3})
    carry_out(job)
    with pytest.raises(ConfigError, match="holds a run already"):
        carry_out(job, resume="no")
    with pytest.raises(ConfigError, match=r"holds a run of another recipe(.|\n)*train.seed: 0 -> 1"):
        carry_out(recipe(tmp_path, data=[{"files": files}], train={"steps": 3, "seed": 1}))
    assert [step for step, _ in found(tmp_path / "checkpoints")] == [3]


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path: Path, files: list[str]) -> None:
    job = recipe(tmp_path, data=[{"files": files}], train={"steps": 2})
    with (
        only_one(tmp_path, "training"),
        pytest.raises(StoreError, match=f"another process is training in {tmp_path}; wait"),
    ):
        carry_out(job)
    assert not (tmp_path / "log.jsonl").exists()
    assert len(carry_out(job).steps) == 2


def test_only_the_newest_checkpoints_are_kept_and_a_damaged_one_is_passed_over(
    tmp_path: Path, files: list[str]
) -> None:
    carry_out(recipe(tmp_path, data=[{"files": files}], train={"steps": 9}))
    kept = sorted(found(tmp_path / "checkpoints"))
    assert [step for step, _ in kept] == [6, 9]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".pkl", ".bin")]
    (tmp_path / "checkpoints" / ".step-000000012.part").mkdir()  # what a kill leaves
    model = kept[-1][1] / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-7])
    good = newest(tmp_path / "checkpoints")
    assert good is not None
    assert good.state["step"] == 6
    assert not list((tmp_path / "checkpoints").glob(".*"))
    model.unlink()
    (kept[0][1] / "state.json").unlink()
    with pytest.raises(TrainingError, match="no checkpoint in .* can be read"):
        newest(tmp_path / "checkpoints")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, files: list[str]) -> None:
    job = recipe(tmp_path, data=[{"files": files}], train={"steps": 3})
    carry_out(job)
    (_, folder) = max(found(tmp_path / "checkpoints"))
    tensors = load_file(folder / "model.safetensors")
    tensors["mask_tokem"] = tensors.pop("mask_token")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})  # of the same size
    with pytest.raises(nkfm.NkfmError, match="does not fit this recipe's model: mask_tokem, mask_token"):
        carry_out(replace(job, train=replace(job.train, steps=4)))


def test_a_full_disk_stops_the_run_and_leaves_the_last_checkpoint_intact(tmp_path: Path, files: list[str]) -> None:
    job = recipe(tmp_path, data=[{"files": files}], train={"steps": 3})
    carry_out(job)
    before = newest(tmp_path / "checkpoints")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # no file can grow beyond, as on a full disk
        with pytest.raises(TrainingError, match=r"checkpoint of step 6 cannot be written .*last good one is .*0003"):
            carry_out(replace(job, train=replace(job.train, steps=6)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    after = newest(tmp_path / "checkpoints")
    assert before is not None
    assert after is not None
    assert after.state == before.state
    carry_out(replace(job, train=replace(job.train, steps=6)))
    whole = recipe(tmp_path / "whole", data=[{"files": files}], schedule={"horizon": 3}, train={"steps": 6})
    assert len(totals(tmp_path)) == whole.train.steps


def test_a_failing_source_names_the_step_and_the_checkpoint(
    tmp_path: Path, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurokit_fm.corpus.shelf import Shelf

    read, calls = Shelf.batch, []

    def fail(self: Shelf, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == 8:
            raise OSError("the disk went away")
        return read(self, *args)

    monkeypatch.setattr(Shelf, "batch", fail)
    job = recipe(tmp_path, data=[{"corpus": corpus}], train={"steps": 12})
    with pytest.raises(TrainingError, match=r"source failed at step 7: .*the disk went away.*checkpoint is .*000006"):
        carry_out(job)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="tensorboard is installed")
def test_tensorboard_is_missed_before_the_first_step(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(MissingDependency, match="tensorboard = true needs tensorboard"):
        carry_out(recipe(tmp_path, data=[{"files": files}], tensorboard=True))


def together(children: Any, job: Recipe, world: int, env: dict[str, str] | None = None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    about = {
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    processes = [
        children(job, {**about, "RANK": str(rank), "LOCAL_RANK": str(rank), **(env or {})}) for rank in range(world)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0] * world


@needs_accelerate
def test_two_processes_have_the_loss_curve_of_one_with_the_doubled_batch(
    children: Any, tmp_path: Path, files: list[str], socket_enabled: None
) -> None:
    # one recording, so that the doubled batch is two batches; float32 sums in another order differ in the last bits,
    # and twelve steps of the optimiser enlarge that
    data, steps = [{"files": files[:1]}], {"steps": 12, "clip": 1.0}
    job = recipe(tmp_path / "two", data=data, model={"name": "steady"}, train={**steps, "batch_tokens": 24})
    together(children, job, world=2)
    one = recipe(tmp_path / "one", data=data, model={"name": "steady"}, train={**steps, "batch_tokens": 48})
    together(children, one, world=1)
    assert totals(tmp_path / "two") == pytest.approx(totals(tmp_path / "one"), rel=1e-5)
    windows = [[step.windows for step in read_steps(tmp_path / name / "log.jsonl")] for name in ("one", "two")]
    assert windows == [[6] * 12] * 2
    for name, value in weights(tmp_path / "one").items():
        assert torch.allclose(weights(tmp_path / "two")[name], value, rtol=0, atol=1e-5), name


@needs_accelerate
@pytest.mark.parametrize("kind", ["replicas", "shards"])
def test_a_run_of_two_processes_goes_on_in_one_that_accumulates(
    kind: str, children: Any, tmp_path: Path, files: list[str], socket_enabled: None
) -> None:
    # masks and noise included: they depend on the number of a batch, not on who computes it
    sharded = {"ACCELERATE_USE_FSDP": "true"}  # what `accelerate launch --use_fsdp` sets
    data = [{"files": files}]
    job = recipe(tmp_path / "moved", data=data, schedule={"horizon": 12}, train={"steps": 6})
    together(children, job, world=2, env=sharded if kind == "shards" else {})
    start = json.loads((tmp_path / "moved" / "log.jsonl").read_text().splitlines()[0])
    assert (start["processes"], start["sharded"]) == (2, kind == "shards")
    carry_out(replace(job, train=replace(job.train, steps=12, accumulate=2)))
    stayed = recipe(tmp_path / "stayed", data=data, schedule={"horizon": 12}, train={"steps": 12, "accumulate": 2})
    carry_out(stayed)
    assert totals(tmp_path / "moved") == pytest.approx(totals(tmp_path / "stayed"), rel=1e-5)
    for name, value in weights(tmp_path / "stayed").items():
        assert torch.allclose(weights(tmp_path / "moved")[name], value, rtol=0, atol=1e-5), name
