"""The homogenised set in both published layouts, through the real client of the Hub and from local files."""

import csv

import numpy as np
import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.errors import DataError, UnknownName
from nkfm_celegans import hub as source
from nkfm_celegans.neurons import canonical_neurons

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

REPO = "lab/worms"
LONG = (
    "source_dataset", "raw_data_file", "worm", "neuron", "slot", "is_labeled_neuron", "is_unlabeled_neuron",
    "original_calcium_data", "original_smooth_calcium_data", "original_residual_calcium",
    "original_smooth_residual_calcium", "original_time_in_seconds", "original_dt", "calcium_data",
    "smooth_calcium_data", "residual_calcium", "smooth_residual_calcium", "time_in_seconds", "dt", "smooth_method",
    "interpolate_method", "original_median_dt", "median_dt", "original_max_timesteps", "max_timesteps",
)  # fmt: skip
SHORT = (
    "source_dataset", "raw_data_file", "worm", "neuron", "slot", "is_labeled_neuron", "smooth_method",
    "interpolate_method", "normalization_method", "original_calcium_data", "calcium_data", "original_time_in_seconds",
    "time_in_seconds", "original_max_timesteps", "max_timesteps",
)  # fmt: skip
WORMS = {("Kato2015", "worm0"): ("AVAL", "VB01", "3"), ("Kato2015", "worm1"): ("RIML", "AVAR", "0"), ("Dag2023", "worm0"): ("AVAL", "RIML")}  # fmt: skip


def rows(columns, worms=WORMS, n=60):
    """Rows of the documented schema; arrays went through float16, as the published ones did."""
    rng = np.random.default_rng(0)
    made = []
    for (dataset, worm), neurons in worms.items():
        time = (0.333 * np.arange(n)).astype(np.float16).astype(np.float32)
        for neuron in neurons:
            x = rng.standard_normal(n).astype(np.float16).astype(np.float32)
            row = {name: x.tolist() for name in columns if "calcium" in name}
            row |= {"source_dataset": dataset, "worm": worm, "neuron": neuron, "raw_data_file": f"{dataset}/{worm}.mat",
                    "slot": int(rng.integers(300)), "is_labeled_neuron": not neuron.isdigit(),
                    "is_unlabeled_neuron": neuron.isdigit(), "smooth_method": "moving", "interpolate_method": "linear",
                    "normalization_method": "standard", "median_dt": 0.333, "original_median_dt": 0.4,
                    "max_timesteps": n, "original_max_timesteps": n}  # fmt: skip
            row |= {name: time.tolist() for name in ("time_in_seconds", "original_time_in_seconds")}
            row |= {name: np.gradient(time).tolist() for name in ("dt", "original_dt")}
            made.append({name: row[name] for name in columns})
    return made


def write(path, made, group=4):
    table = arrow.Table.from_pylist(made)
    kinds = {"double": arrow.float32(), "list<element: double>": arrow.list_(arrow.float32()), "list<item: double>": arrow.list_(arrow.float32()), "int64": arrow.int32()}  # fmt: skip
    schema = arrow.schema([field.with_type(kinds.get(str(field.type), field.type)) for field in table.schema])
    parquet.write_table(table.cast(schema), path, row_group_size=group)
    return path


@pytest.fixture(params=[LONG, SHORT], ids=["25 columns", "15 columns"])
def layout(request):
    return request.param


def test_the_layouts_are_those_documented():
    assert (len(LONG), len(SHORT)) == (25, 15)


def test_worms_come_through_the_client_of_the_hub_and_from_its_cache(layout, hub, tmp_path):
    write(tmp_path / "a.parquet", rows(layout))
    hub.add(REPO, {"data/train-00000-of-00001.parquet": (tmp_path / "a.parquet").read_bytes(), "README.md": "# worms"}, kind="dataset")  # fmt: skip
    files = source.fetch(REPO, ["*.parquet"])
    assert [f.name for f in files] == ["train-00000-of-00001.parquet"]
    assert source.list_worms(files) == [{"source_dataset": d, "worm": w} for d, w in WORMS]
    asked = len(hub.seen)
    worm = source.read_worm(source.fetch(REPO, ["*.parquet"], download=False), "Kato2015", "worm0")
    assert len(hub.seen) == asked  # from the cache
    assert worm["calcium"].channels.name == ("AVAL", "VB1", "3")
    assert worm["calcium"].sfreq == pytest.approx(1 / 0.333, rel=1e-2)
    assert worm["calcium"].channels.columns["slot"].tolist() == [canonical_neurons().index("AVAL"), canonical_neurons().index("VB1"), -1]  # fmt: skip
    np.testing.assert_array_equal(worm["calcium"].read()[0], np.float32(rows(layout)[0]["calcium_data"]))
    assert "smooth method: moving" in worm.info.steps


def test_the_data_set_joins_worms_of_the_hub_with_a_connectome(layout, hub, tmp_path):
    write(tmp_path / "a.parquet", rows(layout))
    hub.add(REPO, {"a.parquet": (tmp_path / "a.parquet").read_bytes()}, kind="dataset")
    make = nkfm.datasets.load("celegans")
    with pytest.raises(DataError, match=r"not in the local cache and is large; call celegans\(download=True\)"):  # fmt: skip
        make(repo=REPO)[0]
    dataset = make(repo=REPO, download=True)
    assert len(dataset) == 912
    recording = dataset[[row["subject"] for row in dataset.table].index("Dag2023-worm0")]
    assert recording["calcium"].channels.name == ("AVAL", "RIML")
    assert recording.info.steps[-1] == "connectome joined: 2 of 2 traces are among its 300 nodes"
    labs = {row["lab"] for row in dataset.table}
    assert labs == {"Zimmer", "Samuel", "Hobert", "Flavell", "Leifer", "Venkatachalam"}
    assert sum(row["source_dataset"] == "Lin2023" for row in dataset.table) == 577


