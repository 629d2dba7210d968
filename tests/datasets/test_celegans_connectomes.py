"""Connectomes: goldens, published counts, orientation, names, layouts of files, the consensus."""

import importlib.util
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError, MissingDependency, UnknownName
from nkfm_celegans.annotations import ANNOTATIONS, NOT_SHIPPED, connectome
from nkfm_celegans.consensus import consensus
from nkfm_celegans.neurons import canonical_neurons
from nkfm_celegans.tables import read_contacts
from nkfm_celegans.wiring import KINDS, Contact, connected, edge_table, homogenise

GOLDENS = Path(__file__).parents[1] / "goldens" / "celegans"
ATLAS = importlib.util.find_spec("wormneuroatlas")
needs_atlas = pytest.mark.skipif(ATLAS is None, reason="the package wormneuroatlas is not installed")

COUNTS = {  # nodes, pairs, gap entries, chemical entries: specification of the homogenised set, measured
    "white1986_whole": (299, 3145, 1132, 2266),
    "white1986_n2u": (180, 1848, 526, 1414),
    "white1986_jsh": (178, 1783, 570, 1291),
    "cook2019": (300, 5138, 2188, 3707),
    "varshney2011": (279, 2993, 1031, 2194),
    "openworm": (299, 3142, 1109, 2279),
    "randi2023": (178, 1150, 0, 1150),
    "witvliet2020_7": (180, 2364, 528, 1944),  # two gap-junction pairs fewer than in wormneuroatlas, see below
    "witvliet2020_8": (180, 2371, 600, 1933),
}


def dense(edges, weights):
    out = np.zeros((300, 300, 2))
    out[edges[0], edges[1]] = weights
    return out


def golden(name):
    g = load_file(GOLDENS / "connectomes.safetensors")
    return dense(g[f"output.{name}.edge_index"], g[f"output.{name}.edge_attr"])


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_published(name):
    graph = connectome(name)
    edges, weights = edge_table(graph)
    found = int(connected(graph).sum()), edges.shape[1], *(int((weights[:, k] != 0).sum()) for k in (0, 1))
    assert found == COUNTS[name]
    gap = graph.adjacency("gap-junction")
    assert np.abs(gap - gap.T).max() == 0


@pytest.mark.golden
@pytest.mark.parametrize("name", ["white1986_whole", "cook2019", "randi2023"])
def test_shipped_connectomes_match_the_reference(name):
    wanted = golden({"randi2023": "randi2023_wt"}.get(name, name))
    np.testing.assert_allclose(dense(*edge_table(connectome(name))), wanted, atol=1e-5)


@pytest.mark.golden
def test_witvliet_7_differs_from_the_reference_in_two_gap_junctions():
    """The authors' workbook (shipped) and the table in wormneuroatlas (reference) are not the same."""
    off = np.argwhere(np.abs(dense(*edge_table(connectome("witvliet2020_7"))) - golden("witvliet2020_7")) > 1e-5)
    names = canonical_neurons()
    assert {(names[a], names[b], k) for a, b, k in off} == {
        ("RIPL", "RIPR", 0), ("RIPR", "RIPL", 0), ("SIBVL", "SMBVL", 0), ("SMBVL", "SIBVL", 0),
    }  # fmt: skip


@pytest.mark.golden
@needs_atlas
@pytest.mark.parametrize("name", ["white1986_whole", "witvliet2020_7", "randi2023"])
def test_tables_of_wormneuroatlas_match_the_reference(name):
    wanted = golden({"randi2023": "randi2023_wt"}.get(name, name))
    np.testing.assert_allclose(dense(*edge_table(connectome(name, source="wormneuroatlas"))), wanted, atol=1e-5)


@pytest.mark.golden
@needs_atlas
def test_the_consensus_of_five_matches_the_reference():
    g, about = load_file(GOLDENS / "consensus_5.safetensors"), json.loads((GOLDENS / "consensus_5.json").read_text())
    found = consensus({name: connectome(name, source="wormneuroatlas") for name in about["sources"]})
    for key in ("mean_gap_weight", "mean_chem_weight", "uncertainty"):
        np.testing.assert_allclose(getattr(found, key), g[f"output.{key}"], atol=1e-4)
    assert (found.num_sources == g["output.num_sources"]).all()
    assert np.isfinite(found.mean_chem_weight).sum() == about["counts"]["chem_edges"]


@pytest.mark.golden
def test_the_consensus_of_what_is_shipped_differs_only_where_the_tables_of_witvliet_do():
    g, about = load_file(GOLDENS / "consensus_5.safetensors"), json.loads((GOLDENS / "consensus_5.json").read_text())
    found = consensus({name: connectome(name) for name in about["sources"]})
    wanted = g["output.mean_chem_weight"]
    other = ~np.isclose(found.mean_chem_weight, wanted, atol=1e-4, equal_nan=True)
    assert other.sum() < 0.03 * np.isfinite(wanted).sum()
    adult = connectome("witvliet2020_8").adjacency("chemical") != 0
    assert (adult | np.isfinite(wanted))[other].all()


