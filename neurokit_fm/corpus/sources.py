"""What a corpus is made of: files, and rows of data sets, each with a key and a cheap mark of its content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from neurokit_fm.data.recording import Info, Recording
from neurokit_fm.dataset import Dataset
from neurokit_fm.reading import find_recordings, read
from neurokit_fm.registry import datasets

SIDECARS = (".eeg", ".vmrk", ".dat", ".fdt", ".json", ".dap", ".rs3")
"""Endings of files that hold part of a recording beside the file that names it."""

NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli")
"""Folders of a BIDS tree that hold no raw recordings, or the same ones again."""

_CALIBRATION = re.compile(r"_acq-(crosstalk|calibration)_|_split-(?!0*1_)\d+_")
_ENTITY = re.compile(r"(?:^|[/\\_])(sub|ses|task|run)-([A-Za-z0-9]+)")
_FIELDS = {"sub": "subject", "ses": "session", "task": "task", "run": "run"}


@dataclass(frozen=True)
class Source:
    """One recording that can be opened, here or in another process.

    Attributes
    ----------
    key : str
        Absolute path, or ``dataset#row``; names the recording in a corpus.
    dataset : Dataset, str or None
        What holds the recording (a string is a registry name); None for a file.
    row : int
    """

    key: str
    dataset: Dataset | str | None = None
    row: int = 0

    @property
    def stem(self) -> str:
        """How a file made of it starts."""
        name = self.key.replace("#", "-") if self.dataset is not None else Path(self.key).name.split(".")[0]
        return re.sub(r"[^\w.-]+", "-", name)[:80]

    def identity(self) -> str:
        """Mark that changes with the recording: sizes and times of its files, or the row of its data set.

        Raises
        ------
        FileNotFoundError
            If the file is gone.
        """
        if self.dataset is not None:
            held = _opened(self.dataset)
            parts = [held.name, json.dumps(dict(held.table[self.row]), sort_keys=True, default=str)]
        else:
            path = Path(self.key)
            if not path.exists():
                raise FileNotFoundError(f"no such file: {path}")
            files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            files += [beside for s in SIDECARS if (beside := path.with_suffix(s)).is_file() and beside != path]
            parts = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def open(self, licence: str = "") -> Recording:
        """Open the recording; who, which and under what licence is filled in from names where the file is silent.

        Parameters
        ----------
        licence : str
            Of a recording whose file and folder state none.
        """
        if self.dataset is None:
            recording = read(self.key)
            named = {_FIELDS[key]: value for key, value in _ENTITY.findall(self.key)}
            stated, citation = _bids_licence(Path(self.key).parent), ""
        else:
            held = _opened(self.dataset)
            recording, row = held[self.row], held.table[self.row]
            named = {name: str(row.get(name) or "") for name in _FIELDS.values() if not getattr(recording.info, name)}
            stated, citation = held.licence, held.citation
        info: Info = recording.info
        filled = {
            **named,
            "source": self.key,
            "licence": info.licence or stated or licence,
            "citation": info.citation or citation,
        }
        return replace(recording, info=Info(**{**vars(info), **filled}))


def find_sources(items: Sequence[str | os.PathLike[str] | Dataset], *, outside: Path) -> list[Source]:
    """Expand files, folders, patterns, names of data sets and data sets to recordings, in order, each once.

    Parameters
    ----------
    items : sequence of path-like, str or Dataset
        A string that is the name of a data set means it; write ``./name`` for a file of that name. In a folder that is
        a BIDS tree, `NOT_RAW` folders, calibration files and later parts of split files are left out.
    outside : Path
        Folder in which nothing is looked for: the corpus itself may lie among its sources. Other corpora are left out too.

    Raises
    ------
    FileNotFoundError, DataError
        As `find_recordings`.
    UnknownName
        If a data set cannot be found.
    """
    found: dict[str, Source] = {}
    for item in items:
        if isinstance(item, Dataset):
            new = [Source(f"{item.name}#{row}", item.take([row])) for row in range(len(item))]
        elif isinstance(item, str) and item in datasets:
            new = [Source(f"{item}#{row}", item, row) for row in range(len(_opened(item)))]
        else:
            paths = [Path(os.path.abspath(path)) for path in find_recordings([os.fspath(item)])]
            paths = [path for path in _raw(Path(os.path.abspath(item)), paths) if outside not in path.parents]
            new = [Source(str(path)) for path in paths if not (path.parents[1] / "manifest.json").is_file()]
        found |= {source.key: source for source in new if source.key not in found}
    return list(found.values())


def _raw(item: Path, paths: list[Path]) -> list[Path]:
    if not (item / "dataset_description.json").is_file():
        return paths
    kept = [path for path in paths if path.relative_to(item).parts[0] not in NOT_RAW]
    return [path for path in kept if not _CALIBRATION.search(path.name)]


def _opened(dataset: Dataset | str) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else _named(dataset)


@functools.cache
def _named(name: str) -> Dataset:
    made: Dataset = datasets.load(name)()
    return made


@functools.cache
def _bids_licence(folder: Path) -> str:
    """What the nearest ``dataset_description.json`` above says."""
    for parent in (folder, *folder.parents):
        described = parent / "dataset_description.json"
        if described.is_file():
            try:
                return str(json.loads(described.read_text(encoding="utf-8")).get("License", ""))
            except (OSError, ValueError, AttributeError):
                return ""  # the description, not the recording, is broken
    return ""
