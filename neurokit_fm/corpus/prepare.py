"""prepare: recordings of any kind in, a corpus out; in parallel, and again from where it stopped."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from neurokit_fm.contract import Contract, SeriesContract
from neurokit_fm.corpus.corpus import MANIFEST, SHARDS, Corpus, Skipped, write_manifest
from neurokit_fm.corpus.shard import Cutting, Shard, write_shard
from neurokit_fm.corpus.sources import Source, find_sources
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, NkfmError, StoreError, need

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class _Done:
    """How one recording went: its shard, or a problem; `stop` if no other will do better."""

    source: str
    shard: Shard | None = None
    problem: str = ""
    stop: bool = False


def prepare(
    sources: Sequence[str | os.PathLike[str] | Dataset] | str | os.PathLike[str] | Dataset,
    contract: Contract,
    out: str | os.PathLike[str],
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    dtype: Literal["float32", "int16"] = "float32",
    jobs: int = 1,
    backend: Literal["loky", "dask"] = "loky",
    licence: str = "",
    made_of: str = "",
    progress: bool = False,
    force: bool = False,
) -> Corpus:
    """Prepare recordings after a contract: one file of windows each, and a manifest.

    Each file appears whole or not at all. Started again, the same line goes on: a recording is skipped whose file is
    there and was made of the same content, contract and settings. More recordings are added by naming them with the
    same `out`.

    Parameters
    ----------
    sources : one or more of path, pattern, str, Dataset
        Files, folders (searched; BIDS trees are folders), patterns, names of data sets, data sets.
    contract : SeriesContract
        Applied to each recording: what the model to be trained will see.
    out : path-like
        Folder of the corpus.
    window_s : float, seconds, optional
        Default: the contract's. A run shorter than that, but not than the contract's shortest window, makes one shorter
        window.
    hop_s : float, seconds, optional
        Step between window starts; default `window_s`.
    dtype : {"float32", "int16"}
        ``"int16"`` takes half the room; see `save_windows`.
    jobs : int
        Processes; -1 = as many as there are cores.
    backend : {"loky", "dask"}
        Processes here, or a dask cluster: the one whose address is in ``DASK_SCHEDULER_ADDRESS``, else a local one of
        `jobs` processes. `out` must be a folder that every worker sees.
    licence : str
        Of recordings that state none themselves.
    made_of : str
        What was asked for, in words, for the manifest: which part of what.
    progress : bool
        Show a bar.
    force : bool
        Prepare again what is there already.

    Returns
    -------
    Corpus
        ``corpus.skipped`` says which recordings could not be prepared, and why.

    Raises
    ------
    ConfigError
        If a setting is out of range, or the contract is not for sampled signals.
    FileNotFoundError, DataError
        If a source matches nothing.
    StoreError
        If `out` was prepared after another contract or settings, or the disk is full; what was finished is kept.
    MissingDependency
        If dask is asked for and not installed.
    """
    cutting = _checked(contract, window_s, hop_s, dtype, jobs, backend)
    root = Path(os.path.abspath(out))
    found = find_sources([sources] if isinstance(sources, str | os.PathLike | Dataset) else sources, outside=root)
    known = Corpus(root) if (root / MANIFEST).is_file() and not force else None
    if known is not None and known.cutting != cutting:
        raise StoreError(
            f"{root} was prepared after another contract or other settings ({_difference(known.cutting, cutting)}); "
            "choose another folder, or force"
        )
    if known is not None and known.made_of and made_of and known.made_of != made_of:
        raise StoreError(f"{root} is made of {known.made_of}; asked for {made_of}. Choose another folder, or force")
    _make(root / SHARDS)
    skipped = [] if known is None else list(known.skipped)
    finished = {} if known is None else {shard.file: shard for shard in known.shards}
    tasks = [(source, root, cutting, finished.get(_file_of(source)), licence, force) for source in found]
    mine = {source.key for source in found}
    skipped = [row for row in skipped if row.source not in mine]
    try:
        for done in tqdm(_run(tasks, jobs, backend), total=len(tasks), unit="recording", disable=not progress):
            if done.stop:
                raise StoreError(f"{done.problem} Finished recordings are kept; the same line goes on from there.")
            if done.shard is None:
                logger.warning("%s: skipped: %s", done.source, done.problem)
                skipped.append(Skipped(done.source, done.problem))
            else:
                finished[done.shard.file] = done.shard
    except TerminatedWorkerError as err:
        raise StoreError(
            f"a process died while preparing {root} (out of memory?); use fewer jobs. Finished recordings are kept; "
            "the same line goes on from there."
        ) from err
    shards = _collect(root, cutting, finished, skipped)
    write_manifest(root, cutting.words(), shards, skipped, made_of or (known.made_of if known else ""))
    return Corpus(root)


def _checked(
    contract: Contract, window_s: float | None, hop_s: float | None, dtype: str, jobs: int, backend: str
) -> Cutting:
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"a corpus holds sampled signals; got a contract for a {contract.layout}")
    window_s = contract.window_s if window_s is None else float(window_s)
    hop_s = window_s if hop_s is None else float(hop_s)
    if not window_s >= contract.min_window_s:
        raise ConfigError(f"window_s={window_s:g} s is below the {contract.min_window_s:g} s that give a token")
    if not 1 <= hop_s * contract.sfreq < float("inf"):
        raise ConfigError(f"hop_s must be at least one sample at {contract.sfreq:g} Hz; got {hop_s:g} s")
    if dtype not in ("float32", "int16") or backend not in ("loky", "dask") or (jobs < 1 and jobs != -1):
        raise ConfigError(
            "dtype must be float32 or int16, backend loky or dask, and jobs at least 1 or -1; "
            f"got {dtype!r}, {backend!r} and {jobs}"
        )
    return Cutting(contract=contract, window_s=window_s, hop_s=hop_s, dtype=dtype)


def _file_of(source: Source) -> str:
    """Name of a recording's shard; the same whatever else is in the corpus."""
    return f"{SHARDS}/{source.stem}-{hashlib.sha256(source.key.encode()).hexdigest()[:10]}.h5"


