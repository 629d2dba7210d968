import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from neurokit_fm import Batch
from neurokit_fm.batch.series import SeriesStream


@dataclass(frozen=True)
class Golden:
    """What a published implementation made of random weights and a random input."""

    about: dict
    tensors: dict[str, Tensor]

    @property
    def config(self) -> dict:
        return self.about["config"]

    @property
    def state(self) -> dict[str, Tensor]:
        return {key.removeprefix("model."): x for key, x in self.tensors.items() if key.startswith("model.")}

    def batch(self) -> Batch:
        known = {key: self.about.get(key) for key in ("sfreq", "names", "positions")}
        made = SeriesStream.from_arrays(self.tensors["input"], frame="template", **known)
        return Batch(streams={"eeg": made})

    def assert_close(self, found: Tensor, key: str) -> None:
        expected = self.tensors[f"output.{key}"]
        torch.testing.assert_close(found.reshape(expected.shape), expected, **self.about["tolerance"])


@pytest.fixture
def port_golden() -> Callable[[str], Golden]:
    """Return a function that reads ``tests/goldens/NAME/tiny``; half precision there holds the values exactly."""

    def read(name: str) -> Golden:
        folder = Path(__file__).parents[1] / "goldens" / name
        tensors = load_file(folder / "tiny.safetensors")
        tensors = {k: x.float() if x.is_floating_point() else x for k, x in tensors.items()}
        return Golden(json.loads((folder / "tiny.json").read_text()), tensors)

    return read


@pytest.fixture
def edf_file() -> Callable[..., Path]:
    """Return a function that writes a small EDF file with two annotations."""

    def write(path: Path, *, sfreqs: tuple[float, ...] = (100.0, 100.0), seconds: int = 10) -> Path:
        rng = np.random.default_rng(1)
        labels = ["EEG Fp1-REF", "EEG Fp2-REF", "EOG L", "Resp"]
        signals = [
            edfio.EdfSignal(rng.normal(size=int(seconds * f)) * 50, f, label=label, physical_dimension="uV")
            for f, label in zip(sfreqs, labels, strict=False)
        ]
        edfio.Edf(
            signals, annotations=[edfio.EdfAnnotation(2.5, 1.0, "tone"), edfio.EdfAnnotation(7, None, "key")]
        ).write(path)
        return path

    return write
