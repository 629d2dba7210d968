"""The pages in docs/ say what the code says."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from neurokit_fm.hooks import Entry
from neurokit_fm.registry import models
from neurokit_fm.testing import checks_for

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for page in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")] if not {"_build", "generated"} & {*page.parts}
)


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


def test_every_rule_is_written_where_a_failing_check_points_to() -> None:
    page, found = ROOT / "docs" / "write-a-plugin.md", checks_for()
    anchors = headings(page.read_text(encoding="utf-8"))
    assert found
    for check in found:
        path, _, anchor = check.link.partition("#")
        assert ROOT / path == page
        assert anchor in anchors, f"{check.key} points to {check.link}"


def test_every_page_is_in_the_table_of_contents() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in (ROOT / "docs").rglob("*.md")}
    pages = {page for page in pages if not page.startswith(("_build/", "generated/"))}
    listed = {line for block in re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL) for line in block.split()}
    assert pages - {"index"} <= listed


def test_every_model_has_a_page() -> None:
    assert {f"{name}.md" for name in models} <= {page.name for page in (ROOT / "docs" / "models").glob("*.md")}
