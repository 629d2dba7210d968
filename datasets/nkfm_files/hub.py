"""fetch: the folder of a data set on the Hub, in the client's usual cache, and which commit of it that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neurokit_fm.errors import DataError


def fetch(repo: str, revision: str, patterns: Sequence[str], *, download: bool) -> tuple[Path, str]:
    """Find files of a data set in the Hub's cache; where they are not there, fetch them or say how to.

    Parameters
    ----------
    repo : str
        ``"owner/name"``.
    revision : str
        Branch, tag or commit.
    patterns : sequence of str
        Of the paths wanted; ``*`` matches slashes too.
    download : bool
        Fetch what is missing. Otherwise no connection is made, and a branch is what it was when it was last fetched.

    Returns
    -------
    tuple of Path and str
        Folder, and the commit that the revision stands for.

    Raises
    ------
    FileNotFoundError
        Without `download`: if they are not in the cache, or only in part, naming repository, revision and the way out.
    DataError
        Naming the repository: it is not there, private, gated, or cannot be reached and is not in the cache.

    Notes
    -----
    Endpoint, tokens, proxies, the place of the cache and offline mode (``HF_HUB_OFFLINE=1``) are the settings of
    huggingface_hub, which shows progress and goes on where a connection broke.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    what, page = f"the data set {repo}@{revision}", f"{constants.ENDPOINT}/datasets/{repo}"
    transport = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]  # depends on its version
    failures: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError, *transport)
    try:
        folder = Path(
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=revision,
                allow_patterns=list(patterns),
                local_files_only=not download,
            )
        )
    except HFValidationError as err:
        raise DataError(f"repo must be 'owner/name', as on the Hub; got {repo!r}") from err
    except failures as err:
        if isinstance(err, LocalEntryNotFoundError) and not download:
            raise FileNotFoundError(
                f"{what} is not in the local cache, or only in part, and nothing is downloaded without being asked; use "
                f"download=True (--set download=true), or `hf download --repo-type dataset {repo} --revision {revision}`"
            ) from err
        cause = err.__cause__ if isinstance(err, LocalEntryNotFoundError) else err
        if isinstance(cause, GatedRepoError):
            words = f"is gated: accept its terms at {page}, run `hf auth login`, and try again"
        elif isinstance(cause, RevisionNotFoundError):
            words = f"has no such revision; see {page}/tree/main"
        elif isinstance(cause, RepositoryNotFoundError):
            words = f"is not at {page}, or is private: check the name, or run `hf auth login`"
        elif constants.HF_HUB_OFFLINE:
            words = "is not whole in the local cache, and HF_HUB_OFFLINE forbids to look elsewhere; go online once"
        else:
            said = str(cause or err).partition("\n")[0]
            words = f"could not be fetched ({type(cause or err).__name__}: {said}); try again, finished files are kept"
        raise DataError(f"{what} {words}") from err
    return folder, folder.name
