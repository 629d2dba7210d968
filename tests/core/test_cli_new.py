"""Names, folders and refusals of `nkfm new plugin`; that what it writes works is shown in tests/external."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from packaging.requirements import Requirement

import neurokit_fm
from neurokit_fm.cli.new import OFFERS, new
from neurokit_fm.errors import StoreError


def run(*line: str) -> Result:
    return CliRunner().invoke(new, ["plugin", *line], catch_exceptions=False)


@pytest.mark.parametrize("kind", OFFERS)
def test_a_plugin_is_written_and_every_module_compiles(kind: str, tmp_path: Path) -> None:
    done = run("brain-wave", "--kind", kind, "--out", str(tmp_path))
    assert done.exit_code == 0
    assert f"wrote {tmp_path / 'nkfm-brain-wave'}, which offers the {kind} brain-wave" in done.output
    folder = tmp_path / "nkfm-brain-wave"
    modules = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    assert {f"nkfm_brain_wave/{kind}.py", "nkfm_brain_wave/plugin.py", f"tests/test_{kind}.py"} <= set(modules)
    assert ("nkfm_brain_wave/config.py" in modules) == (kind in ("tokenizer", "encoding", "model"))
    for path in modules:
        compile((folder / path).read_text(encoding="utf-8"), path, "exec")
        assert path in done.output


def test_the_project_points_at_its_hooks_and_supports_this_core(tmp_path: Path) -> None:
    run("nkfm-brain-wave", "--out", str(tmp_path))  # the prefix may be given
    project = tomllib.loads((tmp_path / "nkfm-brain-wave" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "nkfm-brain-wave"
    assert project["entry-points"] == {"neurokit_fm": {"nkfm_brain_wave": "nkfm_brain_wave.plugin"}}
    (core,) = map(Requirement, project["dependencies"])
    assert core.name == "neurokit-fm"
    assert core.specifier.contains(neurokit_fm.__version__)
    assert not core.specifier.contains("99")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Brain Wave", "Did you mean 'brain-wave'?"),
        ("brain_wave", "Did you mean 'brain-wave'?"),
        ("4d", "with a letter first"),
        ("brain--wave", "single hyphens"),
        ("%", "with a letter first"),
        ("nkfm-", "with a letter first"),
        ("../up", "Did you mean 'up'?"),
        ("patch", "nkfm_patch offers a tokenizer called 'patch' already."),
        ("mae", "nkfm_mae is part of neurokit_fm."),
        ("tokens", "'tokens' is a word of neurokit_fm itself; say what yours is about."),
        ("tokenizer", "'tokenizer' is a word of neurokit_fm itself"),
    ],
)
def test_a_bad_or_taken_name_is_wrong_usage_and_says_why(name: str, says: str, tmp_path: Path) -> None:
    done = run("--out", str(tmp_path), name)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "nkfm-brain-wave").mkdir()
    (tmp_path / "nkfm-brain-wave" / "mine.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(StoreError, match="exists already; choose another name or --out"):
        run("brain-wave", "--out", str(tmp_path))
    assert [path.name for path in (tmp_path / "nkfm-brain-wave").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        run("brain-wave", "--out", str(tmp_path / "file"))


def test_an_unknown_kind_lists_the_kinds(tmp_path: Path) -> None:
    done = run("brain-wave", "--kind", "headset", "--out", str(tmp_path))
    assert done.exit_code == 2
    assert all(kind in done.output for kind in OFFERS)
