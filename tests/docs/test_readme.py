"""README.md: its tables are current and its code runs."""

import ast
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import neurokit_fm

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("*.py") if not path.name.startswith(("test_", "conftest")))

RUN = ("arrays.py",)
"""Scripts that need nothing but what exists; the others are only read."""


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_parts_are_current() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "readme.py"))
    for page in made["PAGES"]:
        text = page.read_text(encoding="utf-8")
        assert made["refreshed"](text) == text, f"{page.name}: run `make readme`"


def test_every_script_is_shown() -> None:
    assert sorted(re.findall(r"<!-- tests/docs/(\S+) -->", readme())) == SCRIPTS


def test_every_python_block_comes_from_a_script() -> None:
    assert readme().count("```python") == len(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_use_public_names_only(script: str) -> None:
    tree = ast.parse((HERE / script).read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nkfm"
    }
    assert used
    assert used <= set(neurokit_fm.__all__)


@pytest.mark.parametrize("script", RUN)
def test_scripts_run(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(HERE / script))


def test_the_array_script_makes_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    made = runpy.run_path(str(HERE / "arrays.py"))
    assert made["first"].shape == (3, 200)
    assert np.array_equal(made["first"], made["x"][:, :200])
    assert "eeg: 3 channels x 2,000 samples at 200 Hz = 10.0 s" in capsys.readouterr().out


def test_the_two_commands_and_the_unrelated_project_are_named() -> None:
    first_screen = "\n".join(readme().splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen
    assert len([line for line in readme().splitlines() if "NeuroKit2" in line]) == 1
