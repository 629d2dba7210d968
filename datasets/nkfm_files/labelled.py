"""labelled_files: recordings of any format and a CSV table with one row each."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurokit_fm import Dataset, Recording, read
from neurokit_fm.errors import DataError, did_you_mean


def labelled_files(
    table: str,
    *,
    target: str = "label",
    file: str = "file",
    root: str = "",
    licence: str = "not stated",
    citation: str = "not stated",
) -> Dataset:
    """Recordings named in a CSV table, with what is to be predicted of each.

    Parameters
    ----------
    table : str
        CSV file (comma, semicolon or tab) with a header.
    target : str
        Column to predict: text is a class, numbers throughout are a quantity, several names separated by ``|`` are labels.
    file : str
        Column of the recording's path, from `root`.
    root : str
        Folder; default: that of the table.
    licence, citation : str

    Returns
    -------
    Dataset
        Table: the columns as they are; ``subject``, ``session``, ``site`` and ``part`` are those that protocols use.

    Raises
    ------
    FileNotFoundError
        If the table or recordings are missing; all of them are named.
    DataError
        If a column is missing, there is no row, or one has no target or one that is not finite.
    """
    path = Path(table)
    if not path.is_file():
        raise FileNotFoundError(f"no such table: {path}")
    folder = Path(root) if root else path.parent
    with path.open(encoding="utf-8-sig", newline="") as opened:
        first = opened.readline()
        opened.seek(0)
        table_of = csv.DictReader(opened, delimiter=max(",;\t", key=first.count))
        rows, columns = list(table_of), list(table_of.fieldnames or [])
    for name in (file, target):
        if name not in columns:
            have = ", ".join(columns) or "none"
            raise DataError(f"{path} has no column {name!r}.{did_you_mean(name, columns)} Columns: {have}")
    if not rows:
        raise DataError(f"{path} has a header and no rows; give each recording one")
    empty = [str(number + 2) for number, row in enumerate(rows) if not row[target] or not row[file]]
    if empty:
        raise DataError(
            f"{path}: {target!r} or {file!r} is empty in line {', '.join(empty[:5])}; fill it in or leave it out"
        )
    missing = [row[file] for row in rows if not (folder / row[file]).exists()]
    if missing:
        raise FileNotFoundError(f"{path}: {len(missing)} recordings are not in {folder}: {', '.join(missing[:5])}")
    values = _values([row[target] for row in rows])
    odd = [str(line) for line, value in enumerate(values, 2) if isinstance(value, float) and not math.isfinite(value)]
    if odd:
        raise DataError(
            f"{path}: {target!r} is no finite number in line {', '.join(odd[:5])}; correct it or leave it out"
        )
    filled: list[dict[str, object]] = [{**row, target: value} for row, value in zip(rows, values, strict=True)]

    def open_row(number: int) -> Recording:
        recording, row = read(folder / str(filled[number][file])), filled[number]
        named = {key: str(row[key]) for key in ("subject", "session", "task", "run") if row.get(key)}
        info = replace(recording.info, **named, licence=licence, citation=citation)  # type: ignore[arg-type]  # texts
        return replace(recording, info=info)

    return Dataset(
        name=path.stem, table=filled, open=open_row, licence=licence, citation=citation, summary=f"recordings of {path}",
        target=target,
    )  # fmt: skip


def _values(texts: list[str]) -> list[Any]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        pass
    if any("|" in text for text in texts):
        return [[name.strip() for name in text.split("|") if name.strip()] for text in texts]
    return list(texts)
