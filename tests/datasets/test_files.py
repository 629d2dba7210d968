"""Labelled files, epochs and Zarr windows as data sets."""

import json
import warnings
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


@pytest.mark.parametrize("continuous", [False, True])
def test_windows_in_zarr_folders(tmp_path: Path, continuous: bool) -> None:
    zarr = pytest.importorskip("zarr")
    folder = tmp_path / "mine" / "sourcedata" / "braindecode"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(folder / "dataset.zarr", mode="w")
        root.attrs.update({"n_datasets": 2, "dataset_type": "EEGWindowsDataset" if continuous else "WindowsDataset"})
        for i in range(2):
            one = epochs(i)
            x = one.get_data()
            group = root.create_group(f"recording_{i}")
            stored = x.swapaxes(0, 1).reshape(3, -1) if continuous else x
            array = group.create_array("data", shape=stored.shape, dtype="float32")
            array[:] = 1e6 * stored
            group.attrs.update(
                {"description": {"subject": i + 1, "session": "0"}, "info": one.info.to_json_dict(), "target_name": "y"}
            )
            lines = ["\ti_window_in_trial\ti_start_in_trial\ti_stop_in_trial\ttarget"]
            lines += [f"{k}\t0\t{50 * k}\t{50 * k + 50}\t{code}" for k, code in enumerate(one.events[:, 2])]
            (folder / "dataset.zarr" / f"recording_{i}" / "metadata.tsv").write_text("\n".join(lines))
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "made", "License": "CC0"}))
    make = nkfm.datasets.load("zarr-windows")
    data = make(str(tmp_path / "mine"), unit="uV", parts={"train": ["1"], "test": ["2"]})
    assert (data.name, data.licence, data.label_of) == ("made", "CC0", {"1": "1", "2": "2"})
    assert [row["part"] for row in data.table] == ["train", "test"]
    trials = raw_trials(data)
    assert np.allclose(trials.x, np.concatenate([epochs(i).get_data() for i in range(2)]), atol=1e-10)
    assert trials.y.tolist() == [str(code) for i in range(2) for code in epochs(i).events[:, 2]]
    assert evaluate([], data, Protocol(), plain=plain_methods()[:1]).baselines[0].value > 0.9
    with pytest.raises(FileNotFoundError, match="holds no dataset.zarr"):
        make(str(tmp_path / "other"))
    with pytest.raises(DataError, match="has no column 'stage'; columns: i_window_in_trial"):
        make(str(tmp_path / "mine"), target="stage")
