"""Sections of text, tables and figures, and the one HTML page they go into. What is drawn: the modules beside this."""

from __future__ import annotations

import base64
import io
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from neurokit_fm import __version__
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "report.html.jinja"
PACKAGES = ("torch", "numpy", "scipy", "mne", "scikit-learn", "matplotlib")
"""Packages whose versions stand at the end of each report, besides Python and our own."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers in rows.

    Attributes
    ----------
    header : sequence of str
    rows : sequence of sequence
        Text as it is, integers with thousands separators, floats with three significant digits.
    caption : str
    marked : sequence of int
        Rows to set in bold.
    folded : bool
        Show only the caption until it is clicked.

    Raises
    ------
    DataError
        If a row is not as long as the header.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    marked: Sequence[int] = ()
    folded: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise DataError(f"a table of {len(self.header)} columns got a row of {len(row)}: {list(row)}")

    @property
    def cells(self) -> list[list[tuple[str, bool]]]:
        """Each cell as text, and whether it is a number."""
        return [[(_text(cell), isinstance(cell, int | float)) for cell in row] for row in self.rows]


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A figure with the words that belong to it.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        How to read it.
    """

    figure: Figure
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.alt:
            raise DataError("a picture needs an alt text: say in one sentence what it shows")

    @property
    def source(self) -> str:
        """The figure as a data URL holding SVG, the same bytes each time."""
        import matplotlib

        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "neurokit_fm", "svg.fonttype": "path"}):
            self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """One headed part of a report; shown in the order text, lines, pictures, tables.

    Attributes
    ----------
    title : str
    text : str
        Paragraphs, separated by an empty line. Plain text; HTML in it is shown as it is.
    lines : sequence of str
        A numbered list.
    pictures : sequence of Picture
    tables : sequence of Table
    """

    title: str
    text: str = ""
    lines: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()

    @property
    def paragraphs(self) -> list[str]:
        """Parts of the text."""
        return [part.strip() for part in self.text.split("\n\n") if part.strip()]


def write_report(
    path: str | os.PathLike[str],
    sections: Sequence[Section],
    *,
    title: str,
    summary: Sequence[str] = (),
    command: str = "",
    facts: Sequence[tuple[str, object]] = (),
) -> Path:
    """Write a page that needs no other file and no network: pictures are part of it, all text is escaped.

    Parameters
    ----------
    path : path-like
        Of the HTML file; written whole or not at all.
    sections : sequence of Section
    title : str
    summary : sequence of str
        What was found, one sentence an entry, shown first.
    command : str
        The exact command that made the report.
    facts : sequence of (str, object)
        Seeds, hashes and whatever else it takes to make the report again; versions are added.

    Returns
    -------
    Path
        As given.
    """
    folder = jinja2.PackageLoader("neurokit_fm", "templates")
    page = jinja2.Environment(loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    made = Table(
        header=("what", "value"),
        rows=[
            *([("command", command)] if command else []),
            *facts,
            ("made", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
            ("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"),
            ("neurokit_fm", __version__),
            ("Python", sys.version.split()[0]),
            *[(name, _version(name)) for name in PACKAGES],
        ],
    )
    last = Section(title="How this report was made", tables=[made])
    text = page.get_template(TEMPLATE).render(title=title, summary=summary, sections=[*sections, last])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf8")
    return path


def _text(cell: object) -> str:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if math.isnan(cell):
        return "–"
    if abs(cell) >= 999.5:
        return f"{cell:,.0f}"
    return f"{cell:#.3g}".rstrip(".") if abs(cell) >= 1e-3 else f"{cell:g}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
