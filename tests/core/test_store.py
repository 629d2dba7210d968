"""Stored recordings: nothing is lost, and samples are read from where they lie."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neurokit_fm as nkfm
from neurokit_fm import Channels, Events, Graph, Info, PointProcess, Recording, TimeSeries, Volume
from neurokit_fm.data import store_file
from neurokit_fm.data.store import open_recording, save_recording
from neurokit_fm.data.store_int16 import ScaledSamples
from neurokit_fm.errors import StoreError, UnknownName


def channels(n, kind="eeg", rng=None):
    rng = rng or np.random.default_rng(0)
    position = rng.normal(size=(n, 3))
    position[::3] = np.nan
    return Channels.of(
        [f"{kind}/ü{i}" for i in range(n)],
        kind=[kind if i % 2 else "" for i in range(n)],
        position=position,
        frame="head",
        orientation=rng.normal(size=(n, 3)),
        bad=np.arange(n) % 2 == 1,
        columns={
            "coil_type": np.arange(n, dtype=np.int32),
            "left/right": np.array(["l", "réd", ""] * n)[:n],
            ".": rng.normal(size=(n, 2, 2)).astype(">f4"),
            "%": np.arange(n).astype("datetime64[s]"),
            "": np.arange(n) % 2 == 0,
            "object": np.array(["α" * i for i in range(n)], dtype=object),
            "z": rng.normal(size=n) + 1j,
        },
    )


def everything(seed=0, n_channels=5, n_samples=300, dtype=np.float32):
    """One recording with all four layouts and every optional part."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 10, 40))
    edges = rng.integers(0, n_channels, (2, 12))
    signals = {
        "z/last": TimeSeries(
            data=(rng.normal(size=(n_channels, n_samples)) * 50).astype(dtype),
            sfreq=1000 / 3,
            channels=channels(n_channels, rng=rng),
            start=-0.1,
            breaks=tuple(range(7, n_samples, 100)),
        ),
        "spikes": PointProcess(
            times=times,
            source=rng.integers(0, n_channels, 40),
            channels=channels(n_channels, "neuron", rng),
            support=np.array([[0.0, 4.0], [5.0, 10.0]]),
            marks=rng.normal(size=(40, 3)).astype(np.float32),
        ),
        "mri": Volume(
            data=rng.normal(size=(2, 4, 5, 6)).astype(np.float32),
            affine=np.diag([1e-3, 1e-3, 2e-3, 1]),
            channels=Channels.of(["T1w", "T2w"], kind="contrast", unit="au"),
            missing=np.array([False, True]),
        ),
        "fmri": Volume(
            data=rng.integers(0, 9, size=(3, 1, 4, 5, 6)).astype(np.int16),
            affine=np.eye(4),
            channels=Channels.of(["BOLD"], kind="contrast", unit="au"),
            missing=np.array([False]),
            sfreq=0.5,
            start=2.0,
            modality="fmri",
        ),
        "connectome": Graph(
            edges=edges,
            weight=rng.normal(size=12).astype(np.float32),
            kind=rng.integers(0, 2, 12),
            kinds=("chemical", "gap-junction"),
            channels=channels(n_channels, "neuron", rng),
            directed=False,
        ),
    }
    events = Events.of([3.0, 1.0, 1.0], ["ö", "", "a/b"], [0.5, 0.0, 1.0], {"trial": np.array([3, 1, 2])})
    info = Info(
        source="sub-ü",
        subject="01",
        licence="CC0",
        steps=("filtered 1-40 Hz", "résampled"),
        facts={"line_hz": 50, "device": {"name": "ü", "gains": [1, 2.5, None]}, "missing": None},
    )
    return Recording(signals=signals, events=events, info=info)


def assert_same(a, b):
    assert list(a.signals) == list(b.signals)
    assert a.events == b.events
    assert list(a.events.columns) == list(b.events.columns)
    assert a.info == b.info
    for name, signal in a.signals.items():
        other = b[name]
        assert type(other) is type(signal)
        assert other.channels == signal.channels
        assert list(other.channels.columns) == list(signal.channels.columns)
        for label, column in signal.channels.columns.items():
            assert other.channels.columns[label].dtype == column.dtype
        for field in signal.__dataclass_fields__:
            mine, theirs = getattr(signal, field), getattr(other, field)
            if field == "channels":
                continue
            if isinstance(mine, np.ndarray):
                assert theirs.dtype == mine.dtype
                assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
            else:
                assert theirs == mine
                assert type(theirs) is type(mine)


