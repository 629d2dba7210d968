"""Preparing corpora: what is in them, what happens to bad recordings, and going on after any stop."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurokit_fm.corpus.prepare
import neurokit_fm.corpus.shard
from neurokit_fm import Dataset, Events, Info, SeriesContract, VolumeContract
from neurokit_fm.cli.main import main
from neurokit_fm.contract import write_contract
from neurokit_fm.corpus.corpus import MANIFEST, Corpus
from neurokit_fm.corpus.prepare import prepare
from neurokit_fm.corpus.sources import find_sources
from neurokit_fm.data.store import open_recording, save_recording
from neurokit_fm.errors import ConfigError, DataError, MissingDependency, StoreError, UnknownName, WeightsError
from neurokit_fm.hub import load_contract
from neurokit_fm.testing import fake_recording
from neurokit_fm.windows import fixed_windows

CONTRACT = SeriesContract(sfreq=100.0, window_s=2.0, clip=15.0)


def write(path: Path, seed: int = 0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    recording = fake_recording(seed=seed, duration_s=9.0, subject="", **options)
    save_recording(dataclasses.replace(recording, info=Info(licence=recording.info.licence)), path)
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for i in range(3):
        write(tmp_path / "in" / f"sub-{i + 1:02}" / f"sub-{i + 1:02}_ses-a_task-rest_eeg.nkfm.h5", i, n_channels=4 + i)
    return tmp_path / "in"


def files(corpus: Corpus) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_ino, p.read_bytes()) for p in (corpus.path / "shards").iterdir()}


def test_a_corpus_holds_what_the_contract_makes_of_each_recording(sources: Path, tmp_path: Path) -> None:
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    assert [shard.n_channels for shard in corpus.shards] == [4, 5, 6]
    assert corpus.n_windows == 3 * 4  # 9 s in windows of 2 s
    assert [(s.subject, s.session, s.task) for s in corpus.shards] == [(f"0{i}", "a", "rest") for i in (1, 2, 3)]
    for shard in corpus.shards:
        recording = open_recording(shard.source)
        ready = CONTRACT.apply(recording)
        _, series = ready.series("eeg")
        store = corpus.open(shard)
        expected = np.stack([series.read(a, b) for a, b in fixed_windows(series, 2.0)])
        assert np.array_equal(store.read(np.arange(4)), expected)
        assert store.channels.name == series.channels.name == shard.channels
        assert np.array_equal(store.channels.position, series.channels.position)
        assert store.columns["start_s"].tolist() == [0, 2, 4, 6]
        raw = recording["eeg"].read()
        assert shard.mean == pytest.approx(raw.mean(axis=1), rel=1e-4, abs=1e-9)
        assert shard.std == pytest.approx(raw.std(axis=1), rel=1e-4)
        assert shard.steps == ready.info.steps
        assert "z-score" in " ".join(shard.steps)
        assert shard.seconds == 8.0
    corpus.verify()


def test_opening_reads_only_the_manifest(sources: Path, tmp_path: Path) -> None:
    made = prepare(sources, CONTRACT, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "shards")
    corpus = Corpus(tmp_path / "out")
    assert corpus.shards == made.shards
    assert corpus.cutting == made.cutting
    assert corpus.contract == CONTRACT
    assert corpus.summary()["subjects"] == 3
    with pytest.raises(StoreError, match=r"shards/sub-01.*\.h5 is gone; run `nkfm prepare` again"):
        corpus.open(corpus.shards[0])


def test_finished_recordings_are_skipped_and_changed_ones_made_again(sources: Path, tmp_path: Path) -> None:
    before = files(prepare(sources, CONTRACT, tmp_path / "out"))
    assert files(prepare(sources, CONTRACT, tmp_path / "out")) == before
    changed = write(sources / "sub-02" / "sub-02_ses-a_task-rest_eeg.nkfm.h5", 9, n_channels=7)
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    assert [shard.n_channels for shard in corpus.shards] == [4, 7, 6]
    different = {name for name, content in files(corpus).items() if before[name] != content}
    assert len(different) == 1
    assert different.pop().startswith(changed.name.split(".")[0])
    again = prepare(sources, CONTRACT, tmp_path / "out", force=True)
    assert all(files(again)[name][0] != inode for name, (inode, _) in before.items())
    assert [s.sha256 for s in again.shards] == [s.sha256 for s in corpus.shards]


def test_recordings_are_added_under_the_same_names(sources: Path, tmp_path: Path) -> None:
    one = prepare(sources / "sub-01", CONTRACT, tmp_path / "out")
    more = prepare(sources, CONTRACT, tmp_path / "out")
    assert len(more.shards) == 3
    assert files(one)[Path(one.shards[0].file).name] == files(more)[Path(one.shards[0].file).name]
    assert prepare(sources / "sub-03", CONTRACT, tmp_path / "out").shards == more.shards


def test_a_run_killed_in_the_middle_goes_on(sources: Path, tmp_path: Path, monkeypatch) -> None:
    real, calls = neurokit_fm.corpus.prepare.write_shard, []

    def killed(recording, path, cutting, identity):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(path)
        real(recording, path, cutting, identity)

    monkeypatch.setattr(neurokit_fm.corpus.prepare, "write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(sources, CONTRACT, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="has no manifest.json. Shards are there: run `nkfm prepare` again"):
        Corpus(tmp_path / "out")
    left = {path: path.stat().st_ino for path in calls}
    monkeypatch.setattr(neurokit_fm.corpus.prepare, "write_shard", real)
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    assert len(corpus.shards) == 3
    assert {path: path.stat().st_ino for path in calls} == left
    assert corpus.shards == prepare(sources, CONTRACT, tmp_path / "fresh").shards


def test_a_killed_process_leaves_whole_shards_only(sources: Path, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nimport neurokit_fm.data.store_file as m\n"
        "from neurokit_fm import SeriesContract\nfrom neurokit_fm.corpus.prepare import prepare\n"
        "real, n = m.seal, []\n"
        "def seal(file):\n    n.append(1)\n    real(file) if len(n) < 3 else os.kill(os.getpid(), signal.SIGKILL)\n"
        "m.seal = seal\n"
        "prepare(sys.argv[1], SeriesContract(sfreq=100.0, window_s=2.0, clip=15.0), sys.argv[2])\n"
    )
    command = [sys.executable, "-c", script, str(sources), str(tmp_path / "out")]
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"}).returncode == -9
    whole = {p.name: p.stat().st_ino for p in (tmp_path / "out" / "shards").glob("*.h5")}
    assert len(whole) == 2
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    corpus.verify()
    now = {p.name: p.stat().st_ino for p in (tmp_path / "out" / "shards").glob("*.h5")}
    assert len(now) == 3
    assert whole.items() <= now.items()


def test_bad_recordings_are_named_and_the_others_kept(sources: Path, tmp_path: Path, caplog) -> None:
    (sources / "broken.edf").write_text("nothing")
    write(sources / "flat.nkfm.h5", n_channels=2)
    recording = open_recording(sources / "flat.nkfm.h5")
    nan = dataclasses.replace(recording["eeg"], data=np.full((2, 900), np.nan))
    save_recording(dataclasses.replace(recording, signals={"eeg": nan}), sources / "flat.nkfm.h5")
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    assert len(corpus.shards) == 3
    problems = {Path(row.source).name: row.problem for row in corpus.skipped}
    assert "is not EDF" in problems["broken.edf"]
    assert "hold NaN or infinite samples" in problems["flat.nkfm.h5"]
    assert "broken.edf: skipped" in caplog.text
    assert Corpus(tmp_path / "out").skipped == corpus.skipped
    write(sources / "flat.nkfm.h5", n_channels=2)
    (sources / "broken.edf").unlink()
    mended = prepare(sources / "flat.nkfm.h5", CONTRACT, tmp_path / "out")
    assert len(mended.shards) == 4
    assert [Path(row.source).name for row in mended.skipped] == ["broken.edf"]  # it was not tried again


def test_a_recording_that_broke_is_no_longer_in_the_corpus(sources: Path, tmp_path: Path) -> None:
    prepare(sources, CONTRACT, tmp_path / "out")
    broken = sources / "sub-02" / "sub-02_ses-a_task-rest_eeg.nkfm.h5"
    broken.write_bytes(broken.read_bytes()[:2000])
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    assert [shard.subject for shard in corpus.shards] == ["01", "03"]
    assert [row.source for row in corpus.skipped] == [str(broken)]


def test_a_full_disk_stops_and_leaves_finished_shards(sources: Path, tmp_path: Path, monkeypatch) -> None:
    real, count = neurokit_fm.corpus.shard.save_windows, []

    def full(path, blocks, **options):
        count.append(1)
        if len(count) > 1:
            err = StoreError(f"{path}: cannot be written: No space left on device.")
            err.errno = errno.ENOSPC
            raise err
        return real(path, blocks, **options)

    monkeypatch.setattr(neurokit_fm.corpus.shard, "save_windows", full)
    with pytest.raises(
        StoreError, match="No space left on device. Finished recordings are kept; the same line goes on"
    ):
        prepare(sources, CONTRACT, tmp_path / "out")
    assert len(count) == 2
    assert len(list((tmp_path / "out" / "shards").iterdir())) == 1
    monkeypatch.setattr(neurokit_fm.corpus.shard, "save_windows", real)
    assert len(prepare(sources, CONTRACT, tmp_path / "out").shards) == 3


def test_another_contract_or_setting_is_refused(sources: Path, tmp_path: Path) -> None:
    prepare(sources, CONTRACT, tmp_path / "out")
    other = dataclasses.replace(CONTRACT, clip=5.0)
    with pytest.raises(
        StoreError, match=r"other settings \(clip: 15.0 there, 5.0 now\); choose another folder, or force"
    ):
        prepare(sources, other, tmp_path / "out")
    with pytest.raises(StoreError, match=r"\(dtype: float32 there, int16 now\)"):
        prepare(sources, CONTRACT, tmp_path / "out", dtype="int16")
    forced = prepare(sources / "sub-01", other, tmp_path / "out", force=True)
    assert len(forced.shards) == 1
    assert "made after another contract or settings; delete it" in forced.skipped[0].problem


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"window_s": 0.5}, "window_s=0.5 s is below the 1 s that give a token"),
        ({"hop_s": 0.001}, "hop_s must be at least one sample at 100 Hz"),
        ({"dtype": "int8"}, "dtype must be float32 or int16"),
        ({"jobs": 0}, "jobs at least 1 or -1"),
    ],
)
def test_impossible_settings_are_refused(sources: Path, tmp_path: Path, options, match) -> None:
    with pytest.raises(ConfigError, match=match):
        prepare(sources, CONTRACT, tmp_path / "out", **options)
    with pytest.raises(ConfigError, match="sampled signals; got a contract for a volume"):
        prepare(sources, VolumeContract(), tmp_path / "out")


def test_int16_takes_half_the_room(tmp_path: Path) -> None:
    path = tmp_path / "a.nkfm.h5"
    save_recording(fake_recording(n_channels=16, duration_s=60.0), path)
    sizes, values = [], []
    for dtype in ("float32", "int16"):
        corpus = prepare(path, CONTRACT, tmp_path / dtype, dtype=dtype)
        sizes.append((corpus.path / corpus.shards[0].file).stat().st_size)
        values.append(corpus.open(corpus.shards[0]).read([0, 7]))
    assert sizes[1] < 0.6 * sizes[0]
    assert np.abs(values[0] - values[1]).max() <= 15 / 65_534 + 1e-6


def test_short_runs_make_short_windows_and_events_a_column(tmp_path: Path) -> None:
    recording = fake_recording(n_channels=3, duration_s=10.0, sfreq=100.0)
    series = dataclasses.replace(recording["eeg"], breaks=(450, 600))  # runs of 4.5, 1.5 and 4 s
    recording = dataclasses.replace(
        recording, signals={"eeg": series}, events=Events.of([0.5, 1.0, 4.7], ["a", "b", "c"])
    )
    data = Dataset(name="x", table=[{"subject": "7"}], open=lambda i: recording, licence="CC0", citation="me")
    corpus = prepare(data, CONTRACT, tmp_path / "out", window_s=2.0)
    (shard,) = corpus.shards
    assert (shard.n_windows, shard.n_samples, shard.short) == (5, 200, ((2, 150),))
    assert shard.seconds == 9.5
    assert (shard.source, shard.licence) == ("x#0", "CC0")
    store = corpus.open(shard)
    assert store.columns["event"].tolist() == ["a", "", "c", "", ""]
    assert not store.read([2])[0, :, 150:].any()
    assert store.columns["start_s"].tolist() == [0, 2, 4.5, 6, 8]


def test_named_data_sets_bring_their_licence(tmp_path: Path) -> None:
    contract = SeriesContract(sfreq=100.0, min_sfreq=50.0, window_s=1.0, min_window_s=0.5)
    corpus = prepare(["eeglab-attention"], contract, tmp_path / "out")
    (shard,) = corpus.shards
    assert shard.source == "eeglab-attention#0"
    assert shard.licence.startswith("BSD-2-Clause")
    assert corpus.summary()["licences"] == {shard.licence: 1}


def test_a_bids_tree_gives_its_raw_recordings(tmp_path: Path) -> None:
    root = tmp_path / "bids"
    names = [
        "sub-1/ses-2/eeg/sub-1_ses-2_task-x_run-3_eeg",
        "derivatives/sub-1_eeg",
        "sub-1/meg/sub-1_acq-crosstalk_meg",
    ]
    names += ["sub-1/meg/sub-1_split-01_meg", "sub-1/meg/sub-1_split-02_meg"]
    for name in names:
        write(root / f"{name}.nkfm.h5")
    (root / "dataset_description.json").write_text('{"Name": "x", "License": "CC0"}')
    found = find_sources([root], outside=tmp_path / "out")
    assert [Path(source.key).name.split(".")[0] for source in found] == [Path(names[3]).name, Path(names[0]).name]
    info = found[1].open().info
    assert (info.subject, info.session, info.task, info.run, info.licence) == ("1", "2", "x", "3", "CC0")
    (explicit,) = find_sources([root / "derivatives"], outside=tmp_path / "out")
    assert explicit.open().info.subject == "1"


def test_a_corpus_among_its_sources_is_not_one_of_them(sources: Path) -> None:
    for name in ("corpus", "corpus", "another"):
        corpus = prepare(sources, CONTRACT, sources / name)
        assert (len(corpus.shards), corpus.skipped) == (3, ())


def test_a_damaged_shard_is_named(sources: Path, tmp_path: Path) -> None:
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    bad = corpus.path / corpus.shards[1].file
    content = bytearray(bad.read_bytes())
    content[corpus.open(corpus.shards[1])._place[0] + 5] ^= 1
    bad.write_bytes(content)
    with pytest.raises(StoreError, match=rf"1 of 3 shards are damaged(.|\n)*{bad.name}: .*windows changed"):
        corpus.verify()


@pytest.mark.parametrize(
    "text", ["{", '{"format": 1}', "[]", '{"format": 1, "cutting": {}, "shards": [{}], "skipped": []}']
)
def test_a_damaged_manifest_says_so_and_is_rebuilt(sources: Path, tmp_path: Path, text: str) -> None:
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    (corpus.path / MANIFEST).write_text(text)
    with pytest.raises(
        StoreError,
        match=r"manifest.json is damaged .*delete it and run `nkfm prepare` again, which rebuilds it from the shards",
    ):
        Corpus(corpus.path)
    (corpus.path / MANIFEST).unlink()
    assert prepare(sources / "sub-01", CONTRACT, corpus.path).shards == corpus.shards


def test_a_manifest_of_a_later_format_asks_for_an_upgrade(sources: Path, tmp_path: Path) -> None:
    corpus = prepare(sources, CONTRACT, tmp_path / "out")
    values = json.loads((corpus.path / MANIFEST).read_text())
    (corpus.path / MANIFEST).write_text(json.dumps({**values, "format": 2}))
    with pytest.raises(StoreError, match="has format 2, .*reads format 1. Upgrade"):
        Corpus(corpus.path)


def test_dask_that_is_missing_says_how_to_get_it(sources: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency, match=r"dask cluster needs distributed(.|\n)*neurokit-fm\[cluster\]"):
        prepare(sources, CONTRACT, tmp_path / "out", backend="dask")


@pytest.mark.slow
def test_several_processes_make_the_same_corpus(sources: Path, tmp_path: Path) -> None:
    (sources / "broken.edf").write_text("nothing")
    one, two = (prepare(sources, CONTRACT, tmp_path / f"{jobs}", jobs=jobs) for jobs in (1, 2))
    assert one.shards == two.shards
    assert one.skipped == two.skipped


def test_a_contract_is_read_from_a_file_a_folder_or_the_catalogue(tmp_path: Path) -> None:
    values = write_contract(CONTRACT)
    (tmp_path / "contract.json").write_text(json.dumps(values))
    (tmp_path / "config.json").write_text(json.dumps({"neurokit_fm": {}, "contract": values}))
    assert load_contract(tmp_path / "contract.json") == CONTRACT
    assert load_contract(tmp_path) == CONTRACT
    assert load_contract("reve-base").sfreq == 200.0
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(WeightsError, match="other.json holds no contract"):
        load_contract(tmp_path / "other.json")
    with pytest.raises(UnknownName, match="no contract 'reve-bass'.*Did you mean 'reve-base'"):
        load_contract("reve-bass")


def run(capsys, *line: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(line)
    return left.value.code, *capsys.readouterr()


def test_the_command_prepares_and_info_describes(sources: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "c.json").write_text(json.dumps(write_contract(CONTRACT)))
    line = ["prepare", str(sources), "--contract", str(tmp_path / "c.json"), "-o", str(tmp_path / "out")]
    code, out, _ = run(capsys, *line)
    assert (code, out) == (
        0,
        f"{tmp_path / 'out'}: 3 recordings of 3 subjects, 12 windows of 2 s, 0.007 h, 4 to 6 channels\n",
    )
    (facts,) = json.loads(run(capsys, "info", str(tmp_path / "out"), "--json")[1])
    assert (facts["kind"], facts["windows"], facts["contract"]["sfreq"]) == ("corpus", 12, 100.0)
    (sources / "broken.edf").write_text("nothing")
    code, out, err = run(capsys, *line)
    assert code == 1
    assert "SKIPPED" in err
    assert "broken.edf" in err
    code, out, _ = run(capsys, *line, "--json")
    assert code == 1
    assert json.loads(out)["recordings"] == 3
    assert "broken.edf" in json.loads(out)["skipped"][0]


def test_a_recipe_says_what_its_corpora_are_made_of(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = {**write_contract(CONTRACT), "min_window_s": 0.5, "window_s": 0.5}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    text = "\n".join(
        [
            'out = "run"',
            'model = { name = "mae" }',
            "train = { steps = 1 }",
            "[contract]",
            *lines,
            "[[data]]",
            'corpus = "made"',
            'dataset = "finger-movements-repaired"',
            'split = "given"',
        ]
    )
    Path("r.toml").write_text(text)
    code, out, _ = run(capsys, "prepare", "r.toml", "--json")
    (facts,) = json.loads(out)
    assert (code, facts["windows"], facts["recordings"]) == (0, 316, 1)  # no test trial
    assert facts["made_of"] == "finger-movements-repaired, only the training part of the split 'given'"
    Path("r.toml").write_text(text.replace('split = "given"', ""))
    assert run(capsys, "prepare", "r.toml")[0] != 0  # the folder is made of something else
    assert run(capsys, "prepare", "r.toml", "-o", "x")[0] == 2
    assert run(capsys, "prepare", str(tmp_path))[0] == 2


def test_plain_files_get_the_licence_that_is_given(sources: Path, tmp_path: Path) -> None:
    corpus = prepare(sources, CONTRACT, tmp_path / "out", licence="CC0")
    assert {shard.licence for shard in corpus.shards} == {"CC0"}


def test_sources_that_match_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recording matches"):
        prepare(tmp_path / "*.edf", CONTRACT, tmp_path / "out")
    with pytest.raises(DataError, match="holds no recording that a reader knows"):
        prepare(tmp_path, CONTRACT, tmp_path / "out")