def test_edges_run_from_the_presynaptic_to_the_postsynaptic_neuron():
    graph = connectome("cook2019")
    row = {name: i for i, name in enumerate(graph.channels.name)}
    chemical, gap = graph.adjacency("chemical"), graph.adjacency("gap-junction")
    for pre, post, sections in (("ASHL", "AVAL", 15), ("AVAL", "VA8", 7), ("AIYL", "AIZL", 67)):
        assert chemical[row[pre], row[post]] == sections
        assert chemical[row[post], row[pre]] == 0
    assert gap[row["AVAL"], row["VA8"]] == gap[row["VA8"], row["AVAL"]] == 2
    signal = connectome("randi2023")
    strongest = np.unravel_index(signal.adjacency("functional").argmax(), (300, 300))
    assert signal.adjacency("functional")[strongest] != signal.adjacency("functional")[strongest[::-1]]


def test_zero_padded_names_are_kept_unless_the_published_behaviour_is_asked_for():
    rows = [Contact("VB01", "AVAL", "chemical", 2), Contact("AVAL", "VB1", "chemical", 1), Contact("AVAL", "VB1", "chemical", 5)]  # fmt: skip
    graph = homogenise(rows)
    row = {name: i for i, name in enumerate(graph.channels.name)}
    assert graph.adjacency("chemical")[row["VB1"], row["AVAL"]] == 2
    assert graph.adjacency("chemical")[row["AVAL"], row["VB1"]] == 6
    published = homogenise(rows, reference=True)
    assert published.adjacency("chemical")[row["VB1"], row["AVAL"]] == 0
    assert published.adjacency("chemical")[row["AVAL"], row["VB1"]] == 1


def test_gap_junctions_are_averaged_both_ways_and_other_cells_kept_on_request():
    rows = [Contact("AVAL", "AVAR", "gap-junction", 1), Contact("AVAR", "AVAL", "gap-junction", 4),
            Contact("AVAL", "MDL05", "chemical", 3), Contact("PVCL", "PVCL", "chemical", float("nan"))]  # fmt: skip
    row = {name: i for i, name in enumerate(canonical_neurons())}
    for how, wanted in (("mean", 2.5), ("sum", 5), ("max", 4)):
        gap = homogenise(rows, gap=how).adjacency("gap-junction")
        assert gap[row["AVAL"], row["AVAR"]] == gap[row["AVAR"], row["AVAL"]] == wanted
    assert homogenise(rows).adjacency("chemical").sum() == 0
    every = homogenise(rows, nodes="all")
    assert every.channels.name[300:] == ("MDL05",)
    assert every.adjacency("chemical")[row["AVAL"], 300] == 3
    with pytest.raises(DataError, match="none of 1 rows joins two neurons"):
        homogenise(rows[2:3])
    with pytest.raises(DataError, match="unknown kind psychic"):
        homogenise([Contact("AVAL", "AVAR", "psychic", 1)])


def test_every_shipped_annotation_opens_and_cites():
    dataset = nkfm.datasets.load("celegans-connectomes")()
    assert len(dataset) == len(ANNOTATIONS) - len(NOT_SHIPPED) == 18
    for recording in dataset:
        graph = recording["connectome"]
        assert graph.channels.name == canonical_neurons()
        assert graph.kinds == KINDS
        assert "doi" in recording.info.citation or "openworm" in recording.info.citation
    assert (connectome("bentley2016_monoamine").kind == KINDS.index("extrasynaptic")).all()


def test_unknown_annotations_and_absent_packages_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'cook2019'"):
        connectome("cook2018")
    with pytest.raises(UnknownName, match="wormneuroatlas has no file of 'cook2019'"):
        connectome("cook2019", source="wormneuroatlas")
    if importlib.util.find_spec("cect") is None:
        with pytest.raises(MissingDependency, match="pip install cect"):
            connectome("ripoll2023_short")


# ---- layouts of published files


def test_text_tables(tmp_path):
    (tmp_path / "a.csv").write_text("pre\tpost\ttype\tsynapses\nADAL\tAIBL\telectrical\t2\nAVAL\tAVBL\tchemical\t3\n")
    (tmp_path / "b.csv").write_text("Source,Target,Weight,Type\nAVAL , AVBL ,3,chemical\n")
    (tmp_path / "c.csv").write_text("#source neuron, target neuron, transmitter, receptor\nRIML,ALML,tyramine,lgc-55\n")
    assert [c.kind for c in read_contacts(tmp_path / "a.csv")] == ["gap-junction", "chemical"]
    assert read_contacts(tmp_path / "b.csv") == [Contact("AVAL", "AVBL", "chemical", 3)]
    assert read_contacts(tmp_path / "c.csv") == [Contact("RIML", "ALML", "extrasynaptic", 1)]
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="no columns pre/post/type/synapses or"):
        read_contacts(tmp_path / "d.csv")
    with pytest.raises(DataError, match="no such file"):
        read_contacts(tmp_path / "e.csv")


