"""NWB files that pynwb wrote come back as they were, lazily and in volts; those that cannot are told apart."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.cli.main import cli
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import DataError, UnknownName

from .nwb_files import VOLTS, blank, electrodes, pynwb, voltages, write


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


def test_signals_with_different_gaps_have_no_common_clock(tmp_path: Path) -> None:
    nwb = blank()
    region = electrodes(nwb, ["a"])
    times = np.arange(300) / 100 + np.where(np.arange(300) >= 100, 5.0, 0.0)
    nwb.add_acquisition(voltages(region, np.zeros(300), "cut", timestamps=times))
    nwb.add_acquisition(voltages(region, np.zeros(800), "whole"))
    path = write(nwb, tmp_path / "two.nwb")
    with pytest.raises(
        DataError, match=r"two.nwb: signals have gaps at different times \(cut of cut, whole\); choose one"
    ):
        nkfm.read(path)
    load = nkfm.datasets.load("nwb")
    assert load(str(path), signal="cut")[0]["cut"].breaks == (100,)
    assert load(str(path), signal="whole")[0]["whole"].breaks == ()


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
    save_recording(recording, tmp_path / "kept.nkfm.h5")
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
    with pytest.raises(
        DataError,
        match="twice.nwb: ElectricalSeries: names must be unique; repeated in column 'label' of 'electrodes': a",
    ):
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


def test_words_and_types_of_electrodes_say_what_they_are(tmp_path: Path) -> None:
    nwb = blank()
    for group, names, types in (
        ("scalp EEG", ["Cz", "EOG1"], ["EEG", "eog"]),
        ("subdural grid", ["G1"], ["?"]),
        ("shaft", ["A1"], [""]),
    ):
        electrodes(nwb, names, group, type=types)
    every = nwb.create_electrode_table_region(region=[0, 1, 2, 3], description="all")
    scalp = nwb.create_electrode_table_region(region=[0, 1], description="scalp")
    nwb.add_acquisition(voltages(every, np.zeros((300, 4)), "mixed"))
    nwb.add_acquisition(voltages(scalp, np.zeros((300, 2)), "cap"))
    path = write(nwb, tmp_path / "mixed.nwb")
    recording = nkfm.read(path)
    assert recording["mixed"].channels.kind == ("eeg", "eog", "ecog", "seeg")
    assert (recording["mixed"].modality, recording["cap"].modality) == ("ieeg", "eeg")
    assert recording["mixed"].channels.columns["group_name"].tolist()[2:] == ["subdural grid", "shaft"]
    assert "mixed: electrodes taken for 1 eeg, 1 eog, 1 ecog, 1 seeg by the words of the file" in recording.info.steps
    inside = nkfm.datasets.load("nwb")(str(path), modality="ieeg", signal="cap")[0]["cap"]
    assert (inside.modality, inside.channels.kind) == ("eeg", ("eeg", "eog"))  # what a type says goes before
