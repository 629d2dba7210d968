"""epochs_files: MNE Epochs, in files or in memory, as labelled trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurokit_fm import Dataset, Info, Recording, from_mne
from neurokit_fm.errors import DataError, need


def epochs_files(
    files: Sequence[Any] | str,
    *,
    labels: Mapping[str, str] | Sequence[str] | None = None,
    table: Sequence[Mapping[str, object]] | None = None,
    target: str = "",
    licence: str = "not stated",
    citation: str = "not stated",
) -> Dataset:
    """Epochs as recordings of trials, joined with breaks that no window crosses.

    Parameters
    ----------
    files : sequence of str, or of MNE Epochs; or one
        Files are read by MNE (``-epo.fif``).
    labels : mapping of str to str, or sequence of str, optional
        Names of events to class names, or those that are their own class names; default: all.
    table : sequence of mapping, optional
        One row a file: ``subject``, ``session``, ``part`` ...; default: each file is a subject of its own.
    target : str
        Column of the epochs' metadata to predict in place of the class name.
    licence, citation : str

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    DataError
        If the table has another number of rows than there are files, or there is no file.
    """
    mne = need("mne", "reading epochs")
    many = [files] if isinstance(files, str | Path) or not isinstance(files, Sequence) else list(files)
    if not many:
        raise DataError("there are no epochs files")
    gone = [str(item) for item in many if isinstance(item, str | Path) and not Path(item).is_file()]
    if gone:
        raise FileNotFoundError(f"no such file: {', '.join(gone[:5])}")
    rows = list(table) if table is not None else [{"subject": f"{i + 1}", "session": "1"} for i in range(len(many))]
    if len(rows) != len(many):
        raise DataError(f"the table has {len(rows)} rows for {len(many)} files")

    def open_row(number: int) -> Recording:
        item = many[number]
        epochs = mne.read_epochs(item, verbose="ERROR") if isinstance(item, str | Path) else item
        recording, row = from_mne(epochs), rows[number]
        source = str(item) if isinstance(item, str | Path) else f"epochs {number}"
        named = {key: str(row[key]) for key in ("subject", "session", "task", "run") if row.get(key)}
        facts: dict[str, Any] = {
            **vars(recording.info),
            **named,
            "source": source,
            "licence": licence,
            "citation": citation,
        }
        return replace(recording, info=Info(**facts))

    if labels is None:
        labels = sorted({label for number in range(len(many)) for label in open_row(number).events.label})
    label_of = dict(labels) if isinstance(labels, Mapping) else {name: name for name in labels}
    return Dataset(
        name="epochs", table=rows, open=open_row, licence=licence, citation=citation, summary=f"{len(many)} sets of epochs",
        label_of=label_of, target=target,
    )  # fmt: skip
