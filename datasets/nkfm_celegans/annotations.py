"""The connectomes by name: what each is, where its file is found, and the Graph made of it.

`data/connectomes.npz` holds most of them over the 300 neurons, made by `build.py` from the spreadsheets and cached
matrices in the package cect 0.3.5 (MIT); any of them is read anew from a published file given as a path.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm import Graph
from neurokit_fm.errors import MissingDependency, UnknownName, did_you_mean
from nkfm_celegans.neurons import DATA, neuron_channels
from nkfm_celegans.tables import read_contacts
from nkfm_celegans.wiring import KINDS, homogenise

SHIPPED = DATA / "connectomes.npz"

WHITE = "White, Southgate, Thomson & Brenner (1986), The structure of the nervous system of the nematode C. elegans, Phil. Trans. R. Soc. B 314, doi 10.1098/rstb.1986.0056"  # fmt: skip
COOK = (
    "Cook et al. (2019), Whole-animal connectomes of both C. elegans sexes, Nature 571, doi 10.1038/s41586-019-1352-7"
)
VARSHNEY = "Varshney, Chen, Paniagua, Hall & Chklovskii (2011), Structural properties of the C. elegans neuronal network, PLoS Comput. Biol. 7, doi 10.1371/journal.pcbi.1001066"  # fmt: skip
WITVLIET = "Witvliet et al. (2021), Connectomes across development reveal principles of brain maturation, Nature 596, doi 10.1038/s41586-021-03778-8"  # fmt: skip
RANDI = "Randi, Sharma, Dvali & Leifer (2023), Neural signal propagation atlas of C. elegans, Nature 623, doi 10.1038/s41586-023-06683-4"  # fmt: skip
BENTLEY = "Bentley et al. (2016), The multilayer connectome of C. elegans, PLoS Comput. Biol. 12, doi 10.1371/journal.pcbi.1005283"  # fmt: skip
RIPOLL = "Ripoll-Sanchez et al. (2023), The neuropeptidergic connectome of C. elegans, Neuron 111, doi 10.1016/j.neuron.2023.09.043"  # fmt: skip
OPENWORM = "OpenWorm, CElegansNeuronTables.xls (composite, with transmitters); https://openworm.org"
WANG = "Wang et al. (2024), A neurotransmitter atlas of C. elegans males and hermaphrodites, eLife 13, doi 10.7554/eLife.95402"  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One published map of connections.

    Attributes
    ----------
    summary, citation : str
    cached : str
        Stem of its file in the cache of the package cect.
    spreadsheet : str
        Name of its published file in cect's data, where the table is one.
    sheets : tuple of str
        Of a workbook of adjacency sheets: chemical, gap junctions.
    atlas : str
        Its file in the data of the package wormneuroatlas.
    """

    summary: str
    citation: str
    cached: str = ""
    spreadsheet: str = ""
    sheets: tuple[str, ...] = ()
    atlas: str = ""


COOK_BOOK = "SI 5 Connectome adjacency matrices, corrected July 2020.xlsx"
STAGES = ("L1, 0 h", "L1, 5 h", "L1, 8 h", "L1, 16 h", "L2, 23 h", "L3, 27 h", "adult, 45 h", "adult, 45 h")

ANNOTATIONS: Mapping[str, Annotation] = {
    "white1986_whole": Annotation(summary="composite of the whole animal", citation=WHITE, cached="White_whole", spreadsheet="aconnectome_white_1986_whole.csv", atlas="aconnectome_white_1986_whole.csv"),
    "white1986_n2u": Annotation(summary="head of an adult", citation=WHITE, spreadsheet="white_1986_n2u.csv", atlas="aconnectome_white_1986_A.csv"),
    "white1986_jsh": Annotation(summary="head of an L4 larva", citation=WHITE, spreadsheet="white_1986_jsh.csv", atlas="aconnectome_white_1986_L4.csv"),
    "varshney2011": Annotation(summary="composite without pharynx (Chen 2006, Varshney 2011; 'chklovskii')", citation=VARSHNEY, cached="VarshneyDataReader", spreadsheet="NeuronConnect.xls"),
    "bentley2016_monoamine": Annotation(summary="monoamines by expression", citation=BENTLEY, cached="Bentley2016MAReader", spreadsheet="edgelist_MA.csv", atlas="esconnectome_monoamines_Bentley_2016.csv"),
    "bentley2016_neuropeptide": Annotation(summary="neuropeptides by expression", citation=BENTLEY, cached="Bentley2016PepReader", spreadsheet="edgelist_NP.csv", atlas="esconnectome_neuropeptides_Bentley_2016.csv"),
    "cook2019": Annotation(summary="whole hermaphrodite", citation=COOK, cached="Cook2019HermReader", spreadsheet=COOK_BOOK),
    "cook2019_male": Annotation(summary="whole male, neurons shared with the hermaphrodite", citation=COOK, cached="Cook2019MaleReader", spreadsheet=COOK_BOOK, sheets=("male chemical", "male gap jn symmetric")),
    **{
        f"witvliet2020_{i + 1}": Annotation(
            summary=f"head, {stage}",
            citation=WITVLIET,
            cached=f"WitvlietDataReader{i + 1}",
            spreadsheet=f"witvliet_2020_{i + 1} {stage.split(',')[0]}.xlsx",
            atlas=f"aconnectome_witvliet_2020_{i + 1}.csv" if i > 5 else "",
        )
        for i, stage in enumerate(STAGES)
    },
    "openworm": Annotation(summary="composite with transmitters", citation=OPENWORM, spreadsheet="CElegansNeuronTables.xls"),
    "randi2023": Annotation(summary="functional: signal propagation, wild type, q < 0.05 ('funconn')", citation=RANDI, cached="WormNeuroAtlasFuncReader", atlas="funatlas.h5"),
    "wang2024": Annotation(summary="synapses of Cook 2019 that release a known transmitter, and monoamines", citation=WANG, cached="Wang2024HermReader"),
    "ripoll2023_short": Annotation(summary="neuropeptides, short range", citation=RIPOLL, cached="RipollSanchezShortRangeReader"),
    "ripoll2023_mid": Annotation(summary="neuropeptides, middle range", citation=RIPOLL, cached="RipollSanchezMidRangeReader"),
    "ripoll2023_long": Annotation(summary="neuropeptides, long range", citation=RIPOLL, cached="RipollSanchezLongRangeReader"),
}  # fmt: skip
"""Every annotation by name. ``white1986_jse`` (tail) is nowhere offline; give its table as a path."""

