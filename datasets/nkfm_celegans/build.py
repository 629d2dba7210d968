"""Makes `data/connectomes.npz` from the files of the package cect (MIT): ``python -m nkfm_celegans.build``.

The package need not be importable: its folder is enough (``--cect FOLDER``).
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.atomic import atomic_path
from nkfm_celegans.annotations import ANNOTATIONS, NOT_SHIPPED, SHIPPED, _installed
from nkfm_celegans.tables import read_contacts
from nkfm_celegans.wiring import homogenise

FROM_CACHE = ("randi2023",)
"""Published as no table that cect keeps: its cached matrix is read."""


def build(folder: Path | None = None) -> dict[str, int]:
    """Write the file; return the number of edges of each annotation."""
    counts = {}
    with (
        atomic_path(SHIPPED) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
    ):
        for name, about in ANNOTATIONS.items():
            if name in NOT_SHIPPED:
                continue
            if folder is None:
                path = _installed(about, "cect", name, reference=name not in FROM_CACHE)
            else:
                path = (
                    folder / "cache" / f"{about.cached}.json"
                    if name in FROM_CACHE
                    else folder / "data" / about.spreadsheet
                )
            graph = homogenise(read_contacts(path, sheets=about.sheets))
            counts[name] = graph.edges.shape[1]
            arrays: dict[str, npt.NDArray[Any]] = {
                "edges": graph.edges.astype(np.int16),
                "weight": graph.weight.astype(np.float32),
                "kind": graph.kind.astype(np.int8),
            }
            for label, values in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, values)
                entry = zipfile.ZipInfo(f"{name}/{label}.npy", (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(entry, buffer.getvalue())
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cect", type=Path, help="folder of the package cect")
    for annotation, edges in build(parser.parse_args().cect).items():
        print(f"{annotation}: {edges}")
