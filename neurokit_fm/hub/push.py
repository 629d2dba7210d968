"""Publishing a model folder on the Hub, after it has been loaded as strictly as its users will load it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurokit_fm.errors import WeightsError
from neurokit_fm.hub.card import LIBRARY
from neurokit_fm.hub.download import explain, failures, split_ref
from neurokit_fm.hub.folder import FILES, Evaluation, load_folder, save_model
from neurokit_fm.registry import weights

if TYPE_CHECKING:
    from neurokit_fm.model import Model

logger = logging.getLogger(__name__)


def push_folder(
    folder: str | os.PathLike[str],
    repo: str,
    *,
    private: bool | None = None,
    revision: str = "main",
    message: str = "",
    token: str | None = None,
) -> str:
    """Upload a model folder; the repository is created if there is none.

    Parameters
    ----------
    folder : path-like
        Written by `save_pretrained`. Only the files of a model folder are uploaded, the card as it lies there.
    repo : str
        ``"owner/name"``.
    private : bool, optional
        Of a new repository; default: what the owner's settings say.
    revision : str
        Branch; one other than ``main`` is created if there is none.
    message : str
        Of the commit.
    token : str, optional
        Default: what ``hf auth login`` stored, or ``HF_TOKEN``.

    Returns
    -------
    str
        ``"owner/name@commit"``, which `load_model` takes.

    Raises
    ------
    WeightsError
        If the folder cannot be loaded, the name is none, or the Hub refuses, saying what to do.
    """
    from huggingface_hub import HfApi, constants

    if (asked := split_ref(repo)) is None or "@" in repo:
        raise WeightsError(f"{repo!r} is not the name of a repository; give owner/name")
    model, _ = load_folder(folder)
    api = HfApi(endpoint=constants.ENDPOINT, token=token, library_name=LIBRARY)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        if revision != "main":
            api.create_branch(repo, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=str(folder),
            allow_patterns=list(FILES),
            revision=revision,
            commit_message=message or f"Upload {model.name} with {LIBRARY}",
        )
    except failures() as err:
        explain(err, asked[0], f"{constants.ENDPOINT}/{repo}")
    return f"{repo}@{commit.oid}"


@contextmanager
def saved(
    model: Model, *, licence: str, training: Mapping[str, Any] | None, evaluation: Mapping[str, Evaluation] | None
) -> Iterator[Path]:
    """Save a model into a folder that is gone afterwards; remind of the terms it was published under, if it was."""
    if model.reference in weights:
        logger.warning("%s was published under: %s", model.reference, weights[model.reference].licence)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, folder, licence=licence, training=training, evaluation=evaluation)
        yield Path(folder)
