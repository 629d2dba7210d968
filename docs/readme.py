"""Brings the generated parts of README.md up to date: `make readme`.

A part stands between `<!-- nkfm list KIND -->` (a table) or `<!-- tests/docs/FILE.py -->` (a code block that the tests
run) and `<!-- end -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from neurokit_fm.cli.list import list_names

ROOT = Path(__file__).parents[1]
PART = re.compile(r"(<!-- (nkfm list|tests/docs/) ?(\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def part(source: str, name: str) -> str:
    """Return the text of one generated part."""
    if source == "tests/docs/":
        return f"```python\n{(ROOT / 'tests' / 'docs' / name).read_text(encoding='utf-8')}```\n"
    shown = CliRunner().invoke(list_names, [name, "--markdown"], catch_exceptions=False)
    if shown.exit_code:
        raise ValueError(f"README.md: `nkfm list {name}` fails: {shown.output}")
    return shown.stdout


def refreshed(text: str) -> str:
    """Return the README with every generated part made anew."""
    return PART.sub(lambda found: f"{found[1]}{part(found[2], found[3])}{found[4]}", text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(refreshed(readme.read_text(encoding="utf-8")), encoding="utf-8")
