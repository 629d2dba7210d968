"""Codes of a recording: made window by window, kept in a file, and turned back into signals at any sensors."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
import torch
from safetensors import SafetensorError
from torch import Tensor
from tqdm import tqdm

from neurokit_fm import Batch, Channels, Model, Recording, TimeSeries, load_model, tokenizers, weights
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.data.channels import SENSOR_TYPES
from neurokit_fm.data.series import carry
from neurokit_fm.errors import ConfigError, StoreError
from nkfm_braintokenizer.model import BrainTokenizerModel
from nkfm_braintokenizer.sensors import normalise_positions, sensor_inputs

KIND = "neurokit_fm codes 1"
WAY = (
    "give a trained braintokenizer (the weights 'braintokenizer', or a folder); codes of the tokenizer 'spectral-vq' are read by "
    "`nkfm codes`, with a trained eegformer-vq"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes:
    """What a tokenizer made of a recording.

    Attributes
    ----------
    values : ndarray, shape (N, K, S, Q), int32
        Codes of N windows: K latent sources, S tokens, Q levels.
    times : ndarray, shape (N, 2), float64, seconds
        Start and stop of each window on the recording's clock.
    channels : Channels
        The sensors that were encoded.
    model, weights, source : str
        Name and hash of the tokenizer, and what was tokenized.
    size : int
        Codes of one table.
    steps : tuple of str
        What was done to the signal.
    """

    values: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64]
    channels: Channels
    model: str
    size: int
    weights: str = ""
    source: str = ""
    steps: tuple[str, ...] = ()

    @property
    def bits_per_s(self) -> float:
        """Bits that a second takes, if every code is stored plainly."""
        covered = float((self.times[:, 1] - self.times[:, 0]).sum())
        return float(self.values.size * np.log2(self.size) / covered)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file, whole or not at all."""
        table = self.channels
        arrays = {
            "codes": self.values,
            "times": self.times,
            "position": table.position,
            "orientation": table.orientation,
            "sensor_type": table.sensor_type_id,
        }
        about = {"model": self.model, "weights": self.weights, "source": self.source, "frame": table.frame}
        about |= {"names": json.dumps(table.name), "steps": json.dumps(self.steps), "size": str(self.size)}
        with atomic_path(path) as temporary:
            contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            safetensors.numpy.save_file(contiguous, temporary, metadata={"kind": KIND, **about})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Codes:
        """Read a file that `save` wrote.

        Raises
        ------
        StoreError
            If it is something else or damaged.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"no such file: {path}")
        try:
            with safetensors.safe_open(path, "np") as file:
                about = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as err:
            raise StoreError(f"{path} is not a file of codes ({err}); `nkfm tokenize` writes them") from err
        if about.get("kind") != KIND:
            raise StoreError(
                f"{path} is not a file of codes ({about.get('kind', 'no kind')!r}); `nkfm tokenize` writes them"
            )
        types = [SENSOR_TYPES[i] for i in arrays["sensor_type"]]
        channels = Channels.of(
            json.loads(about["names"]),
            kind=["eeg" if word == "eeg" else "meg" for word in types],
            sensor_type=types,
            unit="au",
            position=arrays["position"],
            orientation=arrays["orientation"],
            frame=about["frame"],
        )
        return cls(
            values=arrays["codes"],
            times=arrays["times"],
            channels=channels,
            model=about["model"],
            size=int(about["size"]),
            weights=about["weights"],
            source=about["source"],
            steps=tuple(json.loads(about["steps"])),
        )


def tokenize(model: Model, recording: Recording, *, progress: bool = False) -> Codes:
    """Turn a recording into codes, a segment of the contract's window at a time.

    Parameters
    ----------
    model : BrainTokenizerModel
    recording : Recording
        With EEG, MEG or both.
    progress : bool
        Show a bar.

    Raises
    ------
    ContractError
        If the recording does not fit, with every reason.
    ConfigError
        If the model is no tokenizer.
    """
    tokenizer = require_tokenizer(model)
    contract: Any = model.contract
    ready = contract.apply(recording)
    _, series = ready.series(contract.modality)
    _, recorded = recording.series(contract.modality)
    model.eval()
    parts, starts = [], []
    length = tokenizer.tokenizer.config.window
    for first, last in tqdm(segments(contract, series, length), unit="segment", disable=not progress):
        with torch.inference_mode():
            codes = tokenizer.encode(batch_of(model, series, first, last))[0]  # (K, n, S, Q)
        parts.append(codes.movedim(0, 1).cpu().numpy().astype(np.int32))
        starts += [first + i * tokenizer.tokenizer.config.step for i in range(codes.shape[1])]
    begin = carry(series.start + np.array(starts) / series.sfreq, series, recorded)
    return Codes(
        values=np.concatenate(parts),
        times=np.stack([begin, begin + length / series.sfreq], axis=1),
        channels=series.channels,
        model=model.reference,
        size=tokenizer.config.codebook.size,
        weights="" if model.load_report is None else model.load_report.sha256,
        source=recording.title,
        steps=ready.info.steps,
    )


def decode(model: Model, codes: Codes, channels: Channels | None = None) -> Recording:
    """Turn codes back into signals.

    Parameters
    ----------
    model : BrainTokenizerModel
        The one that made the codes.
    codes : Codes
    channels : Channels, optional
        Sensors to reconstruct, EEG or MEG, with places; default: those that were encoded. Others are sensors that were
        never there.

    Returns
    -------
    Recording
        Signals ``eeg`` and ``meg`` as far as there are such sensors. Every window of every sensor has mean 0 and standard
        deviation about 1: codes do not keep its size. Windows that overlap are averaged.

    Raises
    ------
    ConfigError
        If the model is no tokenizer, or has other codes.
    """
    tokenizer = require_tokenizer(model)
    config, shape = tokenizer.config, codes.values.shape
    wanted = (config.latents, config.window // config.token, config.codebook.levels)
    if shape[1:] != wanted or codes.size != config.codebook.size:
        raise ConfigError(
            f"codes of shape {shape[1:]} and {codes.size} words were made by another tokenizer ({codes.model}); this one "
            f"has {wanted} and {config.codebook.size}"
        )
    table = codes.channels if channels is None else channels
    sfreq = model.contract.sfreq  # type: ignore[attr-defined]  # a tokenizer's contract is one of series
    starts = np.round((codes.times[:, 0] - codes.times[0, 0]) * sfreq).astype(np.int64)
    jumps = np.flatnonzero(np.diff(starts) > config.window) + 1
    pieces = [
        _laid(_windows(tokenizer, codes.values[part], table), starts[part] - starts[part[0]])
        for part in np.split(np.arange(len(starts)), jumps)
    ]
    data = np.concatenate(pieces, axis=1)
    breaks = tuple(np.cumsum([piece.shape[1] for piece in pieces])[:-1].tolist())
    table = replace(table, unit=("au",) * len(table), columns={})
    kinds = np.array(["eeg" if word == "eeg" else "meg" for word in table.sensor_type])
    signals = {
        kind: TimeSeries(
            data=data[kinds == kind],
            sfreq=sfreq,
            channels=table.take(kinds == kind),
            modality=kind,
            start=float(codes.times[0, 0]),
            breaks=breaks,
        )
        for kind in dict.fromkeys(kinds.tolist())
    }
    recording = Recording(signals=signals)
    steps = (*codes.steps, f"decoded from codes of {codes.model}, windows of unit size")
    return replace(recording, info=replace(recording.info, source=f"{codes.source} (decoded)", steps=steps))


def batch_of(model: Model, series: TimeSeries, first: int, last: int) -> Batch:
    """Samples [first, last) of a prepared signal as a batch of one, where the model is."""
    contract: Any = model.contract
    piece = series.crop(series.start + first / series.sfreq, series.start + last / series.sfreq)
    return Batch(streams={contract.modality: collate_series([piece])}).to(next(model.parameters()).device)


def load_tokenizer(ref: str, device: str = "cpu") -> BrainTokenizerModel:
    """Load a trained model that makes codes of this kind.

    Raises
    ------
    ConfigError
        If it is another model, or the name of a tokenizer, which has no weights.
    """
    if ref in tokenizers and ref not in weights and not Path(ref).is_dir():
        has = "is learned with its model" if hasattr(tokenizers.load(ref), "codes") else "makes no codes"
        raise ConfigError(f"the tokenizer {ref!r} {has}; {WAY}")
    return require_tokenizer(load_model(ref, device=device))


def require_tokenizer(model: Model) -> BrainTokenizerModel:
    """Return the model if it makes codes of this kind.

    Raises
    ------
    ConfigError
    """
    if not isinstance(model, BrainTokenizerModel):
        raise ConfigError(f"{model.reference} is a {model.name}, which makes no codes of this kind; {WAY}")
    return model


def segments(contract: Any, series: TimeSeries, window: int) -> list[tuple[int, int]]:
    """Segments of the contract's length, and what is left of each run if it fills a window or is all there is."""
    length, shortest = (round(s * series.sfreq) for s in (contract.window_s, contract.min_window_s))
    found = []
    for first, last in series.runs():
        starts = range(first, last, length)
        found += [(a, min(a + length, last)) for a in starts if last - a >= (shortest if a == first else window)]
    return found


