"""A folder of NWB files is a labelled data set: a dandiset that the simulator wrote, and a BIDS tree."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli.main import cli
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.probing import Protocol, evaluate, plain_methods

from .nwb_files import VOLTS, blank, electrodes, pynwb, voltages, write

CONFIG = {"subjects": 3, "sessions": 2, "duration_s": 24, "sfreq": 100, "activity": {"background_sources": 8}}


@pytest.fixture(scope="module")
def dandiset(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[nkfm.Recording], Path]:
    """Eight channels of simulated EEG as a dandiset: what was written, and where."""
    source = []
    for recording in nkfm.datasets.load("simulated")(CONFIG):
        _, eeg = recording.series("eeg")
        eeg = replace(eeg, data=eeg.read()).take(np.arange(2, 10))
        source.append(replace(recording, signals={"eeg": eeg}))
    root = tmp_path_factory.mktemp("nwb") / "000001"
    for number, recording in enumerate(source):
        eeg = recording["eeg"]
        who, when = recording.info.subject, recording.info.session
        nwb = blank(who, session_id=when, institution="AB"[number % 2], related_publications=("doi:10.1/one",))
        nwb.subject.genotype = "wt" if number < 4 else "tg"
        places = {
            axis: (1e3 * eeg.channels.position[:, i]).tolist() for i, axis in enumerate("xyz")
        }  # x, y, z have a column
        region = electrodes(nwb, list(eeg.channels.name), "scalp", bad=eeg.channels.bad.tolist())
        for axis, values in places.items():
            nwb.electrodes.add_column(axis, axis, data=values)
        packed = pynwb.H5DataIO(np.rint(eeg.read().T / VOLTS).astype("int32"), chunks=(500, 8), compression="gzip")
        nwb.add_acquisition(voltages(region, packed, "EEG", rate=eeg.sfreq, starting_time=5.0))
        for name in ("trial_type", "effort"):
            nwb.add_trial_column(name, name)
        trials = recording.events.labelled("left", "right")
        for i, (onset, length, label) in enumerate(zip(trials.onset, trials.duration, trials.label, strict=True)):
            nwb.add_trial(
                start_time=onset + 5,
                stop_time=onset + length + 5,
                trial_type=label,
                effort=float("nan") if i == 0 else i / 8,
            )
        write(nwb, root / f"sub-{who}" / f"sub-{who}_ses-{when}_ecephys.nwb")
    (root / "dandiset.yaml").write_text("name: hands\nlicense: ['spdx:CC0-1.0']\ncitation: Us (2026)\n")
    return source, root


def test_a_file_comes_back_as_it_was(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    source, root = dandiset
    path = next(root.glob("sub-sim-01/*ses-1*"))
    wrote, read = source[0], nkfm.read(path)
    _, a = wrote.series("eeg")
    name, b = read.series("eeg")
    assert (name, b.sfreq, b.start) == ("EEG", a.sfreq, 5.0)
    assert b.channels.name == a.channels.name
    assert np.array_equal(b.channels.bad, a.channels.bad)
    assert b.read() == pytest.approx(a.read(), abs=0.6 * VOLTS)
    mine, theirs = wrote.events.labelled("left", "right"), read.events
    assert theirs.label == mine.label
    assert theirs.onset == pytest.approx(mine.onset + 5)
    assert theirs.duration == pytest.approx(mine.duration)
    assert theirs.columns["effort"][1:].tolist() == [i / 8 for i in range(1, len(theirs))]
    assert set(theirs.columns["table"]) == {"trials"}
    info = read.info
    assert (info.subject, info.session, info.citation) == ("sim-01", "1", "doi:10.1/one")
    assert {key: info.facts[key] for key in ("species", "sex", "age", "genotype", "institution")} == {
        "species": "Mus musculus", "sex": "F", "age": "P90D", "genotype": "wt", "institution": "A",
    }  # fmt: skip
    assert not b.channels.has_position.any()  # millimetres or micrometres, nobody knows
    assert any("x, y, z of the electrodes are not used" in step for step in info.steps)
    assert np.allclose(b.channels.columns["x"], 1e3 * a.channels.position[:, 0])


def test_positions_are_used_once_their_unit_and_frame_are_said(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    source, root = dandiset
    load = nkfm.datasets.load("nwb")
    path = str(next(root.glob("sub-sim-01/*ses-1*")))
    placed = load(path, position_unit="mm", frame="head")[0]["EEG"].channels
    assert placed.frame == "head"
    assert np.allclose(placed.position, source[0]["eeg"].channels.position)
    with pytest.raises(ConfigError, match="position_unit and frame go together"):
        load(path, position_unit="mm")[0]
    with pytest.raises(ConfigError, match="position_unit must be one of m, mm, um"):
        load(path, position_unit="inch", frame="head")[0]


def test_a_dandiset_is_a_labelled_data_set(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    source, root = dandiset
    data = nkfm.datasets.load("nwb")(
        str(root), label_column="trial_type", parts={"train": ["sim-01"], "test": ["sim-02"]}
    )
    assert (data.name, data.licence, data.citation) == ("hands", "CC0-1.0", "Us (2026)")
    assert data.label_of == {"left": "left", "right": "right"}
    assert [(row["subject"], row["session"]) for row in data.table] == [
        (r.info.subject, r.info.session) for r in source
    ]
    assert [row.get("part") for row in data.table] == ["train"] * 2 + ["test"] * 2 + [None] * 2
    assert [row["site"] for row in data.table] == ["A", "B"] * 3
    assert data.table[0]["file"] == "sub-sim-01/sub-sim-01_ses-1_ecephys.nwb"
    assert data.table[0]["age_days"] == 90
    assert data[0].info.licence == "CC0-1.0"
    named = nkfm.datasets.load("nwb")(
        [str(root / "sub-sim-01" / "*.nwb")], labels={"left": "L"}, licence="mine", citation="me"
    )
    assert (len(named), named.label_of, named.licence, named.citation) == (2, {"left": "L"}, "mine", "me")
    for by in ("cross-subject", "cross-site"):
        found = evaluate([], data, Protocol(by=by, n_folds=2), plain=plain_methods()[1:2])  # type: ignore[arg-type]
        assert found.baselines[0].n_test == sum(len(rec.events.labelled("left", "right")) for rec in source)


def test_trials_are_moved_and_may_have_a_quantity(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    _, root = dandiset
    load = nkfm.datasets.load("nwb")
    plain = nkfm.read(next(root.glob("sub-sim-01/*ses-1*"))).events
    moved = load(str(root / "sub-sim-01"), labels=["left", "right"], start_s=0.25, trial_s=1.5)[0].events
    assert moved.onset == pytest.approx(plain.onset + 0.25)
    assert set(moved.duration) == {1.5}
    data = load(str(root), target="effort")
    assert data.label_of == {"trials": "trials"}
    assert data[0].events.columns["effort"].tolist() == plain.columns["effort"].tolist()[1:]  # the first is not known
    found = evaluate([], data, Protocol(by="cross-subject", n_folds=2), plain=plain_methods()[1:2])
    assert found.baselines[0].metric == "R2"
    assert (
        load(str(root / "sub-sim-01"), labels=["left"], target="effort")[0]
        .events.labelled("left")
        .columns["effort"]
        .size
    )


def test_whole_recordings_are_told_by_their_subjects(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    _, root = dandiset
    data = nkfm.datasets.load("nwb")(str(root), target="institution")
    assert [row["genotype"] for row in data.table] == ["wt"] * 4 + ["tg"] * 2
    found = evaluate([], data, Protocol(by="cross-subject", n_folds=0), plain=plain_methods()[1:2])
    assert found.baselines[0].n_test == len(data) == 6
    aged = nkfm.datasets.load("nwb")(str(root / "sub-sim-01"), target="age_days")
    assert [row["age_days"] for row in aged.table] == [90.0, 90.0]


def test_the_command_line_probes_a_folder(dandiset: tuple[list[nkfm.Recording], Path]) -> None:
    _, root = dandiset
    settings = [
        "--set",
        f"root={root}/sub-sim-0[12]/*.nwb",
        "--set",
        "label_column=trial_type",
        "--by",
        "cross-subject",
        "--folds",
        "2",
    ]
    done = CliRunner().invoke(cli, ["probe", "--data", "nwb", *settings, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)


def test_what_a_data_set_lacks_is_said(dandiset: tuple[list[nkfm.Recording], Path], tmp_path: Path) -> None:
    _, root = dandiset
    load = nkfm.datasets.load("nwb")
    for settings, said in [
        ({"label_column": "trial_typ"}, "and 1 more.* has no column 'trial_typ' .*Did you mean 'trial_type'"),
        (
            {"labels": ["lefft"]},
            "no file has the label 'lefft' among the events. Did you mean 'left'.* Labels: left, right",
        ),
        ({"label_column": "effort", "target": "force"}, "has no column 'force'"),
        ({"target": "genotpye"}, "has no column 'genotpye' .* Did you mean 'genotype'.*columns of the table: age, "),
        ({"labels": ["left"], "parts": {"test": ["sim-09"]}}, "has no subject sim-09 named in parts"),
    ]:
        with pytest.raises(DataError, match=said):
            load(str(root / "sub-sim-01"), **settings)
    copied = Path(shutil.copy(next(root.glob("sub-sim-02/*ses-1*")), tmp_path / "sub-b.nwb"))
    with h5py.File(copied, "a") as file:
        file["intervals/trials/trial_type"][:] = "rest"
    files = [str(root / "sub-sim-01"), str(copied)]
    with pytest.raises(DataError, match="sub-b.nwb has no trial labelled left, right in column 'trial_type'"):
        load(files, label_column="trial_type", labels=["left", "right"])
    with pytest.raises(FileNotFoundError, match="no file matches: nowhere"):
        load("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no .nwb file"):
        load(str(tmp_path / "empty"))
    (tmp_path / "dandiset.yaml").write_text("a: [")
    with pytest.raises(DataError, match="dandiset.yaml is not YAML"):
        load(str(tmp_path))


def test_a_bids_tree_may_hold_nwb(tmp_path: Path) -> None:
    pytest.importorskip("mne_bids")
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a", "b"]), np.zeros((900, 2)), rate=100.0, starting_time=3.0))
    nwb.add_trial(start_time=4.0, stop_time=5.0)
    path = write(nwb, tmp_path / "sub-01" / "ieeg" / "sub-01_task-grasp_ieeg.nwb")
    (tmp_path / "dataset_description.json").write_text('{"Name": "grasp", "BIDSVersion": "1.8.0", "License": "CC0"}')
    data = nkfm.datasets.load("bids")(str(tmp_path), labels=["left"], trial_s=1.0)
    assert data[0].events.label == ("trials",)
    told = "onset\tduration\ttrial_type\n2.5\tn/a\tright\n1.5\t0.5\tleft\n"
    path.with_name("sub-01_task-grasp_events.tsv").write_text(told)
    recording = data[0]
    assert recording["ElectricalSeries"].modality == "ieeg"
    assert (recording.info.subject, recording.info.task, recording.info.licence) == ("01", "grasp", "CC0")
    assert recording.events.label == ("left", "right")
    assert recording.events.onset.tolist() == [4.5, 5.5]  # the tree counts from the first sample
    assert recording.events.duration.tolist() == [1.0, 0.0]
