"""The scripts of this folder are the README's code blocks: run by test_readme.py, never imported."""

from pathlib import Path

collect_ignore = [
    file.name for file in Path(__file__).parent.glob("*.py") if not file.name.startswith(("test_", "conftest"))
]
