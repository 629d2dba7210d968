import pytest

from neurokit_fm import errors
from neurokit_fm.errors import MissingDependency, NkfmError, did_you_mean, need

BUILT_IN = {
    "UnknownName": LookupError,
    "MissingDependency": ImportError,
    "DataError": ValueError,
    "ConfigError": ValueError,
    "ContractError": ValueError,
    "WeightsError": ValueError,
    "StoreError": OSError,
    "TrainingError": RuntimeError,
    "PluginError": RuntimeError,
}


@pytest.mark.parametrize(("name", "built_in"), BUILT_IN.items())
def test_every_error_is_ours_and_the_built_in_that_fits(name: str, built_in: type[Exception]) -> None:
    error = getattr(errors, name)
    assert issubclass(error, NkfmError)
    assert issubclass(error, built_in)
    assert str(error("what was wrong")) == "what was wrong", "a message is shown as it was written, without quotes"


def test_no_error_is_missing_from_the_table() -> None:
    ours = {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, NkfmError)}
    assert ours == {*BUILT_IN, "NkfmError"}


def test_the_closest_name_is_offered_whatever_its_case() -> None:
    assert did_you_mean("fz", ["Fz", "Cz"]) == " Did you mean 'Fz'?"
    assert did_you_mean("glmhmm", ["glm-hmm", "reve"]) == " Did you mean 'glm-hmm'?"
    assert did_you_mean("xyz", ["reve"]) == ""
    assert did_you_mean("reve", []) == ""


def test_needing_a_module_returns_it() -> None:
    import json

    assert need("json", "reading JSON") is json


def test_a_missing_module_says_how_to_install_it() -> None:
    with pytest.raises(MissingDependency) as caught:
        need("pynwb_is_not_here.io", "reading NWB files", extra="nwb")
    assert str(caught.value) == (
        "reading NWB files needs pynwb_is_not_here, which is not installed.\n  pip install 'neurokit-fm[nwb]'"
    )
    with pytest.raises(MissingDependency, match="pip install pynwb_is_not_here$"):
        need("pynwb_is_not_here", "reading NWB files")
