import pytest

import neurokit_fm as nkfm
from neurokit_fm import Modality
from neurokit_fm.errors import ConfigError

NAMES = ("calcium", "connectome", "ecg", "eeg", "emg", "eog", "fmri", "fnirs", "ieeg", "meg", "mri", "spikes")


@pytest.mark.parametrize("name", NAMES)
def test_the_usual_modalities_are_there_and_called_what_their_entry_says(name: str) -> None:
    modality = nkfm.modalities.load(name)
    assert isinstance(modality, Modality)
    assert modality.name == name
    assert modality.kinds


def test_microvolts_are_plausible_eeg_and_millivolts_are_not() -> None:
    low, high = nkfm.modalities.load("eeg").plausible("eeg")
    assert low < 20e-6 < high
    assert high < 20e-3
    assert nkfm.modalities.load("eeg").plausible("mag") is None


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(ConfigError, match="layout must be one of series, points, volume, graph; got 'table'"):
        Modality(name="x", layout="table")
