"""The pages in docs/ say what the code says."""

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from neurokit_fm.errors import DataError
from neurokit_fm.hooks import Entry
from neurokit_fm.plugins import Plugins, _new_manager

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])


def specifications() -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / "neurokit_fm" / "hooks.py").read_text(encoding="utf-8"))
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("hookspec" in ast.unparse(d) for d in node.decorator_list)
    }


def signature(node: ast.FunctionDef) -> str:
    return f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"


def test_hooks_md_documents_every_hook_with_its_exact_signature() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    shown = re.findall(r"^def .*$", text, re.MULTILINE)
    assert shown == [signature(node) for node in specifications().values()]


def test_hooks_md_says_which_hooks_take_the_first_answer() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    asking = [
        name for name, node in specifications().items() if "firstresult=True" in ast.unparse(node.decorator_list[0])
    ]
    _, _, after = text.partition("## Asking hooks")
    assert re.findall(r"^def (\w+)", after, re.MULTILINE) == asking


def test_hooks_md_documents_every_field_of_an_entry() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert rows == [field.name for field in dataclasses.fields(Entry)]


def headings(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)?(#[\w-]+)?\)", text):
        file, anchor = target
        if "://" in file:
            continue
        path = (page.parent / file) if file else page
        assert path.exists(), f"{page.name} links to {file}"
        if anchor:
            assert anchor[1:] in headings(path.read_text(encoding="utf-8")), f"{page.name} links to {file}{anchor}"


def test_the_changelog_has_an_unreleased_section_in_full_sentences() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, _, unreleased = text.partition("## Unreleased")
    assert unreleased
    entries = re.findall(r"^- (.*(?:\n  .*)*)", unreleased.partition("\n## ")[0], re.MULTILINE)
    assert entries
    assert not [entry for entry in entries if not entry.rstrip().endswith(".")]


def test_the_plugin_of_write_a_plugin_reads_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
    plugin, reader = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    package = tmp_path / "nkfm_myformat"
    package.mkdir()
    for name, content in {"__init__.py": "", "plugin.py": plugin, "reader.py": reader}.items():
        (package / name).write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = Plugins(_new_manager())
    found.add("nkfm-myformat", lambda: importlib.import_module("nkfm_myformat.plugin"))
    (entry,) = found.collect("register_readers")
    assert not found.broken

    module, _, attribute = entry.target.partition(":")
    read_my_format = getattr(importlib.import_module(module), attribute)
    (tmp_path / "a.myf").write_text("Fz Cz\n1 2\n3 4\n5 6\n", encoding="utf-8")
    recording = read_my_format(tmp_path / f"a{entry.suffixes[0]}")
    assert recording["eeg"].read() == pytest.approx(1e-6 * np.array([[1, 3, 5], [2, 4, 6]]))
    (tmp_path / "b.myf").write_text("Fz\n1 2\n", encoding="utf-8")
    with pytest.raises(DataError, match="1 names for 2 columns"):
        read_my_format(tmp_path / "b.myf")
