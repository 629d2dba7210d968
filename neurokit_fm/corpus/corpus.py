"""Corpus: a folder of shards and a manifest that says what is in them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neurokit_fm
from neurokit_fm.contract import SeriesContract, read_contract
from neurokit_fm.corpus.shard import Cutting, Shard
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.data.store import verify
from neurokit_fm.data.store_windows import WindowStore
from neurokit_fm.errors import ConfigError, StoreError

FORMAT = 1
MANIFEST, SHARDS = "manifest.json", "shards"


@dataclass(frozen=True)
class Skipped:
    """A recording that is not in the corpus.

    Attributes
    ----------
    source : str
    problem : str
        Why, with what to do.
    """

    source: str
    problem: str


class Corpus:
    """Recordings prepared after one contract. Opening one reads its manifest and nothing else.

    Parameters
    ----------
    path : path-like
        Folder that `prepare` wrote.

    Attributes
    ----------
    path : Path
    cutting : Cutting
        Contract, window length, hop and dtype.
    shards : tuple of Shard
        One a recording.
    skipped : tuple of Skipped
        Recordings that could not be prepared.
    made_of : str
        What was asked for, where that was said: which part of what.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    StoreError
        If the manifest is damaged or comes from a later format.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        file = self.path / MANIFEST
        if not file.is_file():
            hint = " Shards are there: run `nkfm prepare` again." if (self.path / SHARDS).is_dir() else ""
            raise FileNotFoundError(f"{self.path} is not a corpus: it has no {MANIFEST}.{hint}")
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if values["format"] == FORMAT:
                self.cutting = _cutting(values["cutting"])
                self.shards = tuple(Shard.from_row(row) for row in values["shards"])
                self.skipped = tuple(Skipped(**row) for row in values["skipped"])
                self.made_of = str(values.get("made_of", ""))
        except (ValueError, KeyError, TypeError) as err:
            raise StoreError(
                f"{file} is damaged ({type(err).__name__}: {err}); delete it and run `nkfm prepare` again, which "
                "rebuilds it from the shards"
            ) from err
        if values["format"] != FORMAT:
            raise StoreError(
                f"{file} has format {values['format']}, written by neurokit_fm {values.get('neurokit_fm')}; this version "
                f"reads format {FORMAT}. Upgrade: pip install -U neurokit-fm"
            )

    @property
    def contract(self) -> SeriesContract:
        """What its recordings were prepared after."""
        return self.cutting.contract

    @property
    def n_windows(self) -> int:
        """Windows of all shards."""
        return sum(shard.n_windows for shard in self.shards)

    def __repr__(self) -> str:
        return f"<corpus {self.path}: {len(self.shards)} recordings, {self.n_windows:,} windows>"

    def open(self, shard: Shard) -> WindowStore:
        """Map a shard.

        Raises
        ------
        StoreError
            If the file is gone, damaged, or not the one the manifest was made of.
        """
        try:
            store = WindowStore(self.path / shard.file)
        except FileNotFoundError as err:
            raise StoreError(f"{self.path}: {shard.file} is gone; run `nkfm prepare` again") from err
        if store.sha256 != shard.sha256:
            raise StoreError(f"{self.path}: {shard.file} is not the file of the manifest; run `nkfm prepare` again")
        return store

    def verify(self) -> None:
        """Compare the content of every shard with its hash, which reads everything.

        Raises
        ------
        StoreError
            Naming every shard that is gone or damaged.
        """
        wrong: list[str] = []
        for shard in self.shards:
            try:
                if verify(self.path / shard.file) != shard.sha256:
                    wrong.append(f"{shard.file}: not the file of the manifest")
            except (StoreError, FileNotFoundError) as err:
                wrong.append(f"{shard.file}: {err}")
        if wrong:
            lines = "\n".join(f"  - {line}" for line in wrong)
            raise StoreError(
                f"{self.path}: {len(wrong)} of {len(self.shards)} shards are damaged; delete them and run `nkfm prepare` "
                f"again:\n{lines}"
            )

    def summary(self) -> dict[str, Any]:
        """Count what is in the corpus, from the manifest."""
        subjects = {shard.subject for shard in self.shards} - {""}
        counts = sorted(shard.n_channels for shard in self.shards)
        return {
            "made_of": self.made_of,
            "recordings": len(self.shards),
            "subjects": len(subjects),
            "sessions": len({(s.subject, s.session) for s in self.shards if s.session}),
            "windows": self.n_windows,
            "hours": round(sum(shard.seconds for shard in self.shards) / 3600, 3),
            "window_s": self.cutting.window_s,
            "hop_s": self.cutting.hop_s,
            "dtype": self.cutting.dtype,
            "channels": f"{counts[0]} to {counts[-1]}" if counts else "none",
            "licences": dict(Counter(shard.licence or "not stated" for shard in self.shards)),
            "skipped": [f"{row.source}: {row.problem}" for row in self.skipped],
        }


def write_manifest(
    path: Path, cutting: Mapping[str, Any], shards: Sequence[Shard], skipped: Sequence[Skipped], made_of: str = ""
) -> None:
    """Write the manifest of a corpus, whole or not at all."""
    values = {
        "format": FORMAT,
        "neurokit_fm": neurokit_fm.__version__,
        "made_of": made_of,
        "cutting": dict(cutting),
        "shards": [shard.row() for shard in shards],
        "skipped": [{"source": row.source, "problem": row.problem} for row in skipped],
    }
    with atomic_path(path / MANIFEST) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _cutting(values: Mapping[str, Any]) -> Cutting:
    contract = read_contract(values["contract"])
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"a corpus holds sampled signals; its contract is for a {contract.layout}")
    return Cutting(contract=contract, **{name: values[name] for name in ("window_s", "hop_s", "dtype")})
