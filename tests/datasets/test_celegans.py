"""Worms: goldens of the published pipeline, names, repairs, raw formats, joins."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from safetensors.numpy import load_file

import neurokit_fm as nkfm
from neurokit_fm.errors import ConfigError, DataError, UnknownName
from nkfm_celegans import smoothing
from nkfm_celegans.annotations import connectome
from nkfm_celegans.flavell import read_dag2023, read_flavell2023
from nkfm_celegans.formats import longest_gap, read_leifer2023, read_nejatbakhsh2020, read_venkatachalam2024
from nkfm_celegans.labels import Labels, class_labels, clean_labels, sided_labels
from nkfm_celegans.matlab import read_lin2023, read_yemini2021, read_zimmer
from nkfm_celegans.neurons import (
    canonical_neurons,
    classes,
    neuron_channels,
    neuron_slots,
    neuron_table,
    normal_name,
    slot_of,
)
from nkfm_celegans.pipeline import PipelineConfig, RawWorm, preprocess
from nkfm_celegans.recording import join_connectome, read_raw, worm_from_file, worm_recording
from nkfm_celegans.resampling import resample

GOLDENS = Path(__file__).parents[1] / "goldens" / "celegans"
DAG = "data/celegans/dag2023_2022-07-27-38-data.h5"


def golden(name):
    return load_file(GOLDENS / f"{name}.safetensors"), json.loads((GOLDENS / f"{name}.json").read_text())


def near(found, wanted, atol=1e-4, rtol=1e-4):
    np.testing.assert_allclose(found, wanted, atol=atol, rtol=rtol)


# ---- neurons


def test_the_table_holds_300_neurons_in_plain_order_and_the_two_can_cells():
    names = canonical_neurons()
    assert len(names) == 300
    assert list(names) == sorted(names)
    assert len(neuron_table()) == 302
    assert {row["label"] for row in neuron_table()} - set(names) == {"CANL", "CANR"}
    assert names.index("AS10") < names.index("AS2")
    assert names.index("I1L") < names.index("IL1DL")
    types = [row["type"] for row in neuron_table() if row["slot"]]
    assert {t: types.count(t) for t in set(types)} == {"motor": 116, "sensory": 85, "inter": 79, "pharyngeal": 20}
    assert len({row["neuron_class"] for row in neuron_table() if row["slot"]}) == 117
    raw = [row["neurotransmitter_raw"] for row in neuron_table() if row["slot"]]
    assert {t: raw.count(t) for t in ("ACh", "Ach", "Glu", "GABA", "DA", "5HT", "Octopamine")} == {
        "ACh": 153, "Ach": 4, "Glu": 77, "GABA": 31, "DA": 8, "5HT": 2, "Octopamine": 2,
    }  # fmt: skip


def test_names_are_spelt_one_way():
    given = ["va01", " VA10 ", "AWCOFF", "AWCOF", "AWCON", "VB01", "DA09", "IL1DL", "BWM-DL01", "17"]
    assert [normal_name(n) for n in given] == ["VA1", "VA10", "AWCL", "AWCL", "AWCR", "VB1", "DA9", "IL1DL", "BWM-DL01", "17"]  # fmt: skip
    assert [slot_of(n) >= 0 for n in given] == [True] * 8 + [False] * 2


def test_unknown_neurons_are_all_named():
    with pytest.raises(UnknownName, match="'AVAQ', 'muscle'. Did you mean 'AVAR'"):
        neuron_slots(["AVAL", "AVAQ", "muscle"])


def test_channels_of_neurons_have_places_and_columns_and_strangers_none():
    channels = neuron_channels(["AVAL", "17", "CANL"])
    assert channels.has_position.tolist() == [True, False, False]  # the sheet has no place for CANL
    assert channels.columns["slot"].tolist() == [canonical_neurons().index("AVAL"), -1, -1]
    assert channels.columns["neurotransmitter"].tolist()[0] == "acetylcholine"
    assert 0 < channels.position[0, 1] < 200e-6  # in the head, nose at 0
    assert neuron_channels(["1", "2"]).frame == "unknown"
    assert len(classes()) == 118


# ---- labels


def test_labels_without_a_question_mark_come_first_and_a_repeated_one_is_unlabelled():
    found = clean_labels(["URADL", "AIY?", "AIYL", "URADL", None, "merge", "AVA/AVE", "GLRDL", [None, "VB01"], "AIY?"])
    assert found.names == ("URADL", "AIYR", "AIYL", "3", "4", "5", "6", "7", "VB1", "9")
    assert "trace 3: label 'URADL' is taken already; unlabelled" in found.repairs
    assert clean_labels(["URADL", "URADL"], confidence=[1, 3]).names == ("0", "URADL")


def test_published_matching_gives_a_repeated_label_to_another_neuron():
    assert clean_labels(["URADL", "URADL"], reference=True).names == ("URADL", "URADR")


def test_class_names_take_left_then_right():
    assert class_labels(["AVA", "AVA", "AVA", "RID", "SMDD", "AVBL", "AVBL", ""]).names == (
        "AVAL", "AVAR", "2", "RID", "SMDDL", "5", "6", "7",
    )  # fmt: skip
    assert sided_labels(["AVA", "AVA", "RIS"], [1, 0, float("nan")]).names == ("AVAL", "AVAR", "RIS")


# ---- pipeline


@pytest.mark.golden
def test_steps_match_the_published_helpers():
    g, about = golden("preproc_helpers")
    t, x = g["input.time"], g["input.x"]
    near(smoothing.moving_average(x, about["window_size"]), g["output.moving"])
    near(smoothing.moving_average(x, about["even_window"]), g["output.moving_even"])
    near(smoothing.exponential_average(x, about["alpha"]), g["output.exponential"])
    near(smoothing.gaussian_average(x, about["sigma"]), g["output.gaussian"])
    near(smoothing.residual(t, x), g["output.residual"])
    near(smoothing.standardise(x), g["output.zscore"])
    causal = smoothing.standardise_causally(x)
    near(causal.values, g["output.causal64"], atol=1e-8, rtol=0)
    near(causal.mean, g["output.causal_mean"])
    near(causal.std[5:], g["output.causal_std"][5:])  # computed in float32 there, which is coarse at the start
    for way, dt in (("up", about["resample_dt_up"]), ("down", about["resample_dt_down"])):
        time, values = resample(t, x, dt)
        near(time, g[f"output.{way}.time"])
        near(values, g[f"output.{way}.x"])


@pytest.mark.golden
@pytest.mark.shared
def test_a_real_worm_matches_the_published_pipeline(shared):
    g, about = golden("worm_dag2023_moving15")
    raw = read_dag2023(shared / DAG, reference=True)
    worm = preprocess(raw)
    order = np.argsort(worm.slots)[(~worm.is_labeled).sum() :]
    assert [worm.names[i] for i in order] == about["labeled"]
    assert (worm.slots[order] == g["output.labeled_slots"]).all()
    assert len(worm.names) == about["num_neurons"]
    assert len(worm.time_in_seconds) == about["max_timesteps"]
    tolerance = {k: about["tolerance"][k] for k in ("atol", "rtol")}
    near(worm.calcium_data[:, order], g["output.calcium_data"], **tolerance)
    few = order[:14]
    for key in ("smooth_calcium_data", "residual_calcium", "smooth_residual_calcium", "original_residual_calcium"):
        near(getattr(worm, key)[:, few], g[f"output.{key}"], **tolerance)
    for key in ("time_in_seconds", "original_time_in_seconds"):
        near(getattr(worm, key), g[f"output.{key}"], **tolerance)
    causal = preprocess(raw, PipelineConfig(normalise="causal"))
    near(causal.calcium_data[:, few], g["output.causal.calcium_data"], atol=5e-3, rtol=0)
    near(causal.cumulative_mean[:, few], g["output.causal.cumulative_mean"], **tolerance)
    near(causal.cumulative_std[:, few], g["output.causal.cumulative_std"], **tolerance)


@pytest.mark.shared
def test_by_default_the_defects_of_the_published_pipeline_are_mended(shared):
    worm = preprocess(read_dag2023(shared / DAG))
    assert worm.original_median_dt == pytest.approx(0.6, abs=1e-4)
    assert worm.is_labeled.sum() == 93  # URADL is there twice; published, URADR's own trace ends up as URAVR
    assert "trace 46: label 'URADL' is taken already; unlabelled" in worm.steps
    published = preprocess(read_dag2023(shared / DAG, reference=True), PipelineConfig(reference=True))
    assert published.original_median_dt == pytest.approx(0.625)
    assert len(set(np.diff(published.time_in_seconds[-200:]).round(4))) > 1  # float16 counts in steps of 0.25 s there


def raw_worm(n=700, names=("AVAL", "1", "AIYL"), *, time=None, traces=None):
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.standard_normal((n, len(names))), 0) if traces is None else traces
    return RawWorm(
        time=0.6 * np.arange(n) if time is None else time, traces=x, labels=Labels(names), source_dataset="Test2026"
    )


def test_causal_scores_can_be_undone_and_start_at_zero():
    worm = preprocess(raw_worm(), PipelineConfig(normalise="causal"))
    assert (worm.calcium_data[0] == 0).all()
    near(worm.calcium_data * worm.cumulative_std + worm.cumulative_mean, worm.smooth_calcium_data, atol=1e-3)
    large = smoothing.standardise_causally(1e6 + np.random.default_rng(0).standard_normal((500, 1)))
    assert large.std[-1, 0] == pytest.approx(1, abs=0.1)  # in float32 nothing would be left of it


@pytest.mark.parametrize("smooth", ["moving", "gaussian", "exponential"])
def test_smoothing_looks_at_the_past_only(smooth):
    config, x = PipelineConfig(smooth=smooth), np.random.default_rng(0).standard_normal((200, 2))
    later = x.copy()
    later[120:] += 100
    near(config.smoothed(x)[:120], config.smoothed(later)[:120], atol=1e-10)
    assert config.smoothed(x)[0] == pytest.approx(x[0])


def test_gaussian_weights_are_those_of_the_definition():
    x, sigma = np.random.default_rng(1).standard_normal((60, 1)), 3.0
    weights = np.exp(-(np.arange(60) ** 2) / (2 * sigma**2))
    slow = [(weights[: t + 1] @ x[t::-1, 0]) / weights[: t + 1].sum() for t in range(60)]
    near(smoothing.gaussian_average(x, sigma)[:, 0], slow, atol=1e-12)


def test_slots_hold_identified_neurons_only():
    worm = preprocess(raw_worm())
    dense, mask = worm.in_slots()
    assert dense.shape[1] == 300
    assert mask.sum() == 2
    assert np.flatnonzero(mask).tolist() == neuron_slots(["AIYL", "AVAL"]).tolist()
    assert (dense[:, ~mask] == 0).all()


def test_times_that_do_not_ascend_name_the_sample():
    time = 0.6 * np.arange(700)
    time[350] = time[349]
    with pytest.raises(DataError, match=r"Test2026 worm0: times must ascend: sample 350 is at 209.4 s, sample 349 at"):
        preprocess(raw_worm(time=time))


def test_missing_samples_are_filled_and_empty_traces_dropped_and_both_reported():
    x = np.cumsum(np.random.default_rng(0).standard_normal((700, 3)), 0)
    x[100:110, 0], x[:, 1] = np.nan, np.nan
    worm = preprocess(raw_worm(traces=x))
    assert worm.names == ("AVAL", "AIYL")
    assert np.isfinite(worm.calcium_data).all()
    assert "1 traces without any value dropped: 1" in worm.steps
    assert "10 missing samples of 1 traces filled linearly in time: AVAL" in worm.steps
    near(worm.original_calcium_data[100:110, 0], np.interp(range(100, 110), [99, 110], x[[99, 110], 0]), atol=1e-5)
    imputed = preprocess(raw_worm(traces=x), PipelineConfig(fill="iterative"))
    assert np.isfinite(imputed.calcium_data).all()


def test_short_worms_and_worms_without_a_known_neuron_are_refused():
    with pytest.raises(DataError, match="500 samples; the minimum is 600"):
        preprocess(raw_worm(500))
    with pytest.raises(DataError, match="none of 2 traces belongs to an identified neuron; labels begin 0, 1"):
        preprocess(raw_worm(names=("0", "1")))
    with pytest.raises(ConfigError, match="smooth must be"):
        PipelineConfig(smooth="median")


# ---- recordings and joins


@pytest.mark.shared
def test_traces_and_connectome_meet_on_names_in_one_recording(shared, tmp_path):
    from neurokit_fm.data.store import save_recording

    recording = worm_from_file(shared / DAG)
    calcium, graph = recording["calcium"], recording["connectome"]
    assert (len(calcium.channels), calcium.n_samples, len(graph.channels)) == (135, 1444, 300)
    assert calcium.sfreq == pytest.approx(1 / 0.333, rel=1e-4)
    both = set(calcium.channels.name) & set(graph.channels.name)
    assert len(both) == 93
    assert recording.events.counts() == {"reversal": 30}
    for name in ("AVAL", "RIML"):
        here, there = calcium.channels.rows([name])[0], graph.channels.rows([name])[0]
        assert (calcium.channels.position[here] == graph.channels.position[there]).all()
    save_recording(recording, tmp_path / "worm.h5")
    back = nkfm.read(tmp_path / "worm.h5")
    assert back["connectome"].adjacency("chemical").sum() == graph.adjacency("chemical").sum()


def test_a_graph_without_overlap_is_refused():
    recording = worm_recording(preprocess(raw_worm()))
    graph = connectome("cook2019")
    strangers = nkfm.Graph(
        edges=np.zeros((2, 1), dtype=np.int64), weight=np.ones(1, np.float32), kind=np.zeros(1, dtype=np.int64),
        kinds=graph.kinds, channels=neuron_channels(["X1", "X2"]),
    )  # fmt: skip
    with pytest.raises(DataError, match="0 of 3 traces are nodes of the graph; traces: AVAL, 1, AIYL"):
        join_connectome(recording, strangers)
    assert "2 of 3 traces" in join_connectome(recording, graph).info.steps[-1]


# ---- raw formats


@pytest.fixture
def dag_file(tmp_path):
    path = tmp_path / "2022-01-01-01-data.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["gcamp/traces_array_F_F20"] = rng.random((620, 3)) + 1
        file["timing/timestamp_confocal"] = 1.3e6 + 0.6 * np.arange(620)
        file["behavior/reversal_vec"] = (np.arange(620) % 100 > 80).astype(int)
    labels = {"2022-01-01-01": [{"1": {"label": "AVAL", "confidence": 4}, "3": {"label": "AIY?", "confidence": 2}}, {}]}
    (tmp_path / "x_NeuroPAL_labels.json").write_text(json.dumps(labels))
    return path


def test_hdf5_of_dag2023_with_labels_beside_it(dag_file):
    (raw,) = read_raw(dag_file)
    assert raw.labels.names == ("AVAL", "1", "AIYL")
    worm = preprocess(raw)
    assert worm.original_time_in_seconds[0] == 0
    assert worm.onsets["reversal"].tolist() == pytest.approx((0.6 * np.array([81, 181, 281, 381, 481, 581])).tolist(), abs=1e-6)  # fmt: skip
    recording = nkfm.datasets.load("celegans")(dag_file)[0]
    assert recording.info.subject == "Dag2023-worm0"
    assert set(recording.signals) == {"calcium", "connectome"}


def test_wrong_files_say_what_is_missing(dag_file, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match="has no gcamp/traces_array_F_F20 and no timing/timestamp_confocal"):
        read_dag2023(other)
    with pytest.raises(DataError, match="no layout of worms") as caught:
        read_raw(other)
    assert "Flavell2023" in str(caught.value)
    (tmp_path / "labels.json").write_text(json.dumps({"2022-01-01-01": [{"9": {"label": "AVAL"}}]}))
    with pytest.raises(DataError, match="a label for trace 9; there are 3 traces"):
        read_dag2023(dag_file, tmp_path / "labels.json")
    with pytest.raises(DataError, match="no such file"):
        read_raw(tmp_path / "none.h5")


def test_json_of_flavell2023(tmp_path):
    content = {
        "timestamp_confocal": (0.6 * np.arange(30)).tolist(),
        "trace_array": np.random.default_rng(0).random((2, 30)).tolist(),
        "labeled": {"2": {"label": "RIML"}},
    }
    (tmp_path / "w.json").write_text(json.dumps(content))
    (raw,) = read_raw(tmp_path / "w.json")
    assert raw.labels.names == ("0", "RIML")
    assert raw.traces.shape == (30, 2)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["timestamp_confocal"], file["trace_array"] = content["timestamp_confocal"], content["trace_array"]
        file["labeled/2/label"] = "RIML"
    assert read_flavell2023(tmp_path / "w.h5").labels.names == ("0", "RIML")


def test_nwb_of_nejatbakhsh2020(tmp_path):
    with h5py.File(tmp_path / "w.nwb", "w") as file:
        base = "processing/CalciumActivity/SignalRawFluor/SignalCalciumImResponseSeries"
        file[f"{base}/data"] = np.random.default_rng(0).random((40, 3))
        file[f"{base}/starting_time"] = 0.0
        file[f"{base}/starting_time"].attrs["rate"] = 4.0
        file["processing/CalciumActivity/NeuronIDs/labels"] = ["AVAL", "", "SMDD?"]
    raw = read_nejatbakhsh2020(tmp_path / "w.nwb")
    assert raw.labels.names == ("AVAL", "1", "SMDDL")
    assert raw.time[1] == 0.25


def test_matlab_of_the_zimmer_lab(tmp_path):
    cells = np.empty((1, 2), dtype=object)
    labels, traces, times = cells.copy(), cells.copy(), cells.copy()
    for i in range(2):
        names = np.empty((1, 3), dtype=object)
        names[0] = ["AVAL", np.zeros((0, 0)), "RIML"]
        labels[0, i], traces[0, i], times[0, i] = names, np.full((20, 3), i + 1.0), 0.3 * np.arange(20)[:, None]
    scipy.io.savemat(tmp_path / "kato.mat", {"WT_Stim": {"IDs": labels, "traces": traces, "timeVectorSeconds": times}})
    worms = read_zimmer(tmp_path / "kato.mat")
    assert [w.labels.names for w in worms] == [("AVAL", "1", "RIML")] * 2
    assert [w.traces.mean() for w in worms] == [1, 2]
    assert worms[1].source_dataset == "Kato2015"
    scipy.io.savemat(tmp_path / "other.mat", {"x": 1})
    with pytest.raises(DataError, match="expected a struct WT_Stim"):
        read_zimmer(tmp_path / "other.mat")


def test_matlab_of_yemini2021_and_lin2023(tmp_path):
    neurons, traces = np.empty(2, dtype=object), np.empty(2, dtype=object)
    neurons[:] = ["AVA", "RIS"]
    for i in range(2):
        traces[i] = np.empty(2, dtype=object)
        for worm in range(2):
            traces[i][worm] = np.arange(24.0) + worm
    scipy.io.savemat(tmp_path / "y.mat", {"fps": 4.0, "neurons": neurons, "is_L": [1.0, np.nan], "norm_traces": traces})
    worms = read_yemini2021(tmp_path / "y.mat")
    assert [w.labels.names for w in worms] == [("AVAL", "RIS")] * 2
    assert worms[1].traces[0].tolist() == [5, 5]  # four samples dropped
    lin = {"use_flag": 1, "proofread_neurons": neurons, "times": 0.4 * np.arange(24), "corrected_F": np.ones((24, 2)), "F_0": [7.0, 8.0]}  # fmt: skip
    neurons[:] = ["AWAL", "ASHR"]
    scipy.io.savemat(tmp_path / "l.mat", lin)
    raw = read_lin2023(tmp_path / "l.mat")
    assert raw.traces[:2].tolist() == [[7, 8], [1, 1]]
    scipy.io.savemat(tmp_path / "l.mat", {**lin, "use_flag": 0})
    assert read_lin2023(tmp_path / "l.mat") is None


def test_text_of_leifer2023(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((200, 4))
    x[20:60, 1] = np.nan  # a gap too long
    x[:, 2] = np.arange(200)  # a straight line
    np.savetxt(tmp_path / "3_gcamp.txt", x)
    np.savetxt(tmp_path / "3_t.txt", 0.5 * np.arange(200))
    (tmp_path / "3_labels.txt").write_text("AVA\nRIML\nSAADL\n\n")
    (raw,) = read_leifer2023(tmp_path)
    assert raw.labels.names == ("AVAL", "3")
    assert raw.worm == "worm3"
    assert "2 traces with long gaps or straight stretches dropped: RIML, SAADL" in raw.labels.repairs
    assert longest_gap(x).tolist() == [0, 40, 0, 0]


def test_csv_of_venkatachalam2024(tmp_path):
    import zipfile

    header = ["neuron", *(f"c{i}" for i in range(1, 107)), *(f"t{i}" for i in range(5)), "a", "b"]
    rows = [["AVAL", *["0"] * 106, "1", "2", "3", "4", "5", "9", "9"], ["?", *["0"] * 106, "5", "4", "3", "2", "1", "9", "9"]]  # fmt: skip
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("w0.csv", "\n".join(",".join(r) for r in [header, *rows]))
    (raw,) = read_venkatachalam2024(tmp_path / "v.zip")
    assert raw.traces.T.tolist() == [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]
    assert raw.labels.names == ("AVAL", "1")
    assert raw.time[1] == 0.375


def test_the_command_writes_one_joined_file(dag_file, tmp_path):
    from click.testing import CliRunner

    from neurokit_fm.cli.main import cli

    out = tmp_path / "joined.h5"
    done = CliRunner().invoke(cli, ["worm", str(dag_file), "-o", str(out), "--labelled-only", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["identified"] == 2
    back = nkfm.read(out)
    assert back["calcium"].channels.name == ("AVAL", "AIYL")
    assert "connectome" in back
