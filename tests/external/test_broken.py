"""Broken plugins are explained one by one, and cost nobody else anything."""

import json
from pathlib import Path

import pytest

from neurokit_fm.plugins import BUILT_IN

NAMES = ("broken_argument", "broken_import", "broken_misspelt", "broken_twice")

QUIT = 'raise SystemExit("no licence key found")\n'
LIGHT = """from neurokit_fm import Entry, hookimpl

@hookimpl
def register_models() -> list[Entry]:
    return [Entry(name="many-{n}", target="nowhere:x", summary="Made up")]
"""


@pytest.fixture(scope="module")
def broken(make_environment, source):
    """Heartbeats, four broken plugins, one for another core and one that leaves the interpreter, in one environment."""
    environment = make_environment()
    environment.install(source("nkfm-heartbeat"), source("nkfm-broken"))
    environment.pretend("nkfm_from_the_future", LIGHT, "neurokit-fm>=99")
    environment.pretend("nkfm_quits", QUIT)
    return environment


@pytest.fixture(scope="module")
def found(broken) -> dict:
    return json.loads(broken.nkfm("doctor", "--json", expect=1))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken_import", "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"),
        ("broken_misspelt", "unknown hook 'register_tokenisers'. Did you mean 'register_tokenizers'?"),
        ("broken_argument", "find_positions(names: tuple[str, ...], colour: str)"),
        ("nkfm_from_the_future", "made for neurokit-fm >=99, and this is "),
        ("nkfm_quits", "SystemExit: no licence key found"),
    ],
)
def test_doctor_explains_each_broken_plugin(found: dict, name: str, reason: str) -> None:
    assert reason in found["broken"][name]
    assert name not in found["plugins"]


def test_doctor_names_both_plugins_of_one_name(found: dict) -> None:
    assert found["offered_twice"] == ["models: reve is offered by broken_twice and nkfm_reve"]


def test_all_others_are_there(broken, found: dict) -> None:
    assert set(found["plugins"]) == {*BUILT_IN, "nkfm_heartbeat", "broken_twice"}
    offered = json.loads(broken.nkfm("list", "--json").partition("\nnkfm:")[0])
    assert {"mae", "broken-own"} <= {entry["name"] for entry in offered["models"]}
    assert "beat" in {entry["name"] for entry in offered["tokenizers"]}


def test_what_others_offer_still_works(broken, tmp_path: Path) -> None:
    (tmp_path / "ecg.txt").write_text("# Sampling Rate (Hz):= 250\n# Labels:= ECG\n" + "1\n2\n" * 500, encoding="utf-8")
    assert "1 channels x 1,000 samples at 250 Hz" in broken.nkfm("info", "ecg.txt", cwd=tmp_path)


def test_the_text_of_doctor_has_a_line_for_each(broken) -> None:
    lines = broken.nkfm("doctor", expect=1).splitlines()
    assert len([line for line in lines if line.startswith("BROKEN ")]) == 5
    assert len([line for line in lines if line.startswith("TWICE ")]) == 1


def test_a_look_up_that_fails_names_the_plugins_that_are_broken(broken) -> None:
    code = "import neurokit_fm as nkfm; nkfm.tokenizers['lost']"
    said = broken.run(broken.python, "-c", code, expect=1)
    assert "no tokenizer called 'lost'" in said
    assert all(name in said for name in ("broken_misspelt", "nkfm_from_the_future", "nkfm_quits"))
    said = broken.run(broken.python, "-c", "import neurokit_fm as nkfm; nkfm.models.load('reve')", expect=1)
    assert "'reve' is offered by broken_twice and nkfm_reve" in said


def test_twenty_plugins_and_a_broken_one_load_nothing_heavy(make_environment) -> None:
    environment = make_environment()
    for n in range(20):
        environment.pretend(f"nkfm_many_{n:02}", LIGHT.format(n=n), "neurokit-fm>=0.1,<0.3")
    environment.pretend("nkfm_raises", "raise RuntimeError('always')\n")
    code = (
        "import atexit, sys; atexit.register(lambda: print('MODULES', *sys.modules));"
        "from neurokit_fm.cli.main import main; main(['list', 'models'])"
    )
    shown, _, modules = environment.run(environment.python, "-c", code).partition("MODULES ")
    assert sum(line.startswith("many-") for line in shown.splitlines()) == 20
    assert "nkfm: 1 broken: nkfm_raises (see `nkfm doctor`)" in shown
    assert not {name.partition(".")[0] for name in modules.split()} & {"numpy", "torch", "mne", "scipy", "h5py"}
