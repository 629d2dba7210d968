"""What of ours lies in the Hub's cache, and making room there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurokit_fm.checkpoints import PublishedWeights
from neurokit_fm.errors import NkfmError, UnknownName, WeightsError, did_you_mean
from neurokit_fm.hub.folder import CONFIG
from neurokit_fm.hub.header import read_json
from neurokit_fm.hub.published import cache
from neurokit_fm.registry import weights


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One revision of a model in the cache, or one converted checkpoint.

    Attributes
    ----------
    ref : str
        ``"owner/name@commit"``, or ``"converted/<sha256>"``.
    name : str
        Catalogue name, or model name of its config.
    size : int, bytes
        Files that several revisions share count in each.
    branches : tuple of str
        Branches and tags that point at it; a revision without any is an old one.
    used : float, seconds since 1970
    path : Path
    """

    ref: str
    name: str
    size: int
    branches: tuple[str, ...]
    used: float
    path: Path


def cached() -> list[Cached]:
    """Models in the Hub's cache that this toolkit can load, and checkpoints it has converted; newest use first.

    What other libraries keep there is left alone and not listed.
    """
    published = _published()
    rows = [
        Cached(
            ref=f"{repo.repo_id}@{revision.commit_hash}",
            name=name,
            size=revision.size_on_disk,
            branches=tuple(sorted(revision.refs)),
            used=max((file.blob_last_accessed for file in revision.files), default=revision.last_modified),
            path=revision.snapshot_path,
        )
        for repo in _scan().repos
        if repo.repo_type == "model"
        for revision in repo.revisions
        if (name := published.get(repo.repo_id) or _name(revision.snapshot_path))
    ]
    rows += [
        Cached(
            ref=f"converted/{file.stem}",
            name="converted checkpoint",
            size=file.stat().st_size,
            branches=("kept",),
            used=file.stat().st_atime,
            path=file,
        )
        for file in cache("converted").glob("*.safetensors")
    ]
    return sorted(rows, key=lambda row: -row.used)


def choose(refs: Sequence[str] = (), *, unused_days: float | None = None) -> list[Cached]:
    """Pick what may go.

    Parameters
    ----------
    refs : sequence of str
        Repositories, ``"owner/name@commit"`` (its beginning is enough), or ``"converted/<sha256>"``; empty = revisions
        to which no branch or tag points any more.
    unused_days : float, optional
        Only what has not been used for so long; without `refs`, whatever points at it.

    Raises
    ------
    UnknownName
        If nothing in the cache is called so.
    """
    rows = cached()
    if refs:
        for ref in refs:
            if not _matching(rows, ref):
                near = did_you_mean(ref, [row.ref.partition("@")[0] for row in rows])
                raise UnknownName(f"{ref!r} is not in the cache.{near} Run `nkfm cache list` to see what is.")
        rows = [row for row in rows if any(row in _matching(rows, ref) for ref in refs)]
    elif unused_days is None:
        rows = [row for row in rows if not row.branches]
    latest = time.time() - 86400 * (unused_days or 0)
    return [row for row in rows if unused_days is None or row.used <= latest]


def remove(rows: Iterable[Cached]) -> int:
    """Remove revisions and converted checkpoints; files that another revision needs stay. Return the bytes freed."""
    hashes, freed = [], 0
    for row in rows:
        if row.ref.startswith("converted/"):
            row.path.unlink()
            freed += row.size
        else:
            hashes.append(row.ref.rpartition("@")[2])
    if hashes:
        plan = _scan().delete_revisions(*hashes)
        plan.execute()
        freed += plan.expected_freed_size
    return freed


def _matching(rows: list[Cached], ref: str) -> list[Cached]:
    if ref.startswith("converted/"):
        return [row for row in rows if row.ref.startswith(ref)]
    repo, _, revision = ref.partition("@")
    parts = [(row, row.ref.partition("@")) for row in rows]
    return [
        r for r, (name, _, commit) in parts if name == repo and (commit.startswith(revision) or revision in r.branches)
    ]


def _scan() -> Any:
    from huggingface_hub import constants, scan_cache_dir

    Path(constants.HF_HUB_CACHE).expanduser().mkdir(parents=True, exist_ok=True)
    return scan_cache_dir(constants.HF_HUB_CACHE)


def _published() -> dict[str, str]:
    """Repository to catalogue name; what a broken plugin offers is left out."""
    found: dict[str, str] = {}
    for name in weights:
        with suppress(NkfmError):
            known = weights.load(name)
            if not isinstance(known, PublishedWeights):
                continue
            repo = known.repo
            found[repo] = f"{found[repo]}, {name}" if repo in found else name
    return found


def _name(snapshot: Path) -> str:
    """Name of the model in a snapshot; empty if it is none of ours."""
    try:
        about = read_json(snapshot / CONFIG).get("neurokit_fm")
    except WeightsError:
        return ""
    return str(about.get("model", "")) if isinstance(about, dict) else ""
