"""BIDS trees that the simulator wrote come back as they were, with who, when and what; labels, parts, sites."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError
from neurokit_fm.probing import Protocol, evaluate, plain_methods

pytest.importorskip("mne_bids")
pytest.importorskip("edfio")

CONFIG = {"subjects": 4, "sessions": 1, "duration_s": 40, "sfreq": 128, "activity": {"background_sources": 8}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[nkfm.Dataset, Path]:
    from nkfm_bids.write import write_bids

    source = nkfm.datasets.load("simulated")(CONFIG)
    table = [
        {**row, "group": "AB"[i % 2], "site": "one" if i < 2 else "two", "age": 20 + i}
        for i, row in enumerate(source.table)
    ]
    source = replace(source, table=table)
    root = tmp_path_factory.mktemp("bids") / "tree"
    return source, write_bids(source, root, columns=("group", "site", "age"))


def test_a_tree_comes_back_as_it_was(tree: tuple[nkfm.Dataset, Path]) -> None:
    source, root = tree
    data = nkfm.datasets.load("bids")(
        str(root), labels=["left", "right"], parts={"train": ["sim01", "sim02"], "test": ["sim03"]}
    )
    assert [row["subject"] for row in data.table] == ["sim01", "sim02", "sim03", "sim04"]
    assert [row.get("part") for row in data.table] == ["train", "train", "test", None]
    assert [row["site"] for row in data.table] == ["one", "one", "two", "two"]
    assert [row["age"] for row in data.table] == [20, 21, 22, 23]
    assert (data.licence, data.label_of) == (source.licence, {"left": "left", "right": "right"})
    assert "Simulated by neurokit_fm" in data.citation
    for row in (0, 3):
        one, two = source[row], data[row]
        _, a = one.series("eeg")
        _, b = two.series("eeg")
        assert a.channels.name == b.channels.name
        assert b.sfreq == 128
        assert np.allclose(a.read(), b.read()[:, : a.n_samples], atol=1e-7)  # 16 bits of half a millivolt or so
        assert np.allclose(a.channels.position, b.channels.position, atol=1e-4)
        mine, theirs = (r.events.labelled("left", "right") for r in (one, two))
        assert mine.label == theirs.label
        assert np.allclose(mine.onset, theirs.onset, atol=1 / 128)
        assert np.allclose(theirs.duration, 2.0)
        assert two.info.subject == f"sim0{row + 1}"


def test_a_column_of_the_participants_table_can_be_predicted(tree: tuple[nkfm.Dataset, Path]) -> None:
    _, root = tree
    data = nkfm.datasets.load("bids")(str(root), target="group")
    assert [row["group"] for row in data.table] == ["A", "B", "A", "B"]
    kept = (root / "participants.tsv").read_text()
    people = list(csv.DictReader(kept.splitlines(), delimiter="\t"))
    people[1]["group"] = "n/a"
    with (root / "participants.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, people[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(people)
    try:
        assert len(nkfm.datasets.load("bids")(str(root), target="group")) == 3
    finally:
        (root / "participants.tsv").write_text(kept)


def test_trials_are_moved_and_stretched_and_can_be_told_apart(tree: tuple[nkfm.Dataset, Path]) -> None:
    _, root = tree
    data = nkfm.datasets.load("bids")(str(root), labels={"left": "L", "right": "R"}, start_s=0.25, trial_s=1.5)
    plain, moved = nkfm.datasets.load("bids")(str(root), labels=["left"])[0].events, data[0].events
    a, b = plain.labelled("left", "right"), moved.labelled("left", "right")
    assert np.allclose(b.onset, a.onset + 0.25)
    assert np.allclose(b.duration, 1.5)
    assert plain.labelled("blink") == moved.labelled("blink")
    found = evaluate([], data, Protocol(by="cross-site"), plain=plain_methods()[1:2])
    assert found.baselines[0].n_test == sum(len(rec.events.labelled("left", "right")) for rec in data)
    assert not found.warnings


def test_what_is_not_there_is_said(tree: tuple[nkfm.Dataset, Path], tmp_path: Path) -> None:
    _, root = tree
    bids = nkfm.datasets.load("bids")
    with pytest.raises(FileNotFoundError, match="is not a BIDS tree: it has no dataset_description"):
        bids(str(tmp_path))
    with pytest.raises(DataError, match="holds no recording with task sleep; it has 0"):
        bids(str(root), task="sleep")
    with pytest.raises(DataError, match="no recording with a diagnosis; it has 4 recordings"):
        bids(str(root), target="diagnosis")
    with pytest.raises(DataError, match="has no subject sim09 named in parts"):
        bids(str(root), labels=["left"], parts={"test": ["sim09"]})
    from nkfm_bids.write import write_bids

    with pytest.raises(DataError, match="exists; a BIDS tree is written into a new folder"):
        write_bids(tree[0], root)
