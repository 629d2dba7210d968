"""embed: a recording through a model, window by window, in bounded memory."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from neurokit_fm import __version__
from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.contract import SeriesContract, read_contract, write_contract
from neurokit_fm.contract.signal import let_go
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries, carry
from neurokit_fm.data.store_file import opened, write_array, writing
from neurokit_fm.errors import ConfigError
from neurokit_fm.model import Model
from neurokit_fm.reading import from_mne
from neurokit_fm.windows import fixed_windows


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """One vector a window of a recording, and everything needed to know what it is.

    Attributes
    ----------
    values : ndarray, shape (W, D), float32
    times : ndarray, shape (W, 2), float64, seconds
        Start and stop of each window on the recording's clock.
    hop_s : float, seconds
        Step between windows of one run.
    channels : tuple of str
    model : str
        What the model was loaded as.
    contract : SeriesContract
    weights : str
        Sha256 of the weights, empty for a model that was never loaded.
    source : str
    steps : tuple of str
        What was done to the signal.
    version : str
        Of neurokit_fm.
    """

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64]
    hop_s: float
    channels: tuple[str, ...]
    model: str
    contract: SeriesContract
    weights: str = ""
    source: str = ""
    steps: tuple[str, ...] = ()
    version: str = __version__

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one HDF5 file of the store's format, whole or not at all."""
        about: dict[str, str | int | float] = {
            "model": self.model,
            "contract": json.dumps(write_contract(self.contract)),
            "weights": self.weights,
            "source": self.source,
            "steps": json.dumps(self.steps),
            "hop_s": self.hop_s,
            "made_with": self.version,
        }
        with writing(path, "embedding", needed=self.values.nbytes + self.times.nbytes, attributes=about) as file:
            write_array(file, "values", self.values)
            write_array(file, "times", self.times)
            write_array(file, "channels", self.channels)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Embedding:
        """Read a file that `save` wrote; its content is compared with its checksum.

        Raises
        ------
        StoreError
            If it is something else, damaged, or written by a later version.
        """
        with opened(path, "embedding", verify=True) as file:
            about = file.attrs
            contract = read_contract(json.loads(about["contract"]))
            assert isinstance(contract, SeriesContract)  # only `embed` makes embeddings
            return cls(
                values=file["values"][:],
                times=file["times"][:],
                hop_s=float(about["hop_s"]),
                channels=tuple(file["channels"].asstr()[:]),
                model=str(about["model"]),
                contract=contract,
                weights=str(about["weights"]),
                source=str(about["source"]),
                steps=tuple(json.loads(about["steps"])),
                version=str(about["made_with"]),
            )


def embed(
    model: Model,
    recording: Recording | Any,
    *,
    hop_s: float | None = None,
    batch_tokens: int | None = None,
    progress: bool = False,
) -> Embedding:
    """Embed a recording window by window, where the model is and in its dtype.

    The model's contract is checked and applied first; windows are as long as the contract says, and never cross a
    break. A stretch shorter than one window but long enough for a token makes one shorter window; what is left over at
    the end of a longer stretch is not embedded.

    Parameters
    ----------
    model : Model
        With a series contract.
    recording : Recording, or an MNE Raw, Epochs or Evoked object
    hop_s : float, optional
        Step between windows, seconds; default: the window length.
    batch_tokens : int, optional
        About how many tokens go through the model at once. Default: 2048 on a processor, where larger batches are
        slower (their activations no longer come from memory in use before), 8192 elsewhere.
    progress : bool
        Show a bar.

    Raises
    ------
    ContractError
        If the recording does not fit, with every reason.
    """
    contract = model.contract
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"embed takes models of sampled signals; {model.name} has a {contract.layout} contract")
    if not isinstance(recording, Recording):
        recording = from_mne(recording)
    ready = contract.apply(recording)
    _, series = ready.series(contract.modality)
    bounds = fixed_windows(series, contract.window_s, hop_s, contract.min_window_s)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    at_once = batch_tokens or (2048 if device.type == "cpu" else 8192)
    parts: list[npt.NDArray[np.float32]] = []
    model.eval()
    with torch.inference_mode(), tqdm(total=len(bounds), unit="window", disable=not progress) as bar:
        start, size = 0, 1  # the first window alone tells how many tokens it has
        while start < len(bounds):
            chunk = _same_length(bounds[start : start + size])
            features = model(Batch(streams={contract.modality: _stream(series, chunk)}).to(device))
            parts.append(features.pooled().float().cpu().numpy())
            start, size = start + len(chunk), max(1, at_once // features.mask.shape[1])
            let_go(series.data)
            bar.update(len(chunk))
    return Embedding(
        values=np.concatenate(parts),
        times=_clock(bounds, series, recording.series(contract.modality)[1]),
        hop_s=contract.window_s if hop_s is None else hop_s,
        channels=series.channels.name,
        model=model.reference,
        contract=contract,
        weights="" if model.load_report is None else model.load_report.sha256,
        source=recording.title,
        steps=ready.info.steps,
    )


def _clock(bounds: npt.NDArray[np.int64], series: TimeSeries, recorded: TimeSeries) -> npt.NDArray[np.float64]:
    """Start and stop of windows on the clock of the signal as it was recorded, shape (W, 2)."""
    start = carry(series.start + bounds[:, 0] / series.sfreq, series, recorded)
    return np.stack([start, start + (bounds[:, 1] - bounds[:, 0]) / series.sfreq], axis=1)


def _same_length(bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the leading windows that are as long as the first."""
    lengths = bounds[:, 1] - bounds[:, 0]
    return bounds[: int(np.argmax(np.append(lengths != lengths[0], True)))]


def _stream(series: TimeSeries, bounds: npt.NDArray[np.int64]) -> SeriesStream:
    """Windows of one length as a stream."""
    values = np.stack([series.read(int(a), int(b)) for a, b in bounds])  # (B, C, T)
    channels = series.channels
    return SeriesStream.from_arrays(
        values,
        sfreq=series.sfreq,
        positions=channels.position,
        orientations=channels.orientation,
        sensor_type=channels.sensor_type_id,
        names=channels.name,
        frame=channels.frame,
    )