def test_workbooks(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, weight in (("hermaphrodite chemical", 7), ("hermaphrodite gap jn symmetric", 2)):
        sheet = book.create_sheet(name)
        for row in (["", "", "", "HEAD"], [], [None, None, None, "AVAL", "VA01"], ["HEAD", None, "AVAL", None, weight], [None, None, "VA01", 1, None]):  # fmt: skip
            sheet.append(row)
    book.save(tmp_path / "cook.xlsx")
    found = read_contacts(tmp_path / "cook.xlsx")
    assert Contact("AVAL", "VA01", "chemical", 7) in found
    assert len(found) == 4
    graph = connectome("cook2019", path=tmp_path / "cook.xlsx")
    row = {name: i for i, name in enumerate(graph.channels.name)}
    assert graph.adjacency("chemical")[row["AVAL"], row["VA1"]] == 7
    assert graph.adjacency("gap-junction")[row["AVAL"], row["VA1"]] == 1.5
    with pytest.raises(DataError, match="has no sheet 'x'"):
        read_contacts(tmp_path / "cook.xlsx", sheets=("x", "hermaphrodite chemical"))
    table = openpyxl.Workbook()
    for row in (["Neuron 1", "Neuron 2", "Type", "Nbr"], ["AVAL", "AVBL", "S", 1], ["AVAL", "AVBL", "Sp", 2], ["AVBL", "AVAL", "R", 1], ["AVAL", "AVAR", "EJ", 4], ["AVAL", "MUS", "NMJ", 4]):  # fmt: skip
        table.active.append(row)
    table.save(tmp_path / "chen.xlsx")
    assert [c.weight for c in read_contacts(tmp_path / "chen.xlsx")] == [1, 2, 4]
    assert [c.weight for c in read_contacts(tmp_path / "chen.xlsx", reference=True)] == [2, 4]
    (tmp_path / "bad.xlsx").write_bytes(b"no zip")
    with pytest.raises(DataError, match="is no workbook"):
        read_contacts(tmp_path / "bad.xlsx")


def test_cached_matrices_and_the_atlas(tmp_path):
    matrix = [[0, 3], [0, 0]]
    (tmp_path / "x.json").write_text(json.dumps({"nodes": ["AVAL", "AVBL"], "connections": {"Generic_CS": matrix, "Dopamine": matrix}}))  # fmt: skip
    assert {c.kind for c in read_contacts(tmp_path / "x.json")} == {"chemical", "extrasynaptic"}
    assert all((c.pre, c.post) == ("AVAL", "AVBL") for c in read_contacts(tmp_path / "x.json"))
    with h5py.File(tmp_path / "atlas.h5", "w") as file:
        file["neuron_ids"] = [b"AVAL", b"AWCOF"]
        file["wt/dFF"] = [[1.0, np.nan], [0.5, 2.0]]  # [responding, stimulated]
        file["wt/q"] = [[0.01, 0.01], [0.01, 0.5]]
    assert read_contacts(tmp_path / "atlas.h5") == [Contact("AVAL", "AWCOF", "functional", 0.5)]


# ---- consensus


def test_the_consensus_counts_equal_gap_weights_once_or_always():
    one = homogenise([Contact("AVAL", "AVAR", "gap-junction", 2), Contact("AVAL", "AVBL", "chemical", 1)])
    two = homogenise([Contact("AVAL", "AVAR", "gap-junction", 2), Contact("AVAL", "AVBL", "chemical", 4)])
    three = homogenise([Contact("AVAL", "AVAR", "gap-junction", 5)])
    a, b, c = (canonical_neurons().index(n) for n in ("AVAL", "AVAR", "AVBL"))
    graphs = {"one": one, "two": two, "three": three}
    assert consensus(graphs).mean_gap_weight[a, b] == 3.5
    assert consensus(graphs, distinct=False).mean_gap_weight[a, b] == 3
    found = consensus(graphs)
    assert found.mean_chem_weight[a, c] == 2.5
    assert np.isnan(found.uncertainty[a, c])
    assert found.data_sources("AVAL", "AVBL") == ("one", "two")
    assert found.graph(least_sources=3).adjacency("gap-junction")[b, a] == 3.5
    assert found.graph(least_sources=3).adjacency("chemical").sum() == 0
    with pytest.raises(DataError, match="no graph"):
        consensus({})


@pytest.mark.golden
@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("cect") is None, reason="the package cect is not installed")
@pytest.mark.parametrize("reference", [True, False])
def test_the_workbook_of_cook_matches_the_reference_with_and_without_its_defects(reference):
    pytest.importorskip("openpyxl")
    from nkfm_celegans.annotations import _installed

    path = _installed(ANNOTATIONS["cook2019"], "cect", "cook2019", reference=True)
    graph = connectome("cook2019", path=path, reference=reference)
    wanted = golden("cook2019_reference" if reference else "cook2019")
    np.testing.assert_allclose(dense(*edge_table(graph)), wanted, atol=1e-5)
