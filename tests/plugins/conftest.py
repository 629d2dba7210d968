from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pytest


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