def test_worms_stream_row_group_by_row_group_without_a_download(layout, hub, tmp_path):
    write(tmp_path / "a.parquet", rows(layout), group=2)  # worms straddle row groups
    hub.add(REPO, {"data/a.parquet": (tmp_path / "a.parquet").read_bytes()}, kind="dataset")
    found = list(source.stream_worms(REPO, endpoint=hub.url))
    assert [r.info.subject for r in found] == [f"{d}-{w}" for d, w in WORMS]
    assert [len(r["calcium"].channels) for r in found] == [3, 3, 2]


def test_local_parquet_files_are_a_data_set(layout, tmp_path):
    write(tmp_path / "a.parquet", rows(layout))
    dataset = nkfm.datasets.load("celegans")(tmp_path)
    assert [row["subject"] for row in dataset.table] == [f"{d}-{w}" for d, w in WORMS]
    assert dataset[1]["calcium"].channels.name == ("RIML", "AVAR", "0")
    train, test = nkfm.split(dataset, by="subject", test_size=0.3)
    assert len(train) == 2
    assert len(test) == 1


def test_only_five_columns_are_needed(tmp_path):
    path = write(tmp_path / "a.parquet", rows(source.NEEDED))
    assert source.read_worm([path], "Dag2023", "worm0")["calcium"].channels.name == ("AVAL", "RIML")
    broken = write(tmp_path / "b.parquet", rows([c for c in SHORT if c != "neuron"]))
    with pytest.raises(DataError, match="has no column neuron; it has source_dataset"):
        source.read_worm([broken], "Dag2023", "worm0")
    with pytest.raises(UnknownName, match="no column 'dff'; traces are in one of calcium_data"):
        source.read_worm([path], "Dag2023", "worm0", field="dff")
    with pytest.raises(UnknownName, match="no worm 'worm9'"):
        source.read_worm([path], "Dag2023", "worm9")
    (tmp_path / "c.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no parquet file"):
        source.list_worms([tmp_path / "c.parquet"])


def test_broken_traces_and_repeated_names_are_reported(tmp_path):
    made = rows(SHORT, {("Kato2015", "worm0"): ("AVAL", "AVAL", "RIML")})
    made[2]["calcium_data"][5] = float("nan")
    worm = source.read_worm([write(tmp_path / "a.parquet", made)], "Kato2015", "worm0")
    assert worm["calcium"].channels.name == ("AVAL", "AVAL#1")
    assert worm["calcium"].channels.columns["slot"][1] == -1
    assert any("1 traces with values that are not finite dropped: RIML" in step for step in worm.info.steps)
    assert any("taken already" in step for step in worm.info.steps)
    made = rows(SHORT, {("Kato2015", "worm0"): ("AVAL",)})
    made[0]["time_in_seconds"][10] = 0.0
    with pytest.raises(DataError, match="times do not ascend; the first descends at sample 10"):
        source.read_worm([write(tmp_path / "b.parquet", made)], "Kato2015", "worm0")


def test_consensus_files_of_the_hub(tmp_path):
    columns = ["from_neuron", "to_neuron", "from_pos", "mean_gap_weight", "mean_chem_weight", "functional_weight", "data_sources"]  # fmt: skip
    with (tmp_path / "c.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([columns, ["ADAL", "ADAR", "(0, 1, 2)", "2", "", "", "['a']"], ["ADAL", "AVAL", "", "", "3.5", "0.5", "['a', 'b']"]])  # fmt: skip
    graph = source.read_consensus(tmp_path / "c.csv")
    row = {name: i for i, name in enumerate(graph.channels.name)}
    assert graph.adjacency("chemical")[row["ADAL"], row["AVAL"]] == 3.5
    assert graph.adjacency("functional")[row["ADAL"], row["AVAL"]] == 0.5
    assert graph.adjacency("gap-junction")[row["ADAR"], row["ADAL"]] == 2
    assert source.read_sources("['a', 'b']") == ("a", "b")
    with pytest.raises(DataError, match="data_sources is no list"):
        source.read_sources("__import__('os')")


def test_graph_tensors_of_the_hub_are_read_without_running_anything(tmp_path):
    names = canonical_neurons()
    index = torch.stack([torch.arange(300).repeat_interleave(300), torch.arange(300).repeat(300)])
    weights = torch.zeros(90000, 2)
    weights[1], weights[300] = torch.tensor([2.0, 5.0]), torch.tensor([2.0, 0.0])
    content = {"edge_index": index, "edge_attr": weights, "x": torch.empty(300, 8), "node_label": dict(enumerate(names))}  # fmt: skip
    torch.save(content, tmp_path / "g.pt")
    graph = source.read_graph_tensors(tmp_path / "g.pt")
    assert graph.adjacency("chemical")[0, 1] == 5
    assert graph.adjacency("gap-junction")[1, 0] == 2
    torch.save({"edge_index": canonical_neurons}, tmp_path / "evil.pt")  # a function: more than weights
    with pytest.raises(DataError, match="holds no graph tensors"):
        source.read_graph_tensors(tmp_path / "evil.pt")
