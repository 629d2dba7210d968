import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real recordings and published tensors, beside the checkout or where NKFM_SHARED says."""
    beside = Path(__file__).parents[1].parent / "shared"
    folder = beside if beside.is_dir() else Path(os.environ.get("NKFM_SHARED", ""))
    if not (folder / "data").is_dir():
        pytest.skip("the folder of real recordings is not here")
    return folder
