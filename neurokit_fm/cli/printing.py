"""Tables for a terminal and for Markdown, shared by the commands that print one."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    r"""Lay out rows under a header; columns that are empty in every row are left out.

    Examples
    --------
    >>> print(table(["name", "paper"], [["reve", ""], ["mae", ""]]))
    name
    reve
    mae
    >>> print(table(["name", "is"], [["a|b", "x"]], markdown=True))
    | name | is |
    |---|---|
    | a\|b | x |
    """
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)] if rows else range(len(header))
    lines = [[header[i] for i in kept], *[[row[i] for i in kept] for row in rows]]
    if markdown:
        cells = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        return "\n".join([cells[0], "|" + "---|" * len(lines[0]), *cells[1:]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