def _windows(model: BrainTokenizerModel, values: npt.NDArray[np.int32], table: Channels) -> npt.NDArray[np.float32]:
    """Reconstructed windows (N, C, L)."""
    device = next(model.parameters()).device
    stream = SeriesStream.from_arrays(
        torch.zeros((1, len(table), 1)),
        sfreq=model.tokenizer.sfreq,
        positions=table.position,
        orientations=table.orientation,
        sensor_type=table.sensor_type_id,
        names=table.name,
    )
    pos, kind = sensor_inputs(stream)
    config = model.config
    pos = normalise_positions(pos, kind, lonely=config.lonely, grad_positions=config.grad_positions)
    made: list[Tensor] = []
    model.eval()
    with torch.inference_mode():
        for part in torch.split(torch.from_numpy(values), 16):  # (n, K, S, Q)
            codes = part.movedim(1, 0)[None].to(device)  # (1, K, n, S, Q)
            out = model.tokenizer.decode_codes(codes.long(), pos.to(device), kind.to(device))[0]  # (C, n, L)
            made.append(out.float().cpu().movedim(1, 0))
    return torch.cat(made).numpy()


def _laid(windows: npt.NDArray[np.float32], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Windows (N, C, L) laid at their places, the mean where they overlap: (C, T)."""
    n, c, length = windows.shape
    total, times = np.zeros((c, int(starts[-1]) + length), np.float32), np.zeros(int(starts[-1]) + length, np.float32)
    for i in range(n):
        total[:, starts[i] : starts[i] + length] += windows[i]
        times[starts[i] : starts[i] + length] += 1
    return np.asarray(total / np.maximum(times, 1), dtype=np.float32)
