"""What nkfm_bad offers."""

from neurokit_fm import Entry, hookimpl


def entry(name: str, target: str, **changes: object) -> Entry:
    given = {"summary": "made up", "paper": "none", "licence": "CC0-1.0"} | changes
    return Entry(name=name, target=f"nkfm_bad.{target}", **given)


@hookimpl
def register_tokenizers() -> list[Entry]:
    names = {
        "honest": "Honest", "spikes-honest": "Spikes", "images-honest": "Images", "nodes-honest": "Nodes",
        "wrong-mask": "WrongMask", "missing-tokens": "MissingTokens", "time-major": "TimeMajor",
        "lying-index": "LyingIndex", "reads-padding": "ReadsPadding", "loses-dtype": "LosesDtype",
        "invents-positions": "InventsPositions", "other-positions": "OtherPositions", "prefers-first": "PrefersFirst",
        "on-the-cpu": "OnTheCpu", "bare-error": "BareError", "lossy-decode": "LossyDecode",
        "lost-setting": "LostSetting",
    }  # fmt: skip
    odd = [
        entry("No_Hyphens", "tokenizers:Honest"),
        entry("full-stop", "tokenizers:Honest", summary="It ends."),
        entry("distribution-name", "tokenizers:Honest", requires=("scikit-learn",)),
        entry("not-there", "tokenizers:Nothing"),
        entry("no-paper", "tokenizers:Honest", paper=""),
        entry("not-a-class", "plugin:entry"),
        entry("absent-package", "tokenizers:Honest", requires=("surely_not_installed",)),
        entry("twice", "tokenizers:Honest"),
        entry("twice", "tokenizers:Honest"),
    ]
    return [entry(name, f"tokenizers:{target}") for name, target in names.items()] + odd


@hookimpl
def register_encodings() -> list[Entry]:
    names = {
        "honest": "Honest", "nan": "NaN", "counts-places": "CountsPlaces", "half": "Half", "unused": "Unused",
        "on-the-cpu": "OnTheCpu", "narrow": "Narrow",
    }  # fmt: skip
    return [entry(name, f"encodings:{target}") for name, target in names.items()]


@hookimpl
def register_models() -> list[Entry]:
    names = {
        "honest": "Honest", "leaks-across-batch": "LeaksAcrossBatch", "random": "Random",
        "ignores-mask": "IgnoresMask", "crosses-segments": "CrossesSegments", "counts-padding": "CountsPadding",
        "order-aware": "OrderAware", "declared-order-aware": "DeclaredOrderAware",
        "needs-positions": "NeedsPositions", "unused-parameter": "UnusedParameter", "global-noise": "GlobalNoise",
        "overflows": "Overflows", "loss-reads-padding": "LossReadsPadding", "on-the-cpu": "OnTheCpu", "forgets": "Forgets", "bare-error": "BareError",
        "one-channel-nan": "OneChannelNaN", "wrong-name": "WrongName", "large": "Large", "fitted": "Fitted",
        "fitted-anyhow": "FittedAnyhow", "images": "Images",
    }  # fmt: skip
    return [entry(name, f"models:{target}") for name, target in names.items()]


@hookimpl
def register_datasets() -> list[Entry]:
    names = {
        "honest-data": "honest", "subject-leak": "subject_leak", "one-subject": "one_subject",
        "recording-leak": "recording_leak", "unstated": "unstated", "other-licence": "other_licence",
        "no-subjects": "no_subjects", "not-finite": "not_finite", "other-subject": "other_subject",
        "phones-home": "phones_home", "to-download": "to_download",
    }  # fmt: skip
    made = [entry(name, f"datasets:{target}") for name, target in names.items()]
    return [*made, entry("no-licence", "datasets:no_licence", licence="")]


@hookimpl
def register_readers() -> list[Entry]:
    names = {
        "honest": "read_honest", "unguarded": "read_unguarded", "anything": "read_anything",
        "millivolts": "read_millivolts", "nameless": "read_nameless",
    }  # fmt: skip
    made = [entry(name, f"readers:{target}", suffixes=(f".{name}",)) for name, target in names.items()]
    return [*made, entry("upper-case", "readers:read_honest", suffixes=(".ABC",))]


@hookimpl
def register_weights() -> list[Entry]:
    names = ("honest", "forgets", "careless", "nowhere", "empty")
    return [entry(name, f"convert:{name.upper()}", licence="MIT") for name in names]


@hookimpl
def register_modalities() -> list[Entry]:
    names = {"smell": "HONEST", "upside-down": "UPSIDE_DOWN", "another-name": "OTHER_NAME"}
    return [entry(name, f"values:{target}") for name, target in names.items()]


@hookimpl
def register_commands() -> list[Entry]:
    return [entry("sniff", "values:sniff"), entry("no-command", "values:no_command")]
