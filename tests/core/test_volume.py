from dataclasses import replace

import numpy as np
import pytest

from neurokit_fm.errors import DataError
from neurokit_fm.testing import fake_recording


def test_spacing_is_the_voxel_size_in_metres() -> None:
    volume = fake_recording("volume", n_channels=2)["mri"]
    assert volume.spacing_m == pytest.approx([4e-3] * 3)
    assert volume.channels.name == ("T1w", "T2w")
    assert volume.missing.tolist() == [False, True]


def test_a_still_volume_has_no_duration_and_survives_any_crop() -> None:
    volume = fake_recording("volume", n_channels=1)["mri"]
    assert (volume.start, volume.stop, volume.duration) == (0.0, 0.0, 0.0)
    assert volume.crop(3, 4) is volume


def test_volumes_over_time_are_cropped_like_samples() -> None:
    still = fake_recording("volume", n_channels=1)["mri"]
    frames = np.arange(6, dtype=np.float32)[:, None, None, None, None] * np.ones((1, 1, 2, 2, 2), dtype=np.float32)
    moving = replace(still, data=frames, sfreq=0.5, start=4.0)
    assert moving.duration == 12.0
    part = moving.crop(6.0, 10.0)
    assert part.data[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert part.start == 6.0
    with pytest.raises(DataError, match="no volume between 20 s and 30 s; they span 4 to 16 s"):
        moving.crop(20, 30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((2, 2, 2))}, "without sfreq has 4 axes"),
        ({"sfreq": 1.0}, "with sfreq has 5 axes"),
        ({"missing": np.zeros(3, dtype=bool)}, "1 contrasts in data, 1 channels, 3 missing flags"),
        ({"affine": np.eye(3)}, r"finite \(4, 4\) matrix"),
        ({"affine": np.full((4, 4), np.nan)}, r"finite \(4, 4\) matrix"),
    ],
)
def test_an_impossible_volume_says_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(fake_recording("volume", n_channels=1)["mri"], **change)
