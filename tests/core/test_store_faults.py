"""The store where things go wrong: full disks, changed bytes, files of others and of the future."""

import errno
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

import neurokit_fm as nkfm
from neurokit_fm import Channels, Events, Info, Recording, TimeSeries
from neurokit_fm.data import store_file
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.data.store import open_recording, save_recording, verify
from neurokit_fm.errors import StoreError

from .test_store import assert_same, everything


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("what", ["os.fsync", "h5py.Dataset.__setitem__", "h5py.Group.create_dataset", "os.replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, what):
    path = tmp_path / "a.h5"
    save_recording(everything(seed=1), path)
    monkeypatch.setattr(what, full_disk)
    with pytest.raises(
        StoreError, match=r"a\.h5: cannot be written: No space left.* it needs .*Nothing was left"
    ) as info:
        save_recording(everything(seed=2), path)
    assert info.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    assert_same(everything(seed=1), open_recording(path, verify=True))


def test_too_little_space_is_noticed_before_writing(tmp_path):
    class Huge:
        shape, dtype = (1, 10**16), np.dtype(np.float32)

        def __getitem__(self, index):
            raise AssertionError("nothing must be read")

    series = TimeSeries(data=Huge(), sfreq=1.0, channels=Channels.of(["a"]))
    with pytest.raises(StoreError, match=r"it needs 40,000,000,000\.0 MB, .* are free"):
        save_recording(Recording(signals={"eeg": series}), tmp_path / "a.h5")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match="there is no folder .*nowhere; create it first"):
        save_recording(everything(), tmp_path / "nowhere" / "a.h5")


def test_a_failing_source_leaves_nothing(tmp_path):
    class Broken:
        shape, dtype = (1, 10), np.dtype(np.float32)

        def __getitem__(self, index):
            raise KeyError("gone")

    series = TimeSeries(data=Broken(), sfreq=1.0, channels=Channels.of(["a"]))
    with pytest.raises(KeyError, match="gone"):
        save_recording(Recording(signals={"eeg": series}), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"info": Info(facts={"x": object()})}, "info.facts must be JSON-able"),
        ({"info": Info(source="a\0b")}, "cannot be stored"),
        ({"events": Events.of([1.0], ["a\0b"])}, "zero character"),
        ({"events": Events.of([1.0], ["a"], columns={"x": np.array([{}])})}, "'x' holds |O; only numbers"),
    ],
)
def test_what_cannot_be_stored_is_said(tmp_path, change, match):
    with pytest.raises(StoreError, match=match):
        save_recording(replace(everything(), **change), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_every_changed_byte_of_content_is_found(tmp_path):
    path = tmp_path / "a.h5"
    save_recording(everything(n_samples=50), path)
    good = path.read_bytes()
    with h5py.File(path) as file:
        spans = []
        file.visititems(
            lambda name, d: (
                spans.append((name, d.id.get_offset(), d.id.get_storage_size()))
                if isinstance(d, h5py.Dataset) and d.size
                else None
            )
        )
    assert len(spans) > 40
    for name, offset, size in spans:
        damaged = bytearray(good)
        damaged[offset + size // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match="changed since it was written|damaged"):
            verify(path)
        if name == "signals/spikes/marks":
            open_recording(path)
            with pytest.raises(StoreError, match="signals/spikes/marks changed"):
                open_recording(path, verify=True)


def test_changed_attributes_are_found(tmp_path):
    path = tmp_path / "a.h5"
    save_recording(everything(), path)
    before = verify(path)
    for where, label, value in [("/", "licence", "mine"), ("signals/spikes", "modality", "eeg")]:
        save_recording(everything(), path)
        assert verify(path) == before
        with h5py.File(path, "a") as file:
            file[where].attrs[label] = value
        with pytest.raises(StoreError, match="attributes changed"):
            verify(path)


def test_flipping_any_byte_never_ends_in_a_foreign_error(tmp_path):
    path = tmp_path / "a.h5"
    recording = nkfm.from_array(np.zeros((2, 10), np.float32), sfreq=1, names=["a", "b"])
    save_recording(recording, path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    found = 0
    for place in rng.integers(0, len(good), 300):
        damaged = bytearray(good)
        damaged[place] ^= 0x15
        path.write_bytes(damaged)
        try:
            open_recording(path, verify=True)
        except StoreError:
            found += 1
    assert found > 30


def test_a_truncated_file_says_so(tmp_path):
    path = tmp_path / "a.h5"
    save_recording(everything(n_samples=4000), path)
    good = path.read_bytes()
    for share in (0.99, 0.5, 0.1):
        path.write_bytes(good[: int(len(good) * share)])
        with pytest.raises(StoreError, match="cut short"):
            open_recording(path)


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    for content in (b"", b"hello" * 1000):
        path.write_bytes(content)
        with pytest.raises(StoreError, match="not an HDF5 file"):
            open_recording(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(StoreError, match="not one that neurokit_fm wrote"):
        open_recording(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_recording(tmp_path / "b.h5")


def test_a_later_format_says_which_version_wrote_it(tmp_path):
    path = tmp_path / "a.h5"
    save_recording(everything(), path)
    with h5py.File(path, "a") as file:
        file.attrs["format"], file.attrs["neurokit_fm"] = 2, "9.9"
    with pytest.raises(StoreError, match=r"format 2, written by neurokit_fm 9\.9; .* reads format 1. Upgrade"):
        open_recording(path)


def test_another_kind_says_what_opens_it(tmp_path):
    path = tmp_path / "a.h5"
    with store_file.writing(path, "embedding", needed=0, attributes={}) as file:
        store_file.write_array(file, "values", np.zeros((2, 3)))
    verify(path)
    with pytest.raises(StoreError, match="holds 'embedding', not 'recording'; open it with neurokit_fm.Embedding.load"):
        nkfm.read(path)


def test_atomic_path_replaces_only_at_the_end(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(UnicodeEncodeError), atomic_path(path) as temporary:
        temporary.write_text("half \udcff")
    assert path.read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1
