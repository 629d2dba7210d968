import pytest

from nkfm_mne.names import bare, clean_names, electrode, other_kind, pair


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("EEG Fp1-REF", "Fp1"),
        ("EEG FP1-LE", "Fp1"),
        ("Fc5.", "FC5"),
        ("Cz..", "Cz"),
        ("EEG T3", "T3"),
        ("POL T3", "T3"),
        ("CZ", "Cz"),
        ("POZ", "POz"),
        ("ft10", "FT10"),
        ("EEG C3-A1A2", "C3"),
        ("EEG C3-(A1+A2)/2", "C3"),
        ("AFF1H", "AFF1h"),
        ("12", None),
        ("POL X1", None),
        ("EEG", None),
        ("", None),
    ],
)
def test_a_label_means_one_electrode_in_its_usual_spelling(label: str, meant: str | None) -> None:
    assert electrode(label) == meant


def test_old_names_stay_what_the_laboratory_called_them() -> None:
    assert clean_names(["EEG T3", "EEG T5-REF"]) == ("T3", "T5")


def test_a_bipolar_label_is_two_known_electrodes() -> None:
    assert pair("EEG FP1-F7") == ("Fp1", "F7")
    assert pair("Fp1-REF") is None
    assert pair("A-B") is None
    assert pair("Fp1-F7-F3") is None
    assert clean_names(["FP1-F7", "EEG Fpz-Cz"]) == ("Fp1-F7", "Fpz-Cz")


def test_labels_that_mean_no_electrode_are_left_alone() -> None:
    names = ("EEG 001", "17", "E12", "A3", "biosemi128_A3", "Fp1 left", "B7")
    assert clean_names(names) == names


@pytest.mark.parametrize("names", [("FP1", "EEG Fp1-REF"), ("Cz", "CZ"), ("CZ", "Cz")])
def test_spellings_that_would_collide_keep_the_original_names(names: tuple[str, str]) -> None:
    cleaned = clean_names(names)
    assert len(set(cleaned)) == 2
    assert set(cleaned) >= {name for name in names if name == "Cz"}


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("EOG1", "eog"), ("HEOG", "eog"), ("VEOG", "eog"), ("VEO", "eog"), ("EEG LOC-REF", "eog"), ("EOG horizontal", "eog"),
        ("ECG", "ecg"), ("EEG EKG1-REF", "ecg"), ("EMG submental", "emg"), ("LEMG", "emg"), ("Status", "stim"),
        ("TRIGGER", "stim"), ("TRIG 2", "stim"), ("STI 014", "stim"), ("EXG8", "misc"), ("Resp oro-nasal", "misc"),
        ("PHOTIC-REF", "misc"),
        ("Cz", None), ("12", None), ("F7", None), ("E1", None), ("TEMPORAL", None), ("LOCUS", None), ("", None), ("DCz", None),
    ],
)  # fmt: skip
def test_plain_labels_of_other_organs_are_recognised(label: str, kind: str | None) -> None:
    assert other_kind(label) == kind


def test_bare_never_leaves_an_empty_name() -> None:
    assert [bare(x) for x in ("EEG", "...", "-REF", " Cz ")] == ["EEG", "...", "-REF", "Cz"]