def _run(
    tasks: Sequence[tuple[Source, Path, Cutting, Shard | None, str, bool]], jobs: int, backend: str
) -> Iterator[_Done]:
    if jobs == 1 and backend == "loky":
        yield from (_prepare_one(*task) for task in tasks)
        return
    with _cluster(jobs) if backend == "dask" else parallel_config("loky", n_jobs=jobs):
        # dask hands results over at the end only
        results = Parallel(return_as="list" if backend == "dask" else "generator_unordered")(
            delayed(_prepare_one)(*task) for task in tasks
        )
        yield from results


@contextmanager
def _cluster(jobs: int) -> Iterator[None]:
    distributed = need("distributed", "preparing a corpus on a dask cluster", extra="cluster")
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    local = {} if address else {"n_workers": None if jobs == -1 else jobs, "threads_per_worker": 1}
    with distributed.Client(address, **local), parallel_config("dask"):
        yield


def _prepare_one(source: Source, root: Path, cutting: Cutting, known: Shard | None, licence: str, force: bool) -> _Done:
    """Make the shard of one recording unless it is there."""
    path = root / _file_of(source)
    try:
        identity = source.identity()
        if not force and path.is_file():
            if known is not None and known.identity == identity and _is(path, known):
                return _Done(source.key, known)
            if known is None and (found := _finished(path, root, cutting, identity)) is not None:
                return _Done(source.key, found)
        write_shard(source.open(licence), path, cutting, identity)
        return _Done(source.key, Shard.read(path, root)[0])
    except StoreError as err:
        return _Done(source.key, None, str(err), stop=err.errno in _FULL)
    except NkfmError as err:
        return _Done(source.key, None, str(err))
    except Exception as err:  # any reader may stumble over a broken file in its own way; all are reported
        logger.debug("%s", source.key, exc_info=True)
        return _Done(source.key, None, f"{type(err).__name__}: {err}")


def _is(path: Path, known: Shard) -> bool:
    try:
        return Shard.read(path, path.parents[1])[0].sha256 == known.sha256
    except StoreError:
        return False


def _finished(path: Path, root: Path, cutting: Cutting, identity: str) -> Shard | None:
    """Return a shard that an earlier, unfinished run left, if it is what this one would write."""
    try:
        shard, cut = Shard.read(path, root)
    except StoreError:
        return None
    return shard if cut == cutting.words() and shard.identity == identity else None


def _collect(root: Path, cutting: Cutting, finished: dict[str, Shard], skipped: list[Skipped]) -> list[Shard]:
    """All shards of the folder in order of their files, those of earlier runs too; others are noted."""
    shards: list[Shard] = []
    failed = {row.source for row in skipped}
    for path in sorted((root / SHARDS).glob("*.h5")):
        shard, cut = finished.get(path.relative_to(root).as_posix()), cutting.words()
        if shard is None:
            try:
                shard, cut = Shard.read(path, root)
            except StoreError as err:
                skipped.append(Skipped(str(path), str(err)))
                continue
        if cut != cutting.words():
            skipped.append(Skipped(shard.source, f"{path} was made after another contract or settings; delete it"))
            continue
        if shard.source not in failed:  # else of an older version that could be read
            shards.append(shard)
    return shards


def _difference(old: Cutting, new: Cutting) -> str:
    a, b = old.words(), new.words()
    pairs = [(name, a[name], b[name]) for name in a if name != "contract"]
    pairs += [(name, a["contract"][name], b["contract"][name]) for name in a["contract"]]
    return ", ".join(f"{name}: {was} there, {now} now" for name, was, now in pairs if was != now)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StoreError(f"cannot make the folder {folder} ({err.strerror}); choose another") from err
    if not os.access(folder, os.W_OK):
        raise StoreError(f"the folder {folder} cannot be written to; choose another")
