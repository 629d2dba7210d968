import json
from pathlib import Path

import mne
import numpy as np
import pytest
from safetensors.numpy import load_file

from neurokit_fm.plugins import plugins
from nkfm_mne.positions import find_positions, position_bank

GOLDEN = Path(__file__).parents[1] / "goldens" / "reve"
BIOSEMI = tuple(f"{letter}{n}" for letter in "ABCD" for n in range(1, 33))
HYDROCEL = tuple(f"E{n}" for n in range(1, 129))


def place(*names: str, frame: str = "template") -> np.ndarray:
    found = find_positions(names, "eeg", frame)
    assert found is not None
    return found


@pytest.mark.golden
def test_the_bank_equals_the_published_one() -> None:
    names, xyz = position_bank()
    golden = load_file(GOLDEN / "position_bank.safetensors")["output.positions"]
    assert list(names) == json.loads((GOLDEN / "position_bank.json").read_text())["names"]
    assert xyz.dtype == np.float32
    assert len(names) == 543
    assert len(np.unique(xyz.round(6), axis=0)) == 400
    np.testing.assert_allclose(xyz, golden, rtol=0, atol=1.5e-7)  # float32 spacing at 0.1 m is 7e-9
    np.testing.assert_allclose(place(*names), golden, rtol=0, atol=1.5e-7)


def test_the_hook_answers_through_the_plugin_manager() -> None:
    found = plugins().manager.hook.find_positions(names=("Cz",), modality="eeg", frame="template")
    np.testing.assert_allclose(found, [[0.0004009, -0.009167, 0.100244]], atol=1e-6)
    assert plugins().manager.hook.find_positions(names=("Cz",), modality="ieeg", frame="template") is None


@pytest.mark.parametrize(
    ("label", "same"),
    [("CZ", "Cz"), ("cz", "Cz"), ("EEG FP1-REF", "Fp1"), ("Fc5.", "FC5"), ("T7", "T3"), ("P8", "T6"), ("POL T4", "T8")],
)
def test_spellings_and_old_names_are_the_same_place(label: str, same: str) -> None:
    np.testing.assert_array_equal(place(label), place(same))


def test_electrodes_beyond_the_bank_come_from_the_same_template() -> None:
    assert "AF1" not in position_bank()[0]
    template = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    np.testing.assert_array_equal(place("AF1", "PO2"), [template["AF1"], template["PO2"]])


def test_a_bipolar_pair_sits_in_the_middle() -> None:
    np.testing.assert_allclose(place("EEG FP1-F7")[0], place("Fp1", "F7").mean(axis=0))


def test_an_electrode_against_the_ear_sits_where_it_is() -> None:
    np.testing.assert_array_equal(place("C3-A2", "C4-M1"), place("C3", "C4"))


@pytest.mark.parametrize("names", [("Cz", "XX"), ("STIM",), ("EXG1", "Cz"), ("Fp1-XX",), ()])
def test_one_unknown_name_means_no_answer(names: tuple[str, ...]) -> None:
    assert find_positions(names, "eeg", "template") is None


@pytest.mark.parametrize(
    ("modality", "frame"), [("ieeg", "template"), ("meg", "head"), ("eeg", "device"), ("eeg", "mri")]
)
def test_other_modalities_and_frames_are_not_answered(modality: str, frame: str) -> None:
    assert find_positions(("Cz",), modality, frame) is None


def test_a_whole_biosemi_cap_is_read_as_one_cap() -> None:
    np.testing.assert_array_equal(place(*BIOSEMI), place(*(f"biosemi128_{name}" for name in BIOSEMI)))
    assert not np.allclose(place(*BIOSEMI)[0], place("A1"))  # not the earlobe
    np.testing.assert_array_equal(place("BIOSEMI128_a3"), place("biosemi128_A3"))


@pytest.mark.parametrize("names", [("A3",), BIOSEMI[:64], (*BIOSEMI, "E1"), ("Cz", "B7"), ("biosemi128_A33",)])
def test_numbers_of_an_unknown_biosemi_cap_are_not_guessed(names: tuple[str, ...]) -> None:
    assert find_positions(names, "eeg", "template") is None


def test_a_whole_egi_net_is_known_and_a_part_of_one_is_not_guessed() -> None:
    net = place(*HYDROCEL, "VREF")
    np.testing.assert_allclose(net[-1], place("Cz")[0])
    assert find_positions(HYDROCEL[:64], "eeg", "template") is None  # a net of 64 has other places
    assert find_positions((*HYDROCEL, "E129", "E200"), "eeg", "template") is None


def test_the_head_frame_is_what_mne_writes_into_info() -> None:
    names = ["Fp1", "Cz", "T7", "Oz", "AF1"]
    info = mne.create_info(names, 100.0, "eeg").set_montage("colin27_1005")
    written = [ch["loc"][:3] for ch in info["chs"]]
    np.testing.assert_allclose(place(*names, frame="head"), written, rtol=0, atol=1e-7)
    info = mne.create_info(list(BIOSEMI), 100.0, "eeg").set_montage("biosemi128")
    written = [ch["loc"][:3] for ch in info["chs"]]
    np.testing.assert_allclose(place(*BIOSEMI, frame="head"), written, rtol=0, atol=1e-7)


def test_head_and_template_are_five_centimetres_apart() -> None:
    names = tuple(name for name in position_bank()[0][:148] if name[0] in "FCPO")
    shift = (place(*names) - place(*names, frame="head")).mean(axis=0)
    assert 0.045 < np.linalg.norm(shift) < 0.06  # 5.2 cm
