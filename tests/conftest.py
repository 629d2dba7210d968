import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from .hub_server import HubServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets stay blocked, but for tests with a Hub of their own, which may talk to this machine."""
    for item in items:
        if "hub" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
            item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))  # the client's own


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub on the loopback that the real client of this process talks to, with an empty cache and nobody logged in."""
    from huggingface_hub import close_session, constants, file_download

    home = tmp_path_factory.mktemp("hf")
    with HubServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(home / "assets"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # content-addressed storage has no stand-in here
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 2**16)  # it resumes after whole pieces: 10 MB, usually
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        impatient = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})  # it waits before it tries again
        for module in (file_download, sys.modules["huggingface_hub.utils._http"]):
            monkeypatch.setattr(module, "time", impatient)
        yield server
        close_session()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real recordings and published tensors, beside the checkout or where NKFM_SHARED says."""
    beside = Path(__file__).parents[1].parent / "shared"
    folder = beside if beside.is_dir() else Path(os.environ.get("NKFM_SHARED", ""))
    if not (folder / "data").is_dir():
        pytest.skip("the folder of real recordings is not here")
    return folder
