"""Published files of connections, read into rows: text tables, workbooks, cached matrices, the functional atlas.

What is asked of a file is its layout, never its name.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm.errors import DataError, need
from nkfm_celegans.wiring import Contact, contacts_of

Q_BELOW = 0.05
"""Functional connections count where the corrected p value is below this."""

KIND_OF = {
    "electrical": "gap-junction", "gapjunction": "gap-junction", "gap": "gap-junction", "ej": "gap-junction",
    "generic_gj": "gap-junction", "chemical": "chemical", "send": "chemical", "s": "chemical", "sp": "chemical",
    "generic_cs": "chemical", "functional": "functional", "peptidergic": "extrasynaptic", "tyramine": "extrasynaptic",
    "octopamine": "extrasynaptic", "dopamine": "extrasynaptic", "serotonin": "extrasynaptic",
}  # fmt: skip
"""What files call a connection, in lower case; R and Rp of Chen et al. (2006) are S and Sp seen from the other cell."""

SYNAPTIC_TRANSMITTERS = ("acetylcholine", "glutamate", "gaba", "betaine", "otherchemicalnt")


def read_contacts(
    path: str | os.PathLike[str], *, sheets: Sequence[str] = (), reference: bool = False
) -> list[Contact]:
    """Read a published file of connections.

    Parameters
    ----------
    path : path-like
        - text with columns ``pre, post, type, synapses`` (White 1986, Witvliet 2020; tab or comma), or
          ``Source, Target, Weight, Type``;
        - workbook of such a table; with columns ``Neuron 1, Neuron 2, Type, Nbr`` (Chen 2006, Varshney 2011) or
          ``Origin, Target, Type, Number of Connections`` (OpenWorm); with adjacency sheets (Cook 2019); or of responses
          on the first sheet and q values on the second (Randi 2023, see Notes);
        - JSON with ``nodes`` and ``connections``, matrices [from, to] (the cache of the package cect);
        - HDF5 with ``wt/dFF`` and ``wt/q``, matrices [to, from] (the atlas of Randi 2023 in wormneuroatlas);
        - text without header ``from, to, transmitter, receptor`` (Bentley 2016).
    sheets : sequence of str
        Of a workbook of adjacency sheets: names of the chemical and the gap-junction sheet. Default: those of the
        hermaphrodite.
    reference : bool
        As published, of Chen et al. only ``Sp`` and ``EJ`` are read; by default ``S`` too.

    Returns
    -------
    list of Contact
        [from, to].

    Raises
    ------
    DataError
        If the layout is none of these.

    Notes
    -----
    Rows of the Randi workbook are taken as the stimulated cell, as the published code does. Whether that is so is not
    documented; the HDF5 atlas says what its axes are.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    ending = path.suffix.lower()
    try:
        if ending == ".json":
            return read_cached(path)
        if ending in (".h5", ".hdf5"):
            return read_atlas(path)
        if ending == ".xlsx":
            return _workbook(path, _xlsx(path), sheets, reference)
        if ending == ".xls":
            return _workbook(path, _xls(path), sheets, reference)
        return _table(path, _text_rows(path), reference)
    except (KeyError, IndexError, TypeError, UnicodeDecodeError, OSError) as err:
        raise DataError(
            f"{path} is no table of connections that this reader knows: {type(err).__name__}: {err}"
        ) from err


