"""Benchmarks: every cell once, resumed where it stopped, tables with intervals; the named recipes on trees of the simulator."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.benchmarking import BenchRecipe, named_recipes, read_bench, run_bench, write_board
from neurokit_fm.benchmarking.board import standings
from neurokit_fm.benchmarking.cells import cells_of
from neurokit_fm.cli.main import cli
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, StoreError

CHEAP = {"epochs": 1, "head_epochs": 1, "batch": 32}
SIMULATED = {
    "config": {
        "subjects": 4,
        "sessions": 1,
        "duration_s": 24,
        "sfreq": 64,
        "trial_s": 1,
        "activity": {"background_sources": 4},
    }
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cls = nkfm.models.load("mae")
    encoder = {
        "tokenizer": {"name": "patch", "length_s": 0.5, "hop_s": 0.5},
        "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    }
    contract = nkfm.SeriesContract(sfreq=100.0, min_sfreq=50.0, window_s=4.0, min_window_s=1.0, frame="head")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: nkfm.Model = cls(read_config(cls.config_class, {"encoder": encoder}), contract)
    folder = tmp_path_factory.mktemp("models") / "small"
    made.save_pretrained(folder)
    return folder


def recipe(out: Path, model: Path, **more: object) -> BenchRecipe:
    values = {
        "out": str(out),
        "models": [{"ref": str(model)}],
        "tasks": [{"dataset": "simulated", "settings": SIMULATED, "n_folds": 2}],
        "methods": [{"kind": "probe"}, {"kind": "probe", "head": "ncm"}],
        "seeds": [0, 1],
        "plain": False,
        **more,
    }
    return read_config(BenchRecipe, values)


def test_each_cell_is_measured_once_and_a_stopped_run_goes_on(tmp_path: Path, model: Path) -> None:
    made = recipe(tmp_path, model)
    rows = run_bench(made)
    assert len(rows) == len(cells_of(made)) == 4
    assert {row["status"] for row in rows} == {"done"}
    one = rows[0]
    assert one["titles"] == {"task": "simulated", "model": "small", "method": "ridge probe, channels"}
    assert one["score"]["metric"] == "balanced accuracy"
    assert one["weights"] == nkfm.load_model(model).load_report.sha256  # type: ignore[union-attr]  # it was loaded
    assert (one["seed"], one["task"]["by"]) == (0, "cross-subject")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}
    gone = min(files)
    gone.unlink()
    assert run_bench(made) == run_bench(made)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}
    assert {path for path in files if after[path] != files[path]} == {gone}
    again = json.loads(gone.read_text())["score"]
    assert again == next(row["score"] for row in rows if row["key"] == gone.stem)  # the same numbers
    more = run_bench(recipe(tmp_path, model, seeds=[0, 1, 2]))
    assert len(more) == 6
    assert [row["key"] for row in more][:4] == [row["key"] for row in rows]


def test_the_board_puts_seeds_together_and_compares_with_the_best(tmp_path: Path, model: Path) -> None:
    made = recipe(tmp_path, model, about="A small one.")
    made = replace(
        made, tasks=(made.tasks[0], replace(made.tasks[0], name="gone", dataset="bids", settings={"root": "{data}/no"}))
    )
    rows = run_bench(made)
    found = standings(tmp_path, rows)
    assert len(found) == 2
    ridge = next(one for one in found if one.method.startswith("ridge"))
    values = [
        row["score"]["value"] for row in rows if row["status"] == "done" and row["titles"]["method"] == ridge.method
    ]
    assert ridge.value == pytest.approx(np.mean(values))
    assert ridge.spread == pytest.approx(np.std(values))
    assert ridge.low <= ridge.value <= ridge.high
    assert [one.p_best for one in found].count(1.0) >= 1
    assert all(0 < one.p_best <= 1 for one in found)
    text = write_board(tmp_path, rows, about=made.about)
    assert text.startswith("A small one.\n\n| model | method | simulated (balanced accuracy) | mean |")
    assert "- gone: missing: " in text
    assert "(4 cells)" in text
    table = list(csv.DictReader((tmp_path / "leaderboard.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["model"] for row in table} == {"small"}
    assert {len(row["published"]) for row in rows if row["status"] == "done"} == {0}
    page = (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
    assert "Not measured" in page
    assert "Scores on simulated" in page


def test_what_others_report_stands_on_the_board_uncompared(tmp_path: Path, model: Path) -> None:
    rows = run_bench(recipe(tmp_path, model, methods=[{"kind": "probe"}]))
    said = {"method": "theirs", "accuracy": 0.99, "n_test": 100, "source": "Somebody (2020)", "low": 0.95, "high": 1.0}
    ours, theirs = standings(tmp_path, [{**row, "published": [said]} for row in rows])
    assert ours.p_best == 1.0  # the best of what was run
    assert (theirs.model, theirs.seeds, theirs.value, theirs.chance) == ("published", 0, 0.99, ours.chance)
    text = write_board(tmp_path, [{**row, "published": [said]} for row in rows])
    assert "| published | theirs | 0.990 (0.95 to 1.00) | 0.990 |" in text
    assert "published: accuracy that others report, not run here and not compared" in text
    assert "- published, simulated: theirs: Somebody (2020)" in text
    assert "published theirs 0.99" in (tmp_path / "leaderboard.html").read_text(encoding="utf-8")


def test_a_task_that_leaks_or_fails_is_a_failed_row_and_not_the_end(tmp_path: Path, model: Path) -> None:
    twice = {"config": {**SIMULATED["config"], "subjects": 1, "test_subjects": 0}}
    made = recipe(tmp_path, model, seeds=[0], methods=[{"kind": "probe"}])
    bad = replace(made.tasks[0], name="one subject", settings=twice)
    rows = run_bench(replace(made, tasks=(bad, made.tasks[0])))
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "cross-subject needs two values of column 'subject'" in rows[0]["problem"]


def test_recipes_are_read_strictly() -> None:
    base = {"out": "x", "tasks": [{"dataset": "simulated"}]}
    with pytest.raises(ConfigError, match="there is nothing to measure"):
        read_config(BenchRecipe, {**base, "plain": False})
    with pytest.raises(ConfigError, match="two tasks are called 'simulated'"):
        read_config(BenchRecipe, {**base, "tasks": [{"dataset": "simulated"}] * 2})
    with pytest.raises(
        ConfigError, match="a method is for task 'simulate', which is not there. Did you mean 'simulated'"
    ):
        read_config(BenchRecipe, {**base, "methods": [{"kind": "probe", "tasks": ["simulate"]}]})
    with pytest.raises(ConfigError, match="FinetuneConfig has no setting 'epoch'"):
        read_config(BenchRecipe, {**base, "methods": [{"kind": "finetune", "settings": {"epoch": 1}}]})
    with pytest.raises(FileNotFoundError, match="no such recipe: revee. Did you mean 'reve'"):
        read_bench("revee")
    assert sorted(named_recipes()) == ["brainomni", "open-eeg-bench", "reve"]
    for name, count in (("reve", 10), ("brainomni", 11), ("open-eeg-bench", 12)):
        assert len(read_bench(name).tasks) == count


def test_open_eeg_bench_is_pinned_and_cut_as_published() -> None:
    tasks = {task.title: task for task in read_bench("open-eeg-bench").tasks}
    for task in tasks.values():
        parts = task.settings["parts"]
        assert task.by == "given"
        assert re.fullmatch("[0-9a-f]{40}", task.settings["revision"])
        assert set(parts) == {"train", "test"}
        assert len({*parts["train"], *parts["test"]}) == len(parts["train"]) + len(parts["test"])
    by = {name: task.settings.get("parts_by", "subject") for name, task in tasks.items()}
    assert {name: column for name, column in by.items() if column != "subject"} == {
        "bcic2020-3": "run", "seed-v": "session", "tuab": "train", "tuev": "split",
    }  # fmt: skip
    assert [name for name, task in tasks.items() if task.settings.get("quantity")] == ["seed-vig"]


def test_a_file_in_the_place_of_the_folder_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(f'out = "{tmp_path / "bench.toml"}"\n[[tasks]]\ndataset = "simulated"\n')
    done = CliRunner().invoke(cli, ["bench", str(tmp_path / "bench.toml")])
    assert isinstance(done.exception, StoreError)
    assert "cannot make the folder" in str(done.exception)


def test_the_command_writes_the_tables(tmp_path: Path, model: Path) -> None:
    text = (
        f'out = "{tmp_path / "out"}"\nplain = false\nmodels = [{{ ref = "{model}" }}]\n[[methods]]\nkind = "probe"\nhead = "ncm"\n'
        '[[tasks]]\ndataset = "simulated"\nn_folds = 2\n[tasks.settings.config]\nsubjects = 4\nsessions = 1\nduration_s = 24\ntrial_s = 1\n'
        "sfreq = 64\n[tasks.settings.config.activity]\nbackground_sources = 4\n"
    )
    (tmp_path / "bench.toml").write_text(text)
    done = CliRunner().invoke(cli, ["bench", str(tmp_path / "bench.toml")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "| small | ncm probe, channels | 0." in done.output
    assert (tmp_path / "out" / "leaderboard.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reve", "brainomni"])
def test_named_recipes_run_on_trees_of_the_simulator(name: str, tmp_path: Path, model: Path) -> None:
    pytest.importorskip("mne_bids")
    from nkfm_bids.write import write_bids

    source = nkfm.datasets.load("simulated")({**SIMULATED["config"], "montages": ["10-10"]})
    table = [{**row, "group": "AB"[i % 2]} for i, row in enumerate(source.table)]
    source = replace(source, table=table)
    write_bids(source, tmp_path / "physionet-mi")
    write_bids(source, tmp_path / "mumtaz", columns=("group",))
    made = read_bench(name, {**_cheap(tmp_path), "data": str(tmp_path)}, [str(model)])
    rows = run_bench(made)
    done = {row["titles"]["task"] for row in rows if row["status"] == "done"}
    assert done == {"reve": {"PhysioNet-MI", "Mumtaz"}, "brainomni": {"PhysioNet-MI", "MDD"}}[name]
    assert {row["status"] for row in rows} == {"done", "missing"}
    assert "missing" in write_board(tmp_path / "out", rows, about=made.about)


@pytest.mark.slow
def test_open_eeg_bench_runs_on_what_is_in_the_cache(tmp_path: Path, model: Path, hub, monkeypatch) -> None:
    from huggingface_hub import constants
    from joblib.externals.loky import get_reusable_executor

    source = nkfm.datasets.load("simulated")(
        {**SIMULATED["config"], "subjects": 3, "sessions": 3, "montages": ["10-10"]}
    )
    _zarr(source, tmp_path / "windows")
    made = read_bench("open-eeg-bench", _cheap(tmp_path), [str(model)])
    (task,) = (task.settings for task in made.tasks if task.title == "bcic2020-3")
    repo = hub.add(task["repo"], tmp_path / "windows", kind="dataset")
    repo.commits[task["revision"]] = repo.files
    nkfm.datasets.load("zarr-windows")(**task, download=True)
    hub.stop()
    monkeypatch.setenv("HF_HUB_CACHE", constants.HF_HUB_CACHE)
    get_reusable_executor().shutdown()  # processes that were started before do not know the cache of this test
    rows = run_bench(made)
    get_reusable_executor().shutdown()
    done = [row for row in rows if row["status"] == "done"]
    assert {row["titles"]["task"] for row in done} == {"bcic2020-3"}
    assert all(f"{repo.name}@{task['revision']}" in row["citation"] for row in done)
    trials = [len(recording.events.labelled("left", "right")) for recording in source]
    wanted = (sum(trials) - sum(trials[2::3]), sum(trials[2::3]))  # the third run of each subject is tested
    assert {(row["score"]["n_train"], row["score"]["n_test"]) for row in done} == {wanted}
    absent = [row for row in rows if row["status"] == "missing"]
    assert len(done) + len(absent) == len(rows)
    assert {row["titles"]["task"] for row in absent} == {task.title for task in made.tasks} - {"bcic2020-3"}
    assert all("is not in the local cache, or only in part" in row["problem"] for row in absent)
    board = write_board(tmp_path / "out", rows, about=made.about)
    assert "`hf download --repo-type dataset braindecode/tuab --revision 7afcc5a0" in board


def _cheap(folder: Path) -> dict[str, object]:
    """A run of two methods that takes seconds."""
    methods = [{"kind": "probe"}, {"kind": "finetune", "how": "two-stage", "settings": CHEAP}]
    return {"out": str(folder / "out"), "seeds": [0], "jobs": 2, "methods": methods}


def _zarr(source: nkfm.Dataset, folder: Path) -> None:
    import warnings

    import mne

    zarr = pytest.importorskip("zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(folder / "sourcedata" / "x" / "dataset.zarr", mode="w")
        root.attrs.update({"n_datasets": len(source), "dataset_type": "EEGWindowsDataset"})
        for i, rec in enumerate(source):
            _, series = rec.series("eeg")
            info = mne.create_info(list(series.channels.name), series.sfreq, "eeg")
            group = root.create_group(f"recording_{i}")
            array = group.create_array("data", shape=series.data.shape, dtype="float32")
            array[:] = 1e6 * series.read()
            about = {"subject": source.table[i]["subject"], "run": f"{i % 3:02d}"}
            group.attrs.update({"description": about, "info": info.to_json_dict(), "target_name": "target"})
            events = rec.events.labelled("left", "right")
            first = np.rint(events.onset * series.sfreq).astype(int)
            rows = [
                f"{k}\t0\t{a}\t{a + 64}\t{label}" for k, (a, label) in enumerate(zip(first, events.label, strict=True))
            ]
            text = "\n".join(["\ti_window_in_trial\ti_start_in_trial\ti_stop_in_trial\ttarget", *rows])
            (folder / "sourcedata" / "x" / "dataset.zarr" / f"recording_{i}" / "metadata.tsv").write_text(text)
