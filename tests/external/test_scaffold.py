"""What `nkfm new plugin` writes passes everything at once, whatever it offers."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from neurokit_fm.cli.new import OFFERS

ROOT = Path(__file__).parents[2]
PIP = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation"]

CHECK_ALL = """
from neurokit_fm.cli.check import run
from neurokit_fm.testing.checks import checks_for
done = [run(check) for kind in {kinds!r} for check in checks_for(f"nkfm_own_{{kind}}_thing")]
print(*[outcome.message for outcome in done if outcome.status == "failed"], sep="\\n")
print(len(done), "checks", sum(outcome.status == "passed" for outcome in done), "passed")
raise SystemExit(any(outcome.status == "failed" for outcome in done))
"""


@pytest.fixture(scope="module")
def written(make_environment, tmp_path_factory: pytest.TempPathFactory):
    """One plugin of each kind, installed editable in one environment, and the folder they are in."""
    environment, folder = make_environment(), tmp_path_factory.mktemp("authors")
    for kind in OFFERS:
        environment.nkfm("new", "plugin", f"own-{kind}-thing", "--kind", kind, cwd=folder)
    environment.install(*(folder / f"nkfm-own-{kind}-thing" for kind in OFFERS), editable=True)
    return environment, folder


def test_every_kind_passes_every_check(written) -> None:
    environment, _ = written
    said = environment.run(environment.python, "-c", CHECK_ALL.format(kinds=OFFERS))
    assert int(said.split()[0]) > 60


def test_the_tests_that_come_with_it_pass(written) -> None:
    environment, folder = written
    tests = [str(path) for path in sorted(folder.glob("*/tests/test_*.py")) if path.stem != "test_conformance"]
    assert len(tests) == len(OFFERS)
    # sockets stay blocked, warnings stay errors, as in the tests of this repository
    flags = ["--import-mode=importlib", "-q", "-W", "error", "--disable-socket", "-p", "no:cacheprovider"]
    said = environment.run(environment.python, "-m", "pytest", *flags, *tests, cwd=folder)
    assert " passed" in said


def test_what_is_written_is_formatted_and_says_whose_it_is(written) -> None:
    _, folder = written
    files = [path for path in Path(folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not [mark for mark in ("{{", "{%", "}}") if mark in text], (
            f"{path.name} still holds a mark of its template"
        )
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert max(map(len, text.splitlines())) <= 130


def test_the_templates_are_in_the_wheel(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "pip", "wheel", *PIP, "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(line, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("neurokit_fm/templates/plugin/")}
    here = (ROOT / "neurokit_fm" / "templates" / "plugin").rglob("*.jinja")
    assert names == {str(path.relative_to(ROOT)) for path in here}
