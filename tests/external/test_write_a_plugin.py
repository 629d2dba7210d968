"""docs/write-a-plugin.md from its first line to its last: every command is run and every file written, in order."""

import re
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIECE = re.compile(
    r"```sh\n(?P<commands>.*?)```|^`(?P<path>[\w./]+)`:\n\n```\w+\n(?P<content>.*?)```", re.DOTALL | re.MULTILINE
)


def script_of(page: str) -> str:
    """A shell script that does what the page says."""
    lines = ["set -eux"]
    for piece in PIECE.finditer(page):
        if piece["path"]:
            lines.append(f"cat > {piece['path']} <<'END_OF_FILE'\n{piece['content']}END_OF_FILE")
        else:
            lines.append(piece["commands"])
    return "\n".join(lines)


def test_from_an_empty_folder_to_a_checked_plugin_in_under_two_minutes(make_environment, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
    script = script_of(page)
    assert script.count("END_OF_FILE") == 2 * 4
    assert "nkfm new plugin" in script
    environment = make_environment()
    begin = time.monotonic()
    said = environment.run("bash", "-c", script, cwd=tmp_path)
    assert time.monotonic() - begin < 120
    assert said.count("\nreader my-format") == 2  # nkfm check, of the example and of one's own
    assert "failed" not in said
    assert "my-format" in said
    assert "2 channels x 3 samples at 200 Hz" in said
    assert "no problem found" in said
    assert [path.name for path in (tmp_path / "nkfm-my-format" / "dist").iterdir()] == [
        "nkfm_my_format-0.1.0-py3-none-any.whl"
    ]