@pytest.mark.parametrize("seed", range(3))
def test_all_four_layouts_come_back_as_they_were(tmp_path, seed):
    recording = everything(seed, n_channels=1 + 4 * seed, n_samples=(1, 300, 1000)[seed])
    save_recording(recording, tmp_path / "a.nkfm.h5")
    assert_same(recording, open_recording(tmp_path / "a.nkfm.h5", verify=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(0, 50)),
    dtype=st.sampled_from(["f4", "f8", ">f4", "f2", "i2", "i4", "u1"]),
    sfreq=st.floats(1e-3, 1e6),
    start=st.floats(-1e6, 1e6),
    words=st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=4, max_size=4, unique=True
    ),
    nan=st.booleans(),
)
def test_any_series_comes_back_as_it_was(tmp_path, shape, dtype, sfreq, start, words, nan):
    data = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    if nan and data.dtype.kind == "f" and data.size:
        data[0, 0] = np.nan
    series = TimeSeries(data=data, sfreq=sfreq, start=start, channels=Channels.of(words[: shape[0]]), modality=words[0])
    events = Events.of([1.0] * 4, words, columns={words[1]: np.array(words)})
    recording = Recording(signals={words[2]: series}, events=events, info=Info(source=words[3], steps=tuple(words)))
    save_recording(recording, tmp_path / "a.h5")
    assert_same(recording, open_recording(tmp_path / "a.h5", verify=True))


def test_an_empty_recording_and_empty_signals_come_back(tmp_path):
    none = Channels.of([])
    signals = {
        "a": TimeSeries(data=np.zeros((0, 0), np.float32), sfreq=1.0, channels=none),
        "b": PointProcess(times=np.zeros(0), source=np.zeros(0, np.int64), channels=none, support=np.zeros((0, 2))),
    }
    for recording in (Recording(signals={}), Recording(signals=signals)):
        save_recording(recording, tmp_path / "a.h5")
        assert_same(recording, open_recording(tmp_path / "a.h5", verify=True))


def test_samples_are_mapped_from_their_place_in_the_file(tmp_path):
    path = tmp_path / "a.h5"
    recording = everything(n_samples=4000)
    save_recording(recording, path)
    data = open_recording(path)["z/last"].data
    assert isinstance(data, np.memmap)
    assert not data.flags.writeable
    with h5py.File(path) as file:
        offset = file["signals/z%2Flast/data"].id.get_offset()
    assert offset % 64 == 0
    assert np.array_equal(np.fromfile(path, np.float32, 100, offset=offset), recording["z/last"].data[0, :100])
    assert isinstance(open_recording(path)["spikes"].times, np.memmap)


def test_a_file_can_be_replaced_while_it_is_mapped(tmp_path):
    path = tmp_path / "a.h5"
    first = everything(seed=0)
    save_recording(first, path)
    mapped = open_recording(path)
    save_recording(mapped.with_signal("eeg", mapped["z/last"], "copied"), path)
    assert np.array_equal(mapped["z/last"].read(), first["z/last"].read())
    assert open_recording(path).info.steps[-1] == "copied"


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        save_recording(everything(), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_reading_by_file_name_finds_the_store(tmp_path):
    save_recording(everything(), tmp_path / "a.nkfm.h5")
    assert nkfm.readers["nkfm-store"].plugin == "nkfm_store"
    assert_same(everything(), nkfm.read(tmp_path / "a.nkfm.h5"))


class Counting:
    """A source that remembers the largest block asked of it."""

    def __init__(self, data):
        self.data, self.largest = data, 0
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, index):
        block = self.data[index]
        self.largest = max(self.largest, block.nbytes)
        return block


