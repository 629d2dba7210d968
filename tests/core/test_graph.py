from dataclasses import replace

import numpy as np
import pytest

from neurokit_fm import Channels, Graph
from neurokit_fm.errors import DataError, UnknownName
from neurokit_fm.testing import fake_recording


def small(**change: object) -> Graph:
    made = Graph(
        edges=np.array([[0, 0, 1, 2], [1, 1, 0, 2]]),
        weight=np.array([1, 2, 4, 8], dtype=np.float32),
        kind=np.array([0, 0, 1, 0]),
        kinds=("chemical", "gap-junction"),
        channels=Channels.of(["AVAL", "AVAR", "AVBL"], kind="neuron", unit="au"),
    )
    return replace(made, **change)


def test_adjacency_goes_from_row_to_column_and_adds_parallel_edges() -> None:
    assert small().adjacency("chemical").tolist() == [[0, 3, 0], [0, 0, 0], [0, 0, 8]]
    assert small().adjacency("gap-junction").tolist() == [[0, 0, 0], [4, 0, 0], [0, 0, 0]]


def test_an_undirected_edge_holds_both_ways_and_a_loop_counts_once() -> None:
    matrix = small(directed=False).adjacency("chemical")
    assert matrix.tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 8]]


def test_an_unknown_kind_of_edge_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="no edges of kind 'chemicl'. Did you mean 'chemical'. Known: chemical, gap-"):
        small().adjacency("chemicl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": np.zeros((4, 2), dtype=int)}, r"edges must have shape \(2, E\); found \(4, 2\)"),
        ({"weight": np.ones(3, dtype=np.float32)}, "4 edges, 3 weights, 4 kinds"),
        ({"edges": np.array([[0, 0, 1, 2], [1, 1, 0, 3]])}, "point at the 3 nodes; found 0 to 3"),
        ({"edges": np.array([[0, 0, 1, -1], [1, 1, 0, 2]])}, "point at the 3 nodes; found -1 to 2"),
        ({"kind": np.array([0, 0, 1, 2])}, r"kind must index \('chemical', 'gap-junction'\); found 2"),
    ],
)
def test_an_impossible_graph_says_what_is_wrong(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        small(**change)


def test_a_graph_has_no_time() -> None:
    graph = fake_recording("graph")["connectome"]
    assert (graph.start, graph.stop, graph.duration) == (0.0, 0.0, 0.0)
    assert graph.crop(1, 2) is graph


def test_a_graph_may_have_no_edges() -> None:
    bare = small(edges=np.zeros((2, 0), dtype=int), weight=np.zeros(0, dtype=np.float32), kind=np.zeros(0, dtype=int))
    assert bare.adjacency("chemical").sum() == 0
