"""Made-up recordings of every layout, for tests and examples: small, deterministic, numpy only.

Their values look like the real thing in size and colour, and mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels, Positions
from neurokit_fm.data.events import Events
from neurokit_fm.data.graph import Graph
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Info, Recording, Signal
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.data.volume import Volume
from neurokit_fm.errors import ConfigError, did_you_mean

ELECTRODES = {
    "Fz": (46, 90), "Cz": (0, 0), "Pz": (46, -90), "C3": (-46, 0), "C4": (46, 0), "P3": (-60, 51), "P4": (60, -51),
    "F3": (-60, -51), "F4": (60, 51), "O1": (-92, 72), "O2": (92, -72), "Fp1": (-92, -72), "Fp2": (92, 72),
    "F7": (-92, -36), "F8": (92, 36), "T7": (-92, 0), "T8": (92, 0), "P7": (-92, 36), "P8": (92, -36), "Oz": (92, -90),
    "FC1": (-32, -45), "FC2": (32, 45), "CP1": (-32, 45), "CP2": (32, -45), "FC5": (-72, -21), "FC6": (72, 21),
    "CP5": (-72, 21), "CP6": (72, -21), "AFz": (69, 90), "POz": (69, -90), "FCz": (23, 90), "CPz": (23, -90),
}  # fmt: skip
"""Inclination from the vertex and azimuth of 32 places of the 10-10 system on a sphere, degrees (EasyCap M1 layout)."""

SERIES = {
    "eeg": ("eeg", "V", 20e-6),
    "meg": ("mag", "T", 200e-15),
    "ieeg": ("seeg", "V", 100e-6),
    "ecg": ("ecg", "V", 300e-6),
    "emg": ("emg", "V", 50e-6),
    "eog": ("eog", "V", 50e-6),
    "calcium": ("neuron", "au", 0.3),
    "fmri": ("region", "au", 1.0),
}
"""Modality to sensor type, SI unit and standard deviation of one channel."""

HEAD_RADIUS_M = 0.095


def fake_recording(
    layout: str = "series",
    *,
    seed: int = 0,
    modality: str | None = None,
    n_channels: int = 8,
    duration_s: float = 10.0,
    sfreq: float = 200.0,
    frame: str = "template",
    known_positions: bool = True,
    subject: str = "01",
    session: str = "",
) -> Recording:
    """Make up a recording with one signal, named after its modality.

    Parameters
    ----------
    layout : {"series", "points", "volume", "graph"}
    seed : int
        The same arguments give the same recording, bit for bit.
    modality : str, optional
        Default: ``eeg, spikes, mri, connectome``. A series may also be any other key of `SERIES`.
    n_channels : int
        Electrodes, units, contrasts or nodes.
    duration_s, sfreq : float
        Seconds and Hz; series and points only use what they need, volumes and graphs are still.
    frame : str
        Coordinate frame of the positions of EEG and MEG channels.
    known_positions : bool
        False: every position is NaN. The 33rd and later EEG channels never have one.
    subject, session : str

    Returns
    -------
    Recording
        Series: float32 noise with a spectrum falling as 1/f, partly shared by all channels, in SI units, with events
        ``"a"`` and ``"b"`` every two seconds in turn. Points: Poisson firing at 5 Hz a unit; the last of several units
        is silent. Volume: a 12 x 10 x 8 grid of 4 mm voxels; the last of several contrasts is missing. Graph: chemical
        and gap-junction edges, about three a node.

    Raises
    ------
    ConfigError
        If the layout or the modality is not known, or a size is not positive.

    Examples
    --------
    >>> print(fake_recording(n_channels=4, duration_s=2).describe())
    fake series, seed 0
      eeg: 4 channels x 400 samples at 200 Hz = 2.0 s; 4/4 positions (template)
      events: a x1
    """
    if layout not in _MAKERS:
        raise ConfigError(f"no layout called {layout!r}.{did_you_mean(layout, _MAKERS)} Known: {', '.join(_MAKERS)}")
    for label, value in (("n_channels", n_channels), ("duration_s", duration_s), ("sfreq", sfreq)):
        if value <= 0:
            raise ConfigError(f"{label} must be positive; got {value:g}")
    usual, make = _MAKERS[layout]
    modality = modality or usual
    if layout == "series" and modality not in SERIES:
        raise ConfigError(f"no fake {modality!r} series.{did_you_mean(modality, SERIES)} Known: {', '.join(SERIES)}")
    rng = np.random.default_rng(seed)
    place = frame if known_positions else "unknown"
    signal = make(rng, modality=modality, n=n_channels, duration_s=duration_s, sfreq=sfreq, frame=place)
    onsets = np.arange(0.0, duration_s, 2.0) if layout == "series" else np.zeros(0)
    return Recording(
        signals={modality: signal},
        events=Events.of(onsets, ["ab"[i % 2] for i in range(len(onsets))]),
        info=Info(source=f"fake {layout}, seed {seed}", subject=subject, session=session),
    )


def _series(
    rng: np.random.Generator, *, modality: str, n: int, duration_s: float, sfreq: float, frame: str
) -> TimeSeries:
    kind, unit, deviation = SERIES[modality]
    n_samples = max(1, round(duration_s * sfreq))
    noise = 0.8 * _pink(rng, n, n_samples) + 0.6 * _pink(rng, 1, n_samples)  # (C, T), the second part shared
    channels = {"eeg": _electrodes, "meg": _coils}.get(modality, _rows)(rng, n, kind, unit, frame)
    return TimeSeries(data=(deviation * noise).astype(np.float32), sfreq=sfreq, channels=channels, modality=modality)


def _pink(rng: np.random.Generator, n: int, n_samples: int) -> npt.NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.standard_normal((n, n_samples)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
    spectrum[:, 0] *= n_samples == 1  # no offset, unless that is all there is
    noise = np.fft.irfft(spectrum, n=n_samples)
    return np.asarray(noise / noise.std(axis=1, keepdims=True)) if n_samples > 1 else noise


def _electrodes(rng: np.random.Generator, n: int, kind: str, unit: str, frame: str) -> Channels:
    names = [*ELECTRODES, *(f"E{i + 1:03d}" for i in range(len(ELECTRODES), n))][:n]
    angles = np.deg2rad([ELECTRODES.get(name, (np.nan, np.nan)) for name in names])
    position = None if frame == "unknown" else _on_sphere(angles[:, 0], angles[:, 1], frame)
    return Channels.of(names, kind=kind, unit=unit, position=position, frame=frame)


def _coils(rng: np.random.Generator, n: int, kind: str, unit: str, frame: str) -> Channels:
    outward = rng.standard_normal((n, 3))
    outward[:, 2] = np.abs(outward[:, 2])  # a helmet has no lower half
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    known = frame != "unknown"
    return Channels.of(
        [f"MEG{i + 1:03d}" for i in range(n)],
        kind="meg",
        sensor_type=kind,
        unit=unit,
        position=_centre(frame) + 1.2 * HEAD_RADIUS_M * outward if known else None,
        orientation=outward if known else None,
        frame=frame,
    )


def _rows(rng: np.random.Generator, n: int, kind: str, unit: str, frame: str) -> Channels:
    return Channels.of([f"{kind}{i + 1:03d}" for i in range(n)], kind=kind, unit=unit)


def _on_sphere(inclination: npt.NDArray[Any], azimuth: npt.NDArray[Any], frame: str) -> Positions:
    flat = np.sin(inclination)
    unit = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.cos(inclination)], axis=1)
    return np.asarray(_centre(frame) + HEAD_RADIUS_M * unit)


def _centre(frame: str) -> Positions:
    return np.array([0.0, 0.0, 0.04 if frame == "head" else 0.0])  # the origin of "head" lies at ear height


def _points(
    rng: np.random.Generator, *, modality: str, n: int, duration_s: float, sfreq: float, frame: str
) -> PointProcess:
    firing = max(1, n - 1)
    times = np.sort(rng.uniform(0.0, duration_s, size=rng.poisson(5.0 * firing * duration_s)))
    return PointProcess(
        times=times,
        source=rng.integers(0, firing, size=len(times)),
        channels=Channels.of([f"unit{i + 1:03d}" for i in range(n)], kind="neuron", unit="au"),
        support=np.array([[0.0, duration_s]]),
        modality=modality,
    )


def _volume(rng: np.random.Generator, *, modality: str, n: int, duration_s: float, sfreq: float, frame: str) -> Volume:
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in (12, 10, 8)), indexing="ij"))
    brain = np.maximum(0.0, 1.0 - (grid**2).sum(axis=0))  # (X, Y, Z)
    data = brain * rng.uniform(0.5, 1.5, size=(n, 1, 1, 1)) + 0.05 * rng.standard_normal((n, *brain.shape))
    missing = np.zeros(n, dtype=bool)
    missing[1:] = np.arange(1, n) == n - 1
    data[missing] = 0.0
    contrasts = ("T1w", "T2w", "FLAIR", "T1c")
    return Volume(
        data=data.astype(np.float32),
        affine=np.array([[4e-3, 0, 0, -22e-3], [0, 4e-3, 0, -18e-3], [0, 0, 4e-3, -14e-3], [0, 0, 0, 1]]),
        channels=Channels.of([*contrasts, *(f"C{i}" for i in range(4, n))][:n], kind="contrast", unit="au"),
        missing=missing,
        modality=modality,
    )


def _graph(rng: np.random.Generator, *, modality: str, n: int, duration_s: float, sfreq: float, frame: str) -> Graph:
    edges = rng.integers(0, n, size=(2, 3 * n))
    return Graph(
        edges=edges,
        weight=rng.uniform(1.0, 10.0, size=3 * n).astype(np.float32),
        kind=rng.integers(0, 2, size=3 * n),
        kinds=("chemical", "gap-junction"),
        channels=Channels.of([f"N{i + 1:03d}" for i in range(n)], kind="neuron", unit="au"),
        modality=modality,
    )


_MAKERS: dict[str, tuple[str, Callable[..., Signal]]] = {
    "series": ("eeg", _series),
    "points": ("spikes", _points),
    "volume": ("mri", _volume),
    "graph": ("connectome", _graph),
}