NOT_SHIPPED = ("wang2024", "ripoll2023_short", "ripoll2023_mid", "ripoll2023_long")
"""Read from cect's cache where that package is installed: derived from others, or too large."""


def connectome(
    name: str = "cook2019",
    *,
    path: str | os.PathLike[str] | None = None,
    nodes: Literal["neurons", "all"] = "neurons",
    source: Literal["shipped", "cect", "wormneuroatlas"] = "shipped",
    reference: bool = False,
) -> Graph:
    """Return a connectome as a Graph over the 300 neurons.

    Parameters
    ----------
    name : str
        One of `ANNOTATIONS`; any name with a `path`.
    path : path-like, optional
        A published file; see `tables.read_contacts` for the layouts known.
    nodes : {"neurons", "all"}
        With ``"all"`` (from cect, wormneuroatlas or a path) also muscles, glia and CAN where the source has them.
    source : {"shipped", "cect", "wormneuroatlas"}
        Where to read it without a path: the file of this package, or the cached files of another package.
    reference : bool
        As published; see `wiring.homogenise`. Needs a path or the spreadsheets of cect.

    Returns
    -------
    Graph
        Directed, edges [from, to]; kinds `wiring.KINDS`; weights are numbers of synapses (Cook: of EM sections; functional: dF/F;
        extrasynaptic: number of transmitter-receptor pairs).

    Raises
    ------
    UnknownName
        If no annotation has the name.
    MissingDependency
        If the package it is to be read from is not installed.

    Examples
    --------
    >>> graph = connectome("white1986_whole")
    >>> names = list(graph.channels.name)
    >>> chemical = graph.adjacency("chemical")
    >>> float(chemical[names.index("ASHL"), names.index("AVAL")]), len(graph.channels)
    (2.0, 300)
    """
    if path is not None:
        sheets = ANNOTATIONS[name].sheets if name in ANNOTATIONS else ()
        return homogenise(read_contacts(path, sheets=sheets, reference=reference), nodes=nodes, reference=reference)
    if name not in ANNOTATIONS:
        raise UnknownName(
            f"no connectome called {name!r}.{did_you_mean(name, ANNOTATIONS)} Known: {', '.join(ANNOTATIONS)}"
        )
    about = ANNOTATIONS[name]
    if source == "shipped" and nodes == "neurons" and not reference and name not in NOT_SHIPPED:
        return _shipped(name)
    file = _installed(about, "wormneuroatlas" if source == "wormneuroatlas" else "cect", name, reference)
    return homogenise(read_contacts(file, sheets=about.sheets, reference=reference), nodes=nodes, reference=reference)


def _installed(about: Annotation, package: str, name: str, reference: bool) -> Path:
    """The annotation's file in an installed package, which is not imported."""
    if package == "cect":
        parts = ("cache", f"{about.cached}.json") if about.cached and not reference else ("data", about.spreadsheet)
    else:
        parts = ("data", about.atlas)
    if not parts[-1]:
        raise UnknownName(f"the package {package} has no file of {name!r}; give one as path=")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency(
            f"reading {name!r} with all its cells, as published or from {package} needs {package}, which is not "
            f"installed.\n  pip install {package}"
        )
    return Path(next(iter(spec.submodule_search_locations))).joinpath(*parts)


def _shipped(name: str) -> Graph:
    edges, weight, kind = _arrays()[name]
    return Graph(
        edges=edges.astype(np.int64),
        weight=weight.astype(np.float32),
        kind=kind.astype(np.int64),
        kinds=KINDS,
        channels=neuron_channels(_canonical()),
    )


def _canonical() -> tuple[str, ...]:
    from nkfm_celegans.neurons import canonical_neurons

    return canonical_neurons()


@cache
def _arrays() -> Mapping[str, tuple[npt.NDArray[np.int16], npt.NDArray[np.float32], npt.NDArray[np.int8]]]:
    with np.load(SHIPPED, allow_pickle=False) as file:
        names = sorted({key.partition("/")[0] for key in file})
        return {name: (file[f"{name}/edges"], file[f"{name}/weight"], file[f"{name}/kind"]) for name in names}
