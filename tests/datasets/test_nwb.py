"""NWB files that pynwb wrote come back as they were, lazily and in volts; a folder of them is a labelled data set."""

from __future__ import annotations

import json
import shutil
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli.main import cli
from neurokit_fm.errors import ConfigError, DataError, UnknownName
from neurokit_fm.probing import Protocol, evaluate, plain_methods

pynwb = pytest.importorskip("pynwb")

VOLTS = 2e-8
"""A step of the integers in the files made here."""

CONFIG = {"subjects": 3, "sessions": 2, "duration_s": 24, "sfreq": 100, "activity": {"background_sources": 8}}


def blank(subject: str = "m1", **known: Any) -> Any:
    """A file with nothing in it but a subject."""
    about = {"session_description": "a test", "identifier": "x", "institution": "one", **known}
    nwb = pynwb.NWBFile(session_start_time=datetime(2020, 1, 2, tzinfo=UTC), **about)
    nwb.subject = pynwb.file.Subject(subject_id=subject, species="Mus musculus", sex="F", age="P90D")
    return nwb


def electrodes(nwb: Any, names: list[str], group: str = "probe", column: str = "label", **columns: list[Any]) -> Any:
    """Rows of the electrodes table for some more electrodes, and the region of them."""
    device = nwb.create_device(name=f"device of {group}") if f"device of {group}" not in nwb.devices else None
    made = nwb.create_electrode_group(
        name=group, description=group, location="CA1", device=device or nwb.devices[f"device of {group}"]
    )
    first = 0 if nwb.electrodes is None else len(nwb.electrodes)
    if not first:
        for name in [column, *columns]:
            nwb.add_electrode_column(name, name)
    for i, name in enumerate(names):
        nwb.add_electrode(group=made, location="CA1", **{column: name}, **{k: v[i] for k, v in columns.items()})
    return nwb.create_electrode_table_region(region=list(range(first, first + len(names))), description="some")


def voltages(region: Any, data: Any, name: str = "ElectricalSeries", **timing: Any) -> Any:
    timing = timing or {"rate": 100.0}
    return pynwb.ecephys.ElectricalSeries(name=name, data=data, electrodes=region, conversion=VOLTS, **timing)


