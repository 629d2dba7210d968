"""Fetching files of one revision of a repository into the Hub's cache, and wording what stands in the way.

Endpoint, proxies, tokens, time-outs, the place of the cache and offline mode are the settings of huggingface_hub, which does
the work: it shows progress, resumes where a connection broke, and keeps finished files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from neurokit_fm.checkpoints import file_sha256
from neurokit_fm.errors import WeightsError
from neurokit_fm.hub.card import LIBRARY

SHA256 = re.compile("[0-9a-f]{64}")


def split_ref(ref: str) -> tuple[str, str] | None:
    """Split ``"owner/name"`` or ``"owner/name@revision"`` into repository and revision; None if it is neither.

    Examples
    --------
    >>> split_ref("lab/model@v1")
    ('lab/model', 'v1')
    >>> split_ref("./lab/model")
    """
    match = re.fullmatch(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?", ref)
    return (match[1], match[2] or "main") if match else None


def fetch(repo: str, revision: str, files: Sequence[str], token: str | None = None, page: str = "") -> Path:
    """Fetch files into the Hub's cache, unless they are there, and return the folder of that revision.

    Large files are held against the hash the Hub announced when they have just arrived.

    Parameters
    ----------
    repo, revision : str
    files : sequence of str
        Names, taken literally; those the repository lacks are left out.
    token : str, optional
        Default: what ``hf auth login`` stored, or ``HF_TOKEN``.
    page : str
        Where the terms of a gated repository are accepted; default: its page.

    Raises
    ------
    WeightsError
        Saying what to do: visit a page, log in, check the name or the revision, go online, try again.
    """
    from huggingface_hub import constants, snapshot_download

    blobs = Path(constants.HF_HUB_CACHE).expanduser() / f"models--{repo.replace('/', '--')}" / "blobs"
    before = {path.name for path in blobs.iterdir()} if blobs.is_dir() else set()
    try:
        folder = Path(
            snapshot_download(repo, revision=revision, allow_patterns=list(files), token=token, library_name=LIBRARY)
        )
    except failures() as err:
        explain(err, f"{repo}@{revision}" if revision != "main" else repo, page or f"{constants.ENDPOINT}/{repo}")
    for name in files:
        expected = announced(folder / name)
        if not expected or expected in before:
            continue
        found = file_sha256(folder / name)
        if found != expected:
            (folder / name).unlink()
            (blobs / expected).unlink()
            raise WeightsError(
                f"{repo}: {name} arrived with sha256 {found}, the Hub announced {expected}; it was removed. Try again; "
                "if it happens twice, ask the owner or whoever runs your proxy"
            )
    return folder


def announced(path: Path) -> str:
    """Sha256 that the Hub announced of a large file in its cache, by which the client calls it there; else empty."""
    if not path.is_symlink() or not path.is_file():
        return ""
    blob = path.parent / os.readlink(path)  # which may be a link itself, into a store that several caches share
    return blob.name if blob.parent.name == "blobs" and SHA256.fullmatch(blob.name) else ""


def failures() -> tuple[type[Exception], ...]:
    """Return what the client raises; the base class of its transport's errors depends on its version."""
    from huggingface_hub.errors import HfHubHTTPError

    return (
        OSError,
        ValueError,
        RuntimeError,
        *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)),
    )


def explain(err: Exception, what: str, page: str) -> NoReturn:
    """Raise what the client reports as one WeightsError in the user's terms."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cause = err.__cause__ if isinstance(err, LocalEntryNotFoundError) else err
    status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else 0
    login = "run `hf auth login` (or set HF_TOKEN)"
    if isinstance(cause, GatedRepoError):
        then = f", {login}" if status == 401 else f" with the account you are logged in to, or {login} with another"
        words = f"{what} is gated: accept its terms at {page}{then}, and try again"
    elif isinstance(cause, RevisionNotFoundError):
        words = f"{what}: no such revision; see {page}/tree/main"
    elif status == 401 and "Invalid credentials" in str(cause):
        words = f"{what}: the Hub does not know your token; {login} again"
    elif isinstance(cause, RepositoryNotFoundError) or status in (401, 404):
        hidden = "is one your login may not see" if status == 404 and _logged_in() else f"is private: {login}"
        words = f"{what}: no such repository at {page}, or it {hidden}; check the name"
    elif status == 403:
        words = f"{what}: your token may not do this (403); see {page}, and {login} with one that may"
    elif isinstance(cause, OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE:
        words = f"{what} is not in the local cache, and HF_HUB_OFFLINE forbids to look elsewhere; go online once, or give a folder"
    elif isinstance(err, LocalEntryNotFoundError):
        words = f"{what} is not in the local cache and {constants.ENDPOINT} cannot be reached ({cause}); connect once, or give a folder"
    else:
        words = f"{what}: the exchange with {constants.ENDPOINT} failed ({type(err).__name__}: {err}); try again, finished files are kept"
    raise WeightsError(words) from err


def _logged_in() -> bool:
    from huggingface_hub import get_token

    return bool(os.environ.get("HF_TOKEN") or get_token())
