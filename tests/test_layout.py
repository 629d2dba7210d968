"""Where things live, how long they are, and what is public."""

import ast
import io
import statistics
import subprocess
import tokenize
from pathlib import Path

import pytest

import neurokit_fm
from neurokit_fm.deprecations import DEPRECATED
from neurokit_fm.plugins import BUILT_IN

ROOT = Path(__file__).parents[1]
CORE = ROOT / "neurokit_fm"
SOURCE_ROOTS = ("plugins", "datasets", "tokenizers")
SHELVES = ("utils.py", "helpers.py", "common.py", "misc.py")


def packages() -> list[Path]:
    return sorted(
        folder for root in SOURCE_ROOTS if (ROOT / root).is_dir() for folder in (ROOT / root).iterdir()
        if folder.is_dir() and folder.name != "__pycache__"
    )  # fmt: skip


def modules() -> list[Path]:
    roots = [CORE, *(ROOT / name for name in (*SOURCE_ROOTS, "tests", "benchmarks", "docs"))]
    return sorted(file for root in roots for file in root.rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(path: Path) -> int:
    """Lines that do something: docstrings, comments and blank lines do not count, for nobody should save on them."""
    text = path.read_text(encoding="utf-8")
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in silent]
    code = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    prose = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return len(code - {line for node in prose for line in range(node.lineno, (node.end_lineno or 0) + 1)})


def test_code_lines_leave_prose_out(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text('"""Prose\nover two lines."""\n\nx = (\n    1  # one\n)\n\n# a comment\ny = """data"""\n')
    assert code_lines(path) == 4


def test_built_in_plugins_are_the_folders() -> None:
    assert sorted(BUILT_IN) == list(BUILT_IN), "keep the tuple sorted"
    assert set(BUILT_IN) == {folder.name for folder in packages()}


def test_source_roots_are_not_packages() -> None:
    shadows = [name for name in SOURCE_ROOTS if (ROOT / name / "__init__.py").exists()]
    assert not shadows, "an __init__.py here would shadow the Hugging Face package of the same name"


@pytest.mark.parametrize("folder", packages(), ids=lambda folder: folder.name)
def test_a_plugin_is_a_package_with_hooks_in_plugin_py(folder: Path) -> None:
    assert folder.name.startswith("nkfm_")
    assert (folder / "__init__.py").is_file()
    assert (folder / "plugin.py").is_file()


def test_no_module_is_a_shelf_for_everything() -> None:
    assert not [str(path.relative_to(ROOT)) for path in modules() if path.name in SHELVES]


def test_no_module_is_longer_than_500_lines() -> None:
    assert not {str(path.relative_to(ROOT)): lines(path) for path in modules() if lines(path) > 500}


def test_the_core_stays_small() -> None:
    """Lines of code (no docstrings, comments or blanks): the concepts, and each part that only uses them."""
    whole = {path.relative_to(CORE): code_lines(path) for path in CORE.rglob("*.py")}
    uses = (
        "benchmarking",
        "cli",
        "corpus",
        "evaluation",
        "finetuning",
        "hub",
        "probing",
        "report",
        "testing",
        "training",
    )
    assert sum(n for path, n in whole.items() if path.parts[0] not in uses) < 4000
    assert {part for part in uses if sum(n for path, n in whole.items() if path.parts[0] == part) > 1500} == set()
    assert statistics.median(lines(path) for path in CORE.rglob("*.py")) <= 150


def test_no_tracked_file_is_larger_than_2_mb() -> None:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:  # an unpacked source archive has no index
        tracked = [str(path.relative_to(ROOT)) for path in modules()]
    else:
        tracked = [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert tracked
    assert not {name: (ROOT / name).stat().st_size for name in tracked if (ROOT / name).stat().st_size > 2e6}


def type_checking_names() -> dict[str, str]:
    tree = ast.parse((CORE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {
        alias.asname or alias.name: node.module or ""
        for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }  # fmt: skip


def test_public_names_equal_the_type_checking_block() -> None:
    assert type_checking_names() == neurokit_fm._PUBLIC


def test_public_names_are_few_and_sorted() -> None:
    assert len(neurokit_fm._PUBLIC) <= 43
    assert list(neurokit_fm._PUBLIC) == sorted(neurokit_fm._PUBLIC)


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@pytest.mark.parametrize("name", [name for name, module in neurokit_fm._PUBLIC.items() if exists(module)])
def test_a_public_name_resolves_to_what_its_module_holds(name: str) -> None:
    assert getattr(neurokit_fm, name) is not None
    assert name in dir(neurokit_fm)


def test_an_unknown_public_name_is_an_attribute_error_with_a_hint() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TimeSerie'. Did you mean 'TimeSeries'"):
        neurokit_fm.TimeSerie  # noqa: B018 - the access is the test


def test_no_deprecated_name_outlives_its_removal() -> None:
    now = tuple(int(part) for part in neurokit_fm.__version__.split(".")[:2])
    late = [name for name, moved in DEPRECATED.items() if tuple(map(int, moved.gone_in.split("."))) <= now]
    assert not late
    assert not set(DEPRECATED) & set(neurokit_fm._PUBLIC)


def test_no_public_name_is_also_a_module() -> None:
    """Importing the module would put it in the name's place."""
    assert not [name for name in type_checking_names() if (CORE / name).is_dir() or (CORE / f"{name}.py").exists()]
