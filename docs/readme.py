"""Brings the generated parts of README.md and docs/write-a-plugin.md up to date: `make readme`.

A part stands between `<!-- nkfm list KIND -->` (a table), `<!-- tests/docs/FILE.py -->` (a code block that the tests
run) or `<!-- nkfm rules -->` (what the conformance suite checks) and `<!-- end -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from neurokit_fm.cli.list import list_names
from neurokit_fm.cli.printing import table
from neurokit_fm.testing.checks import rules

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "write-a-plugin.md")
PART = re.compile(r"(<!-- (nkfm list|nkfm rules|tests/docs/) ?(\S*) ?-->\n).*?(<!-- end -->)", re.DOTALL)


def part(source: str, name: str) -> str:
    """Return the text of one generated part."""
    if source == "tests/docs/":
        return f"```python\n{(ROOT / 'tests' / 'docs' / name).read_text(encoding='utf-8')}```\n"
    if source == "nkfm rules":
        return rule_tables()
    shown = CliRunner().invoke(list_names, [name, "--markdown"], catch_exceptions=False)
    if shown.exit_code:
        raise ValueError(f"README.md: `nkfm list {name}` fails: {shown.output}")
    return shown.stdout


def rule_tables() -> str:
    """Every rule of the conformance suite, in the words of its check."""
    sections = []
    for section, held in rules().items():
        rows = table(("check", "rule"), [(f"`{name}`", words) for name, words in held], markdown=True)
        sections.append(f"\n### Rules for {section}\n\n{rows}\n")
    return "".join([*sections, "\n"])


def refreshed(text: str) -> str:
    """Return a page with every generated part made anew."""
    return PART.sub(lambda found: f"{found[1]}{part(found[2], found[3])}{found[4]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