def write(nwb: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


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


def test_windows_are_read_without_the_rest(tmp_path: Path) -> None:
    nwb, n, chunk = blank(), 200_000, (2000, 16)
    stored = np.random.default_rng(0).integers(-99, 99, (n, 64), dtype=np.int16)
    region = electrodes(nwb, [f"c{i}" for i in range(64)])
    nwb.add_acquisition(voltages(region, pynwb.H5DataIO(stored, chunks=chunk), rate=1000.0))
    path = write(nwb, tmp_path / "long.nwb")
    del nwb
    tracemalloc.start()
    recording = nkfm.read(path)
    signal = recording["ElectricalSeries"]
    window = recording.crop(100.0, 100.5)["ElectricalSeries"].read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored.nbytes / 2
    volts = (stored.T * np.float32(VOLTS)).astype(np.float32)
    assert signal.data.dtype == np.float32
    assert window == pytest.approx(volts[:, 100_000:100_500], abs=1e-12)
    data = signal.data
    for index in [(3, slice(5, 9)), (slice(10, 20, 3), slice(0, 30, 7)), ([60, 2, 2], slice(4, None, 50_000)), ([1], 7), (slice(0, 0), slice(9))]:  # fmt: skip
        assert data[index] == pytest.approx(volts[index[0], :][..., index[1]], abs=1e-12)
        assert data[index].shape == volts[index[0], :][..., index[1]].shape
    assert signal.take([63, 0]).read(10, 12) == pytest.approx(volts[[63, 0], 10:12], abs=1e-12)
    with h5py.File(path, "a"):  # nothing is left open, so it can be written to
        pass


def test_conversion_by_channel_and_offset_give_volts(tmp_path: Path) -> None:
    nwb = blank()
    region = electrodes(nwb, ["a", "b"])
    module = nwb.create_processing_module("ecephys", "filtered")
    lfp, filtered = pynwb.ecephys.LFP(), pynwb.ecephys.FilteredEphys()
    module.add([lfp, filtered])
    data = np.array([[1.0, 2.0], [3.0, 4.0]])
    for box, rate in ((lfp, 2.0), (filtered, 4.0)):
        box.add_electrical_series(
            pynwb.ecephys.ElectricalSeries(
                name="ElectricalSeries", data=data, electrodes=region, rate=rate, conversion=1e-3, channel_conversion=[1.0, 10.0],
                offset=0.5,
            )
        )  # fmt: skip
    recording = nkfm.read(write(nwb, tmp_path / "two.nwb"))
    assert set(recording) == {"LFP/ElectricalSeries", "FilteredEphys/ElectricalSeries"}
    signal = recording["LFP/ElectricalSeries"]
    assert (signal.sfreq, signal.modality) == (2.0, "ieeg")
    assert signal.read() == pytest.approx(np.array([[0.501, 0.503], [0.52, 0.54]]))
    load = nkfm.datasets.load("nwb")
    assert list(load(str(tmp_path), signal="LFP/ElectricalSeries")[0]) == ["LFP/ElectricalSeries"]
    with pytest.raises(UnknownName, match=r"has no signal 'LFP'.* Signals: FilteredEphys/ElectricalSeries, LFP/Elec"):
        load(str(tmp_path), signal="LFP")
    with pytest.raises(DataError, match="holds 2 ieeg signals: .*; choose one with `signal`"):
        load(str(tmp_path), target="species")[0]


def test_gaps_of_timestamps_are_breaks(tmp_path: Path) -> None:
    nwb = blank()
    region = electrodes(nwb, ["a"])
    times = 10 + np.arange(1000) / 100 + np.where(np.arange(1000) >= 400, 7.0, 0.0)
    times += 1e-4 * np.random.default_rng(0).uniform(-1, 1, 1000)
    nwb.add_acquisition(voltages(region, np.arange(1000.0), timestamps=times))
    for start in (11.0, 15.0, 22.0):
        nwb.add_trial(start_time=start, stop_time=start + 0.5)
    for spikes in ([11.0, 22.0], [15.0]):
        nwb.add_unit(spike_times=spikes, obs_intervals=[[10.0, 14.0], [21.0, 27.0]])
    recording = nkfm.read(write(nwb, tmp_path / "gap.nwb"))
    signal, spikes = recording["ElectricalSeries"], recording["spikes"]
    assert signal.breaks == (400,)
    assert signal.sfreq == pytest.approx(100, rel=1e-4)
    assert signal.read().shape == (1, 1000)
    assert recording.events.onset == pytest.approx([11, 15], abs=1e-3)  # the gap is from 14 to 21 s
    assert spikes.times == pytest.approx([11, 15], abs=1e-3)  # where there was no signal there is no spike
    assert spikes.duration == pytest.approx(10, abs=1e-2)
    assert recording.info.steps[-2].startswith("joined 2 runs with gaps")
    assert recording.info.steps[-1] == "1 events within a gap were left out"


def test_even_timestamps_are_a_rate(tmp_path: Path) -> None:
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a"]), np.zeros(3000), timestamps=0.25 + np.arange(3000) / 1250))
    signal = nkfm.read(write(nwb, tmp_path / "even.nwb"))["ElectricalSeries"]
    assert (signal.sfreq, signal.start, signal.breaks) == (1250.0, 0.25, ())


def test_calcium_and_spikes_are_read_described_and_give_events(tmp_path: Path) -> None:
    nwb = blank()
    device = nwb.create_device(name="microscope")
    channel = pynwb.ophys.OpticalChannel(name="green", description="green", emission_lambda=500.0)
    plane = nwb.create_imaging_plane(
        name="plane", description="plane", optical_channel=channel, excitation_lambda=600.0, indicator="GCaMP6f", location="V1",
        device=device,
    )  # fmt: skip
    module = nwb.create_processing_module("ophys", "traces")
    segments = pynwb.ophys.ImageSegmentation()
    module.add(segments)
    cells = segments.create_plane_segmentation(name="cells", description="cells", imaging_plane=plane)
    cells.add_column("iscell", "by eye")
    for i in range(3):
        cells.add_row(image_mask=np.eye(4) * i, iscell=bool(i), id=10 + i)
    traces = np.random.default_rng(0).normal(size=(300, 2))
    for box in (pynwb.ophys.DfOverF(), pynwb.ophys.Fluorescence()):
        module.add(box)
        region = cells.create_roi_table_region(region=[1, 2], description="cells")
        box.create_roi_response_series(name="RoiResponseSeries", data=traces, rois=region, unit="n.a.", rate=30.0)
    nwb.add_unit_column("quality", "by eye")
    for times, quality in (([3.0, 1.0], "good"), ([], "mua"), ([2.0], "good")):
        nwb.add_unit(spike_times=times, quality=quality)
    nwb.add_epoch(1.0, 2.0, ["x"])
    nwb.add_time_intervals(pynwb.epoch.TimeIntervals(name="rewards", description="drops"))
    nwb.intervals["rewards"].add_column("volume", "ul")
    nwb.intervals["rewards"].add_column("correct", "or not")
    nwb.intervals["rewards"].add_row(start_time=4.0, stop_time=4.5, volume=2.5, correct=True)
    behaviour = nwb.create_processing_module("behavior", "licks")
    licks = pynwb.TimeSeries(name="lick", data=[1.0, 1.0], unit="n.a.", timestamps=[6.0, 7.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer files have tables of events, older ones have these
        nwb.add_acquisition(pynwb.misc.AnnotationSeries(name="notes", data=["sneeze"], timestamps=[0.5]))
        behaviour.add(pynwb.behavior.BehavioralEvents(time_series=licks))
    pulses = nwb.create_events_table(name="pulses", description="of light")
    pulses.add_event(timestamp=8.0)
    recording = nkfm.read(write(nwb, tmp_path / "sub-a_ses-b_ophys.nwb"))
    assert list(recording) == ["DfOverF/RoiResponseSeries", "Fluorescence/RoiResponseSeries", "spikes"]
    name, calcium = recording.series("calcium")
    assert (name, calcium.sfreq, calcium.channels.name) == ("DfOverF/RoiResponseSeries", 30.0, ("11", "12"))
    assert calcium.channels.kind == ("neuron", "neuron")
    assert calcium.channels.columns["iscell"].tolist() == [True, True]
    assert calcium.read() == pytest.approx(traces.T)
    spikes = recording["spikes"]
    assert spikes.times.tolist() == [1.0, 2.0, 3.0]
    assert spikes.source.tolist() == [0, 2, 0]
    assert spikes.channels.columns["quality"].tolist() == ["good", "mua", "good"]
    assert spikes.counts(1.0).tolist() == [[1, 0], [0, 0], [0, 1]]
    events = recording.events
    assert dict(zip(events.label, events.onset.tolist(), strict=False)) == {
        "sneeze": 0.5, "epochs": 1.0, "rewards": 4.0, "lick": 7.0, "pulses": 8.0,
    }  # fmt: skip
    assert events.columns["volume"][events.label.index("rewards")] == 2.5
    assert events.columns["correct"][events.label.index("rewards")] == "True"
    assert "3 channels, 3 events" in recording.describe()
    assert recording.info.session == "b"
    nkfm.data.store.save_recording(recording, tmp_path / "kept.nkfm.h5")
    assert nkfm.read(tmp_path / "kept.nkfm.h5").events == events
    shown = CliRunner().invoke(cli, ["info", str(tmp_path / "sub-a_ses-b_ophys.nwb")])
    assert shown.exit_code == 0
    assert "spikes: 3 channels, 3 events in 2.0 s" in shown.output


def extension(path: Path, at: str, kind: str = "Foo") -> None:
    """Give an object of a file a type of an extension that the file does not describe."""
    with h5py.File(path, "a") as file:
        file[at].attrs["namespace"], file[at].attrs["neurodata_type"] = "ndx-unknown", kind


def test_unknown_extensions_are_left_out_and_named(tmp_path: Path) -> None:
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a"]), np.zeros(300)))
    nwb.add_acquisition(pynwb.TimeSeries(name="sync", data=np.zeros(10), unit="V", rate=1.0))
    nwb.add_trial_column("side", "left or right")
    nwb.add_trial(start_time=1.0, stop_time=2.0, side="left")
    path = write(nwb, tmp_path / "x.nwb")
    for at in ("acquisition/sync", "general/devices/device of probe", "general/subject", "intervals/trials/side"):
        extension(path, at)
        recording = nkfm.read(path)
        assert recording["ElectricalSeries"].n_samples == 300
        assert f"{at} (ndx-unknown.Foo)" in recording.info.facts["not_read"]
    assert recording.info.subject == "m1"
    assert recording.events.columns["side"].tolist() == ["left"]
    extension(path, "acquisition/ElectricalSeries")
    with pytest.raises(
        DataError, match=r"holds no ElectricalSeries, .* it holds .*ElectricalSeries \(ndx-unknown.Foo\)"
    ):
        nkfm.read(path)


Change = Callable[[h5py.File], None]


def put(name: str, values: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("acquisition/ES/timestamps", np.random.default_rng(0).uniform(0, 1, 300).cumsum()), "ES: its timestamps are not evenly spaced: steps of"),
        (put("acquisition/ES/timestamps", np.arange(299) / 100), "it has 299 timestamps for 300 samples"),
        (put("acquisition/ES/timestamps", np.arange(300)[::-1] / 100), "its timestamps do not ascend"),
        (put("acquisition/ES/electrodes", np.array([0])), None),
    ],
)  # fmt: skip
def test_a_series_that_cannot_be_used_is_said(tmp_path: Path, change: Change, said: str | None) -> None:
    nwb = blank()
    nwb.add_acquisition(
        voltages(electrodes(nwb, ["a", "b"]), np.zeros((300, 2)), "ES", timestamps=np.arange(300) / 100)
    )
    path = write(nwb, tmp_path / "bad.nwb")
    with h5py.File(path, "a") as file:
        kept = {key: dict(file[key].attrs) for key in ("acquisition/ES/timestamps", "acquisition/ES/electrodes")}
        change(file)
        for key, attributes in kept.items():
            file[key].attrs.update(attributes)
    with pytest.raises(DataError, match=said or r"data of shape \(300, 2\) for 1 rows of 'electrodes'") as err:
        nkfm.read(path)
    assert str(path) in str(err.value)
    assert "\n" not in str(err.value)


def test_a_series_without_a_rate_is_said(tmp_path: Path) -> None:
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a"]), np.zeros(300), "ES"))
    path = write(nwb, tmp_path / "when.nwb")
    with h5py.File(path, "a") as file:
        file["acquisition/ES/starting_time"].attrs["rate"] = -1.0
    with pytest.raises(DataError, match="when.nwb: ES: its rate is -1 Hz; it must be positive"):
        nkfm.read(path)
    with h5py.File(path, "a") as file:
        del file["acquisition/ES/starting_time"]
    with pytest.raises(
        DataError, match="when.nwb: .*acquisition/ES: .*either 'timestamps' or 'rate' must be specified"
    ):
        nkfm.read(path)


def test_names_that_repeat_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a", "a"]), np.zeros((300, 2))))
    path = write(nwb, tmp_path / "twice.nwb")
    with pytest.raises(DataError, match="twice.nwb: ElectricalSeries: .*must be unique; repeated: a"):
        nkfm.read(path)
    load = nkfm.datasets.load("nwb")
    assert load(str(path), names="id")[0]["ElectricalSeries"].channels.name == ("0", "1")
    with pytest.raises(DataError, match="has no column 'lable' of names. Did you mean 'label'"):
        load(str(path), names="lable")[0]


def test_files_that_are_no_nwb_are_told_apart(tmp_path: Path) -> None:
    nwb = blank()
    nwb.add_acquisition(voltages(electrodes(nwb, ["a"]), np.zeros(3000)))
    whole = write(nwb, tmp_path / "whole.nwb").read_bytes()
    (tmp_path / "cut.nwb").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["weights"] = 1
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    (tmp_path / "text.nwb").write_text("no")
    (tmp_path / "zarr.nwb").mkdir()
    write(blank(), tmp_path / "bare.nwb")
    for name, said in {
        "cut": "is cut off", "other": "is HDF5, but no NWB 2 file: it has no nwb_version. It holds: weights",
        "old": "NWB 1, which pynwb does not read", "text": "is no NWB file: it is not HDF5", "zarr": "NWB in Zarr is not read",
        "bare": "holds no ElectricalSeries, RoiResponseSeries or units; it holds nothing else",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=said) as err:
            nkfm.read(tmp_path / f"{name}.nwb")
        assert f"{name}.nwb" in str(err.value)


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