def read_cached(path: str | os.PathLike[str]) -> list[Contact]:
    """Read a cached data set of the package cect: JSON, matrices [from, to] by kind of synapse."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"nodes", "connections"} <= set(content):
        raise DataError(f"{path}: expected the keys 'nodes' and 'connections'; found {list(content)[:5]}")
    names, rows = content["nodes"], []
    synaptic = {k.lower() for k in content["connections"]} & set(SYNAPTIC_TRANSMITTERS)
    for label, matrix in content["connections"].items():
        low = label.lower()
        kind = "chemical" if synaptic and low in SYNAPTIC_TRANSMITTERS else KIND_OF.get(low)
        if kind is None and ("chem" in low or "acetylcholine" in low or "glutamate" in low):
            kind = "chemical"
        if kind is None:
            raise DataError(f"{path} holds connections {label!r}, which are no synapses; known: {', '.join(KIND_OF)}")
        rows += contacts_of(matrix, names, names, kind)
    return rows


def read_atlas(path: str | os.PathLike[str], *, strain: str = "wt", q_below: float = Q_BELOW) -> list[Contact]:
    """Read the signal propagation atlas of Randi et al. (2023): HDF5, matrices [responding, stimulated].

    Responses of a cell to its own stimulation are left out.
    """
    import h5py

    with h5py.File(path) as file:
        missing = [key for key in ("neuron_ids", f"{strain}/dFF", f"{strain}/q") if key not in file]
        if missing:
            raise DataError(f"{path} is no functional atlas: it has no {' and no '.join(missing)}")
        names = [n.decode() if isinstance(n, bytes) else str(n) for n in file["neuron_ids"][:]]
        response, q = file[f"{strain}/dFF"][:], file[f"{strain}/q"][:]
    with np.errstate(invalid="ignore"):
        chosen = (q < q_below) & np.isfinite(response)
    np.fill_diagonal(chosen, False)
    return contacts_of(np.where(chosen, response, 0).T, names, names, "functional")


def _text_rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig")
    tab = "\t" in text.partition("\n")[0]
    return [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter="\t" if tab else ",")]


def _xlsx(path: Path) -> dict[str, list[list[Any]]]:
    openpyxl = need("openpyxl", "reading .xlsx workbooks", extra="celegans")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as err:  # openpyxl lets errors of zipfile, xml and its own through
        raise DataError(f"{path} is no workbook: {err}") from err
    try:
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    finally:
        book.close()


def _xls(path: Path) -> dict[str, list[list[Any]]]:
    xlrd = need("xlrd", "reading .xls workbooks", extra="celegans")
    try:
        book = xlrd.open_workbook(path)
    except xlrd.XLRDError as err:
        raise DataError(f"{path} is no workbook: {err}") from err
    return {s.name: [s.row_values(row) for row in range(s.nrows)] for s in book.sheets()}


def _workbook(path: Path, book: dict[str, list[list[Any]]], sheets: Sequence[str], reference: bool) -> list[Contact]:
    names = {name.strip().lower(): name for name in book}
    chem, gap = (s.lower() for s in sheets) if sheets else ("hermaphrodite chemical", "hermaphrodite gap jn symmetric")
    gap = gap if sheets or gap in names else "herm gap jn symmetric"
    if sheets or chem in names:
        missing = [name for name in (chem, gap) if name not in names]
        if missing:
            raise DataError(f"{path} has no sheet {', '.join(map(repr, missing))}; it has {', '.join(book)}")
        return [*_adjacency(book[names[chem]], "chemical"), *_adjacency(book[names[gap]], "gap-junction")]
    first, *others = book.values()
    if first and len(first) > 50 and len(first[0]) > 50 and others and len(others[0]) == len(first):
        return _responses(first, others[0])
    return _table(path, first, reference)


def _adjacency(sheet: list[list[Any]], kind: str) -> list[Contact]:
    """Cells of a sheet of Cook et al. (2019): post names in row 2, pre names in column 2, counted from 0."""
    post = {j: str(name).strip() for j, name in enumerate(sheet[2]) if j > 2 and name not in (None, "")}
    rows = []
    for line in sheet[3:]:
        if len(line) < 4 or line[2] in (None, ""):
            continue
        for j, name in post.items():
            weight = _number(line[j]) if j < len(line) else None
            if weight:
                rows.append(Contact(str(line[2]).strip(), name, kind, weight))
    return rows


def _responses(response: list[list[Any]], q: list[list[Any]]) -> list[Contact]:
    post = [str(name).strip() for name in response[0]]
    rows = []
    for line, sure in zip(response[1:], q[1:], strict=True):
        pre = str(line[0]).strip()
        for j in range(1, min(len(line), len(sure))):
            value, p = _number(line[j]), _number(sure[j])
            if value and p is not None and p < Q_BELOW and post[j] != pre:
                rows.append(Contact(pre, post[j], "functional", value))
    return rows


COLUMNS = (
    ("pre", "post", "type", "synapses"),
    ("source", "target", "type", "weight"),
    ("neuron 1", "neuron 2", "type", "nbr"),
    ("origin", "target", "type", "number of connections"),
)


def _table(path: Path, rows: list[list[Any]], reference: bool) -> list[Contact]:
    if not rows:
        raise DataError(f"{path} is empty")
    header = [str(cell or "").strip().lower().lstrip("#").strip() for cell in rows[0]]
    columns = next((c for c in COLUMNS if set(c) <= set(header)), None)
    if columns is None:
        listed = [row for row in rows if len(row) >= 4 and not str(row[0]).startswith("#")]
        if listed and all(_number(cell) is None for cell in listed[0][:4]):
            return [Contact(str(row[0]), str(row[1]), "extrasynaptic", 1.0) for row in listed]
        raise DataError(
            f"{path}: no columns {' or '.join('/'.join(c) for c in COLUMNS)}; found {', '.join(header[:8])}"
        )
    pre, post, kind, weight = (header.index(c) for c in columns)
    chosen = set(KIND_OF) - ({"s"} if reference else set())
    found = []
    for row in rows[1:]:
        if len(row) <= max(pre, post, kind, weight):
            continue
        label, value = str(row[kind]).strip().lower(), _number(row[weight])
        if label in chosen and value is not None:
            found.append(Contact(str(row[pre]).strip(), str(row[post]).strip(), KIND_OF[label], value))
    return found


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
