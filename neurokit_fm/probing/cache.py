"""FeatureCache: features on disk under a name made of everything they depend on, so that a second probe costs nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import __version__
from neurokit_fm.checkpoints import digest
from neurokit_fm.config import write_config
from neurokit_fm.contract import write_contract
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.model import Model

ROWS = 1 << 16
"""Samples hashed at a time."""


class FeatureCache:
    """A folder of features, one file a recording.

    Parameters
    ----------
    folder : path-like
        Made when the first features are kept; may be deleted at any time.

    Attributes
    ----------
    hits, misses : int
        How often features were found there, or not.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.hits = self.misses = 0

    def key(self, of_model: str, series: TimeSeries, bounds: npt.NDArray[np.int64]) -> str:
        """Name the features of windows of a signal in model units: hash of model, sensors, samples and windows."""
        about = [of_model, series.sfreq, series.breaks, series.channels.name, series.channels.sensor_type]
        sha = hashlib.sha256(json.dumps(about, default=str).encode())
        for table in (series.channels.position, series.channels.orientation, bounds):
            sha.update(np.ascontiguousarray(table).tobytes())
        hash_samples(sha, series)
        return sha.hexdigest()

    def get(self, key: str, make: Callable[[], npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return what is kept under a key; make and keep it where there is nothing whole."""
        path = self.folder / f"{key}.npy"
        if path.is_file():
            try:
                found: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
            except (OSError, ValueError):
                path.unlink()  # cut short by something else than us: it is made again
            else:
                self.hits += 1
                return found
        self.misses += 1
        made = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, needed=made.nbytes) as temporary, temporary.open("wb") as file:
            np.save(file, made, allow_pickle=False)
        return made


def model_digest(model: Model, features: str) -> str:
    """Hash of everything of a model that its features depend on."""
    settings = [__version__, model.name, write_config(model.config), write_contract(model.contract), features]
    return hashlib.sha256(
        json.dumps([*settings, digest(model.state_dict())], sort_keys=True, default=str).encode()
    ).hexdigest()


def hash_samples(sha: Any, series: TimeSeries) -> None:
    """Add the samples of a signal to a hash, a block at a time."""
    sha.update(f"{tuple(series.data.shape)}".encode())
    for first in range(0, series.n_samples, ROWS):
        block = series.read(first, min(first + ROWS, series.n_samples))
        sha.update(f"{block.dtype.str}".encode())
        sha.update(np.ascontiguousarray(block).tobytes())