@pytest.mark.parametrize("dtype", [None, "int16"])
def test_long_series_are_copied_block_by_block(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(store_file, "BLOCK", 4096)
    data = np.random.default_rng(0).normal(size=(8, 5000)).astype(np.float32)
    source = Counting(data)
    names = [str(i) for i in range(8)]
    series = TimeSeries(data=source, sfreq=1.0, channels=Channels.of(names))
    save_recording(Recording(signals={"eeg": series}), tmp_path / "a.h5", dtype=dtype)
    assert 0 < source.largest <= 4096
    stored = open_recording(tmp_path / "a.h5", verify=True)["eeg"].read()
    assert np.allclose(stored, data, atol=0 if dtype is None else 1e-3)


def test_float32_and_float64_can_be_asked_for(tmp_path):
    recording = nkfm.from_array(np.array([[1.0, 1 / 3]]), sfreq=1, names=["a"])
    for dtype in ("float32", "float64"):
        save_recording(recording, tmp_path / "a.h5", dtype=dtype)
        assert open_recording(tmp_path / "a.h5")["eeg"].data.dtype == dtype
    with pytest.raises(StoreError, match="dtype must be one of float32"):
        save_recording(recording, tmp_path / "a.h5", dtype="int8")


def test_int16_is_at_most_half_a_step_off(tmp_path):
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=999) * 1e-13, rng.normal(size=999) * 2e-5 + 0.1, np.full(999, 3.0), np.zeros(999)]
    recording = nkfm.from_array(np.array(rows), sfreq=1, names=list("abcd"))
    save_recording(recording, tmp_path / "a.h5", dtype="int16")
    data = open_recording(tmp_path / "a.h5", verify=True)["eeg"].data
    assert isinstance(data, ScaledSamples)
    assert isinstance(data.raw, np.memmap)
    exact = data.raw.astype(float) * data.scale[:, None] + data.offset[:, None]
    assert (np.abs(exact - rows) <= data.scale[:, None] * 0.5000001).all()
    read = data[:]
    assert read.dtype == np.float32
    assert np.array_equal(read, exact.astype(np.float32))
    assert (read[2:] == np.array([[3.0], [0.0]])).all()
    size = (tmp_path / "a.h5").stat().st_size
    assert size < 0.55 * np.array(rows).size * 4 + 16_000


def test_int16_is_exact_on_a_known_grid(tmp_path):
    steps = np.random.default_rng(0).integers(-32767, 32768, (2, 500))
    for dtype in (np.float32, np.float64):
        recording = nkfm.from_array((steps * np.array([[1e-7], [1e-14]])).astype(dtype), sfreq=1, names=["a", "b"])
        save_recording(recording, tmp_path / "a.h5", scale={"eeg": [1e-7, 1e-14]})
        data = open_recording(tmp_path / "a.h5")["eeg"].data
        assert np.array_equal(data.raw, steps)
        assert np.array_equal(data[:], recording["eeg"].data.astype(np.float32))


@pytest.mark.parametrize(
    ("values", "scale", "match"),
    [
        ([[0.0, np.nan]], None, "channels a hold NaN or values out of range"),
        ([[0.0, np.inf]], None, "channels a hold NaN or values out of range"),
        ([[0.0, 1e6]], 1.0, "channels a hold NaN or values out of range"),
        ([[0.0, 1.5]], 1.0, "channels a are not multiples of the scale"),
        ([[0.0, 1.5]], 0.0, "scale must be positive"),
    ],
)
def test_what_does_not_fit_int16_is_refused_by_channel(tmp_path, values, scale, match):
    recording = nkfm.from_array(np.array(values), sfreq=1, names=["a"])
    with pytest.raises(StoreError, match=match):
        save_recording(recording, tmp_path / "a.h5", dtype="int16", scale=None if scale is None else {"eeg": scale})
    assert not list(tmp_path.iterdir())


def test_scaled_samples_index_like_an_array():
    rng = np.random.default_rng(0)
    raw = rng.integers(-100, 100, (6, 40)).astype(np.int16)
    scale, offset = rng.uniform(1, 2, 6), rng.normal(size=6)
    lazy = ScaledSamples(raw, scale, offset)
    full = (raw * scale[:, None] + offset[:, None]).astype(np.float32)
    mask = np.arange(6) % 2 == 0
    for index in [
        2,
        slice(1, 3),
        (slice(None), slice(5, 9)),
        (3, slice(None)),
        (slice(None), 3),
        (1, 2),
        (np.array([4, 0]), slice(2, 4)),
        (mask, slice(0, 7, 2)),
        (slice(0, 2), np.array([3, 1, 1])),
        (np.array([1, 2]), np.array([3, 4])),
    ]:
        assert np.array_equal(lazy[index], full[index]), index
    series = TimeSeries(data=lazy, sfreq=1.0, channels=Channels.of(list("abcdef")))
    assert np.array_equal(series.take([5, 0, 3]).read(2, 9), full[[5, 0, 3], 2:9])
    assert np.array_equal(series.crop(3.0, 8.0).read(), full[:, 3:8])


def test_a_scale_for_an_unknown_signal_is_an_error(tmp_path):
    recording = nkfm.from_array(np.zeros((1, 2)), sfreq=1, names=["a"])
    with pytest.raises(UnknownName, match="no time series 'egg'. Did you mean 'eeg'"):
        save_recording(recording, tmp_path / "a.h5", scale={"egg": 1.0})
