"""Labelled files and epochs as data sets."""

from pathlib import Path

import mne
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError
from neurokit_fm.probing import Protocol, evaluate, plain_methods, raw_trials

NAMES = ["Fz", "Cz", "Pz"]


def raw(seed: int, n: int = 500) -> mne.io.RawArray:
    rng = np.random.default_rng(seed)
    return mne.io.RawArray(1e-5 * rng.normal(size=(3, n)), mne.create_info(NAMES, 100.0, "eeg"), verbose="ERROR")


def epochs(seed: int, n: int = 12) -> mne.EpochsArray:
    rng = np.random.default_rng(seed)
    codes = rng.permutation([1, 2] * (n // 2))
    events = np.stack([np.arange(n) * 50, np.zeros(n, int), codes], axis=1)
    x = 1e-5 * rng.normal(size=(n, 3, 50))
    x[codes == 2, 1] += 3e-5
    info = mne.create_info(NAMES, 100.0, "eeg")
    return mne.EpochsArray(x, info, events, event_id={"rest": 1, "move": 2}, verbose="ERROR")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_folder_with_a_table_of_labels(tmp_path: Path, delimiter: str) -> None:
    lines = [["file", "subject", "label", "age", "has"]]
    for i in range(4):
        raw(i).save(tmp_path / f"r{i}_raw.fif", verbose="ERROR")
        lines.append([f"r{i}_raw.fif", f"s{i}", "ill" if i % 2 else "well", f"{30 + i}", "a|b" if i else "b"])
    (tmp_path / "labels.csv").write_text("\n".join(delimiter.join(line) for line in lines))
    make = nkfm.datasets.load("labelled-files")
    data = make(str(tmp_path / "labels.csv"))
    assert [row["label"] for row in data.table] == ["well", "ill", "well", "ill"]
    assert data[2].info.subject == "s2"
    trials = raw_trials(data)
    assert (trials.kind, trials.x.shape) == ("classes", (4, 3, 400))
    assert raw_trials(make(str(tmp_path / "labels.csv"), target="age")).y.tolist() == [30, 31, 32, 33]
    assert raw_trials(make(str(tmp_path / "labels.csv"), target="has")).kind == "labels"
    with pytest.raises(DataError, match="has no column 'lable'. Did you mean 'label'"):
        make(str(tmp_path / "labels.csv"), target="lable")
    (tmp_path / "r2_raw.fif").unlink()
    with pytest.raises(FileNotFoundError, match="1 recordings are not in .*r2_raw.fif"):
        make(str(tmp_path / "labels.csv"))


def test_a_table_that_says_too_little_is_refused_with_its_line(tmp_path: Path) -> None:
    make, table = nkfm.datasets.load("labelled-files"), tmp_path / "labels.csv"
    raw(0).save(tmp_path / "r_raw.fif", verbose="ERROR")
    for text, message in (
        ("file,age\n", "labels.csv has a header and no rows"),
        ("", "has no column 'file'. Columns: none"),
        ("file,age\nr_raw.fif,3\nr_raw.fif,nan\nr_raw.fif,inf\n", "'age' is no finite number in line 3, 4"),
        ("file,age\nr_raw.fif,3\nr_raw.fif\n", "'age' or 'file' is empty in line 3"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=message):
            make(str(table), target="age")


def test_epochs_in_files_and_in_memory(tmp_path: Path) -> None:
    make = nkfm.datasets.load("epochs-files")
    many = [epochs(i) for i in range(3)]
    for i, one in enumerate(many):
        one.save(tmp_path / f"s{i}-epo.fif", verbose="ERROR")
    files = [str(tmp_path / f"s{i}-epo.fif") for i in range(3)]
    data, held = make(files), make(many)
    assert data.label_of == {"move": "move", "rest": "rest"}
    assert np.allclose(raw_trials(data).x, np.concatenate([e.get_data() for e in many]), atol=1e-11)
    assert np.array_equal(raw_trials(data).y, raw_trials(held).y)
    found = evaluate([], data, Protocol(by="cross-subject", n_folds=0), plain=plain_methods()[:1])
    assert found.baselines[0].value > 0.9
    with pytest.raises(FileNotFoundError, match="no such file: .*gone-epo.fif"):
        make([str(tmp_path / "gone-epo.fif")])
    with pytest.raises(DataError, match="the table has 1 rows for 3 files"):
        make(files, table=[{"subject": "1"}])
