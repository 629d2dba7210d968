"""Windows in Zarr folders, as braindecode 1.8 writes them: in a folder, and on the Hub."""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.benchmarking import BenchRecipe, run_bench
from neurokit_fm.cli.main import cli
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.evaluation.protocols import folds
from neurokit_fm.probing import Protocol, evaluate, plain_methods, raw_trials
from neurokit_fm.probing.leaks import refuse_leaks

zarr = pytest.importorskip("zarr")
make = nkfm.datasets.load("zarr-windows")
REPO = "lab/windows"
PLACES = {"Fz": [0.0, 0.06, 0.07], "Cz": [0.0, 0.0, 0.09], "Pz": [0.0, -0.06, 0.07]}  # m
GROUP = "sourcedata/braindecode/dataset.zarr"
ABOUTS = ({"subject": 1, "session": "0"}, {"subject": 2, "session": "0"})
RUNS = [
    {"subject": who, "session": "0", "run": f"{run:02d}", "train": run < 2} for who in ("a", "b") for run in range(3)
]


def epochs(seed: int, n: int = 12) -> mne.EpochsArray:
    rng = np.random.default_rng(seed)
    codes = rng.permutation([1, 2] * (n // 2))
    events = np.stack([np.arange(n) * 50, np.zeros(n, int), codes], axis=1)
    x = 1e-5 * rng.normal(size=(n, 3, 50))
    x[codes == 2, 1] += 3e-5
    info = mne.create_info(list(PLACES), 100.0, "eeg")
    made = mne.EpochsArray(x, info, events, event_id={"rest": 1, "move": 2}, verbose="ERROR")
    return made.set_montage(mne.channels.make_dig_montage(PLACES, coord_frame="head"))


def null_for_nan(value):
    if isinstance(value, dict):
        return {key: null_for_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | np.ndarray):
        return [null_for_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write(folder: Path, *, continuous: bool = False, kind: str = "", abouts: Sequence[dict] = ABOUTS) -> Path:
    """Recordings of three sensors in places that are known, twelve windows each, in microvolts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(folder / GROUP, mode="w")
        kind = kind or ("EEGWindowsDataset" if continuous else "WindowsDataset")
        root.attrs.update({"n_datasets": len(abouts), "dataset_type": kind})
        for i, about in enumerate(abouts):
            one = epochs(i)
            x = one.get_data()
            group = root.create_group(f"recording_{i}")
            stored = (1e6 * (x.swapaxes(0, 1).reshape(3, -1) if continuous else x)).astype(np.float32)
            group.create_array("data", data=stored, chunks=stored.shape if continuous else (1, 3, 50))
            info = null_for_nan(one.info.to_json_dict())
            group.attrs.update({"description": about, "info": info, "target_name": "y"})
            lines = ["\ti_window_in_trial\ti_start_in_trial\ti_stop_in_trial\ttarget\tload"]
            codes = enumerate(one.events[:, 2])
            lines += [f"{k}\t0\t{50 * k}\t{50 * k + 50}\t{code}\t{code / 4 + k / 100}" for k, code in codes]
            (folder / GROUP / f"recording_{i}" / "metadata.tsv").write_text("\n".join(lines))
    described = folder / "sourcedata" / "braindecode" / "dataset_description.json"
    described.write_text(json.dumps({"Name": "made", "BIDSVersion": "1.9.0"}))
    (folder / "README.md").write_text("---\ntags:\n- eeg\nlicense: cc-by-4.0  # stated\n---\n\n# Windows\n")
    (folder / "format_info.json").write_text("{}")
    return folder


@pytest.mark.parametrize("continuous", [False, True])
def test_windows_in_a_folder(tmp_path: Path, continuous: bool) -> None:
    folder = str(write(tmp_path / "mine", continuous=continuous))
    data = make(folder, unit="uV", parts={"train": ["1"], "test": ["2"]})
    assert (data.name, data.licence, data.label_of) == ("made", "cc-by-4.0", {"1": "1", "2": "2"})
    assert [row["part"] for row in data.table] == ["train", "test"]
    trials = raw_trials(data)
    assert np.allclose(trials.x, np.concatenate([epochs(i).get_data() for i in range(2)]), atol=1e-10)
    assert trials.y.tolist() == [str(code) for i in range(2) for code in epochs(i).events[:, 2]]
    assert np.allclose(data[0]["eeg"].channels.position, list(PLACES.values()), atol=1e-6)
    assert evaluate([], data, Protocol(), plain=plain_methods()[:1]).baselines[0].value > 0.9


@pytest.mark.parametrize(
    ("parts_by", "train", "test"),
    [("run", ["00", "01"], ["02"]), ("train", ["True"], ["False"]), ("train", [True], [False])],
)
def test_any_column_divides(tmp_path: Path, parts_by: str, train: list, test: list) -> None:
    folder = str(write(tmp_path / "mine", abouts=RUNS))
    data = make(folder, unit="uV", parts={"train": train, "test": test}, parts_by=parts_by)
    assert [row["part"] for row in data.table] == ["train", "train", "test"] * 2
    report = evaluate([], data, Protocol(by="given"), plain=plain_methods()[:1])  # the leak check lets a given cut be
    assert report.warnings == ()
    assert len(report.baselines[0].outcome.truth) == 24
    with pytest.raises(DataError, match="subject a, b is trained and tested on"):
        refuse_leaks(folds(data, Protocol(by="given")), "cross-subject")


def test_parts_that_do_not_fit_are_said(tmp_path: Path) -> None:
    folder = str(write(tmp_path / "mine", abouts=[*RUNS, {"subject": "c"}]))
    data = make(folder, parts={"train": ["00"], "test": ["02"]}, parts_by="run")
    assert [row.get("part") for row in data.table] == ["train", None, "test"] * 2 + [None]
    with pytest.raises(DataError, match=r"mine has no run 0, 3 named in parts; it has 00, 01, 02$"):
        make(folder, parts={"train": ["00", 0], "test": [3]}, parts_by="run")
    with pytest.warns(UserWarning, match=r"mine has no run 0 named in parts; it has 00, 01, 02$"):
        assert len(make(folder, parts={"train": ["00", 0], "test": ["02"]}, parts_by="run")) == 7
    with pytest.raises(DataError, match=r"no 'split' to divide them by; they have session, subject, run, train"):
        make(folder, parts={"train": ["train"]}, parts_by="split")
    with pytest.raises(DataError, match="run 00 is named in two parts; name it in one"):
        make(folder, parts={"train": ["00"], "test": ["02", "00"]}, parts_by="run")


def test_quantities(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    data = make(str(folder), unit="uV", target="load", quantity=True)
    trials = raw_trials(data)
    wanted = [code / 4 + k / 100 for i in range(2) for k, code in enumerate(epochs(i).events[:, 2])]
    assert (trials.kind, trials.y.tolist()) == ("quantity", wanted)
    assert raw_trials(make(str(folder), quantity=True)).y.tolist() == [
        code for i in range(2) for code in epochs(i).events[:, 2]
    ]
    score = evaluate([], data, Protocol(by="cross-subject"), plain=plain_methods()[:1]).baselines[0]
    assert score.metric == "R2"
    assert score.value > 0.5
    table = folder / GROUP / "recording_1" / "metadata.tsv"
    for odd in ("awake", "nan", ""):
        text = table.read_text()
        table.write_text(text.rpartition("\t")[0] + f"\t{odd}")
        with pytest.raises(
            DataError, match=rf"recording_1.metadata.tsv: column 'load' holds '{odd}', which is no number"
        ):
            make(str(folder), target="load", quantity=True)


def test_what_is_not_whole_or_something_else_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    with pytest.raises(ConfigError, match="needs either root, a folder, or repo, 'owner/name'"):
        make()
    with pytest.raises(FileNotFoundError, match="holds no dataset.zarr"):
        make(str(tmp_path / "other"))
    with pytest.raises(DataError, match="has no column 'stage'; columns: i_window_in_trial"):
        make(str(folder), target="stage")
    with pytest.raises(DataError, match="holds a RawDataset of 2 recordings; windows are"):
        make(str(write(tmp_path / "raw", kind="RawDataset")))
    (folder / GROUP / "recording_1" / "data" / "c" / "3" / "0" / "0").unlink()
    with pytest.warns(UserWarning, match="mine: 1 of 12 pieces of recording 1 are missing and read as zeros"):
        make(str(folder))[1]
    (folder / GROUP / "recording_1" / "metadata.tsv").unlink()
    with pytest.raises(DataError, match=r"metadata.tsv is missing; download the data set again"):
        make(str(folder))
    for file in sorted((folder / GROUP / "recording_1").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    with pytest.raises(DataError, match=r"lacks recording_1 \(1 of 2 recordings\); download it again"):
        make(str(folder))


def test_windows_on_the_hub_come_once_and_say_which_commit_they_are(hub, tmp_path: Path, monkeypatch) -> None:
    from huggingface_hub import constants

    folder = write(tmp_path / "mine")
    repo = hub.add(REPO, folder, kind="dataset")
    first = repo.refs["main"]
    hub.cuts[f"{GROUP}/recording_0/data/c/0/0/0"] = [20]  # the connection breaks in the middle of a window
    data = make(repo=REPO, unit="uV", download=True)
    assert (data.name, data.licence, data.citation) == ("windows", "cc-by-4.0", f"made ({REPO}@{first})")
    assert data[1].info.source == f"{REPO}@{first}, recording 1"
    assert np.array_equal(raw_trials(data).x, raw_trials(make(str(folder), unit="uV")).x)
    assert not hub.asked("GET", "format_info.json")  # nothing reads it
    repo.commit({"README.md": b"emptied"})
    again = make(repo=REPO, revision=first, unit="uV", download=True)
    assert again.citation == data.citation
    with pytest.raises(DataError, match=rf"{REPO}@{repo.refs['main']} holds no dataset.zarr: it is not in the layout"):
        make(repo=REPO, download=True)
    asked = len(hub.seen)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert len(make(repo=REPO, revision=first, download=True)) == 2
    with pytest.raises(
        DataError, match="the data set lab/other@main is not whole in the local cache, and HF_HUB_OFFLINE"
    ):
        make(repo="lab/other", download=True)
    assert len(hub.seen) == asked


def test_a_download_that_was_cut_short_is_not_taken_for_whole(hub, tmp_path: Path, monkeypatch) -> None:
    from huggingface_hub import constants

    hub.add(REPO, write(tmp_path / "mine"), kind="dataset")
    piece = f"{GROUP}/recording_1/data/c/5/0/0"
    hub.broken[piece] = 500
    with pytest.raises(DataError, match=rf"the data set {REPO}@main could not be fetched .*finished files are kept"):
        make(repo=REPO, download=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="is not whole in the local cache"):
        make(repo=REPO, download=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.broken.clear()
    came = {seen.path for seen in hub.seen if seen.method == "GET" and seen.status == 200}
    asked = len(hub.seen)
    make(repo=REPO, download=True)
    assert any(seen.path.endswith(piece) for seen in hub.seen[asked:])
    assert not {seen.path for seen in hub.seen[asked:] if seen.method == "GET" and "/data/c/" in seen.path} & came


def test_nothing_is_downloaded_without_being_asked(hub, tmp_path: Path) -> None:
    repo = hub.add(REPO, write(tmp_path / "mine"), kind="dataset")
    first = repo.refs["main"]
    way_out = rf"download=True \(--set download=true\), or `hf download --repo-type dataset {REPO} --revision"
    for revision in ("main", first):
        with pytest.raises(
            FileNotFoundError, match=rf"the data set {REPO}@{revision} is not in the local cache.*{way_out} {revision}`"
        ):
            make(repo=REPO, revision=revision)
    assert not hub.seen
    piece = f"{GROUP}/recording_1/data/c/5/0/0"
    hub.broken[piece] = 500
    with pytest.raises(DataError, match="finished files are kept"):
        make(repo=REPO, revision=first, download=True)
    with pytest.raises(FileNotFoundError, match=f"{REPO}@{first} is not in the local cache, or only in part"):
        make(repo=REPO, revision=first)
    hub.broken.clear()
    make(repo=REPO, download=True)
    repo.commit({"README.md": b"emptied"})
    asked = len(hub.seen)
    assert make(repo=REPO).citation == make(repo=REPO, revision=first).citation == f"made ({REPO}@{first})"
    assert len(hub.seen) == asked


def test_a_benchmark_leaves_out_what_is_not_there_and_fetches_it_when_asked(hub, tmp_path: Path) -> None:
    hub.add(REPO, write(tmp_path / "mine"), kind="dataset")
    settings = {"repo": REPO, "unit": "uV", "parts": {"train": ["1"], "test": ["2"]}}
    task = {"dataset": "zarr-windows", "settings": settings, "by": "given"}
    recipe = read_config(BenchRecipe, {"out": str(tmp_path / "out"), "tasks": [task]})
    before = run_bench(recipe)
    assert {row["status"] for row in before} == {"missing"}
    assert f"hf download --repo-type dataset {REPO}" in before[0]["problem"]
    kept = replace(recipe, tasks=(replace(recipe.tasks[0], settings={**settings, "download": False}),), download=True)
    assert {row["status"] for row in run_bench(kept)} == {"missing"}  # a task's own word goes before
    assert not hub.seen
    rows = run_bench(replace(recipe, download=True))
    assert {row["status"] for row in rows} == {"done"}
    assert run_bench(recipe) == rows  # where the data came from is not part of what was measured


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lab/gone", {}, r"lab/gone@main is not at http.*/datasets/lab/gone, or is private: check the name"),
        (
            "lab/gated",
            {},
            r"lab/gated@main is gated: accept its terms at http.*/datasets/lab/gated, run `hf auth login`",
        ),
        ("lab/secret", {}, r"lab/secret@main is not at .*, or is private"),
        ("lab/gated", {"revision": "v9"}, r"lab/gated@v9 has no such revision"),
        ("a/b/c", {}, "repo must be 'owner/name', as on the Hub; got 'a/b/c'"),
    ],
)
def test_a_repository_that_cannot_be_had_is_named(hub, tmp_path: Path, name: str, options, message: str) -> None:
    folder = write(tmp_path / "mine")
    hub.add("lab/gated", folder, kind="dataset", gated=True)
    hub.add("lab/secret", folder, kind="dataset", private=True)
    with pytest.raises(DataError, match=message):
        make(repo=name, download=True, **options)


def test_the_command_takes_a_repository(hub, tmp_path: Path) -> None:
    hub.add(REPO, write(tmp_path / "mine"), kind="dataset")
    line = ["probe", "nkfm-tiny", "--data", "zarr-windows", "--set", f"repo={REPO}", "--set", "unit=uV"]
    refused = CliRunner().invoke(cli, line)
    assert isinstance(refused.exception, FileNotFoundError)
    line += ["--set", "download=true"]
    done = CliRunner().invoke(cli, [*line, "--by", "cross-subject", "--folds", "0"], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"{REPO}@{hub.repos['dataset', REPO].refs['main']}" in done.output.replace("\n", "")
    wrong = CliRunner().invoke(
        cli, ["probe", "nkfm-tiny", "--data", "zarr-windows", *line[4:], "--set", "repo=lab/gone"]
    )
    assert isinstance(wrong.exception, DataError)
