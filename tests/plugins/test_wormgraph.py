"""Activity models of the worm: baselines, causality, wiring, training, evaluation, nulls, structure, report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.cli.main import cli
from neurokit_fm.data.store import save_recording
from neurokit_fm.errors import ConfigError, DataError
from nkfm_wormgraph.config import (
    ForecastConfig,
    LinearConfig,
    PersistenceConfig,
    RecurrentConfig,
    TransformerConfig,
    WiredConfig,
)
from nkfm_wormgraph.evaluate import compare, contract_for, errors_of, forecast, leave_one_out, split_in_time
from nkfm_wormgraph.linear import WormLinear, WormPersistence
from nkfm_wormgraph.nulls import distances, rewire
from nkfm_wormgraph.population import graph_of, neurons, past, score, slot_by_name
from nkfm_wormgraph.recurrent import WormRecurrent
from nkfm_wormgraph.structure import agreement, by_class, coupling, functional_agreement, type_of
from nkfm_wormgraph.training import TrainingPlan, train
from nkfm_wormgraph.transformer import WormTransformer
from nkfm_wormgraph.wired import WormWired

NAMES = ("AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AVBL", "AVEL", "SMDVL", "ASHL", "AWCR")
QUICK = TrainingPlan(steps=4, window=16, batch=2, every=2)


def worm(seed=0, names=NAMES, n=300, sfreq=2.0, noise=0.5):
    """Traces that follow x_t = A x_(t-1) + noise, with couplings along synapses of Cook et al. (2019)."""
    rng = np.random.default_rng(seed)
    slots = [slot_by_name()[name] for name in names if name in slot_by_name()]
    synapses = (graph_of("cook2019").adjacency("chemical") > 0)[np.ix_(slots, slots)]
    push = np.zeros((len(names), len(names)))
    push[: len(slots), : len(slots)] = 0.25 * synapses / np.maximum(1, synapses.sum(0))
    x = np.zeros((len(names), n))
    for t in range(1, n):
        x[:, t] = 0.7 * x[:, t - 1] + push.T @ x[:, t - 1] + noise * rng.standard_normal(len(names))
    rec = nkfm.from_array(x.astype(np.float32), sfreq=sfreq, names=names, modality="calcium", unit="au")
    series = rec["calcium"]
    place = [neurons().position[slot_by_name()[n]] if n in slot_by_name() else [np.nan] * 3 for n in names]
    channels = nkfm.Channels.of(names, kind="neuron", unit="au", position=place, frame="worm-atlas")
    return replace(rec, signals={"calcium": replace(series, channels=channels)})


def makers():
    return {
        "persistence": lambda c: WormPersistence(PersistenceConfig(), c),
        "linear": lambda c: WormLinear(LinearConfig(order=3), c),
        "coupled": lambda c: WormLinear(LinearConfig(order=3, coupling="full", coupling_ridge=10), c),
        "graph": lambda c: WormLinear(LinearConfig(order=3, coupling="graph", coupling_ridge=10), c),
        "gru": lambda c: WormRecurrent(RecurrentConfig(width=8, order=3), c),
        "lstm": lambda c: WormRecurrent(RecurrentConfig(width=8, order=3, cell="lstm"), c),
        "transformer": lambda c: WormTransformer(
            TransformerConfig(width=8, order=3, heads=2, encoding={"name": "fourier-4d", "freqs": 2}), c
        ),
        "wired": lambda c: WormWired(WiredConfig(order=3), c),
    }


def random(model):
    """Give every trained weight some value: many start at 0."""
    rng = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=rng)
    return model.eval()


@pytest.mark.parametrize("name", makers())
def test_a_forecast_does_not_know_the_future(name):
    recording = worm()
    model = random(makers()[name](contract_for(recording, window=16)))
    one = collate([recording.crop(0, 8)])
    values = one["calcium"].values.clone()
    values[..., 10:] += 5
    other = replace(one, streams={"calcium": replace(one["calcium"], values=values)})
    with torch.no_grad():
        a, b = model(one)["prediction"], model(other)["prediction"]
    torch.testing.assert_close(a[..., :10], b[..., :10])
    assert not torch.allclose(a[..., 10:], b[..., 10:])


@pytest.mark.parametrize("name", makers())
def test_untrained_models_are_persistence(name):
    recording = worm()
    batch = collate([recording.crop(0, 8)])
    found = makers()[name](contract_for(recording, window=16)).eval()(batch)["prediction"]
    torch.testing.assert_close(found, batch["calcium"].values)


@pytest.mark.parametrize("name", makers())
def test_traces_of_unknown_neurons_change_nothing(name):
    known, more = worm(), worm(names=(*NAMES, "17", "merge"))
    model = random(makers()[name](contract_for(known, window=16)))
    data = more["calcium"].read()
    data[: len(NAMES)] = known["calcium"].read()
    more = replace(more, signals={"calcium": replace(more["calcium"], data=data)})
    with torch.no_grad():
        a, b = model(collate([known.crop(0, 8)])), model(collate([more.crop(0, 8)]))
    torch.testing.assert_close(a["prediction"], b["prediction"][:, : len(NAMES)])
    torch.testing.assert_close(a.pooled(), b.pooled(), rtol=1e-4, atol=1e-5)
    assert (b["prediction"][:, len(NAMES) :] == 0).all()


def test_a_batch_of_strangers_has_no_loss_and_no_real_token():
    stranger = worm(names=("1", "2", "3"))
    model = makers()["transformer"](contract_for(stranger, window=16))
    assert not model(collate([stranger.crop(0, 8)])).mask.any()
    with pytest.raises(DataError, match="no trace belongs to a known neuron; names begin 1, 2, 3"):
        model.loss(collate([stranger.crop(0, 8)]))
    with pytest.raises(DataError, match="no trace belongs to a known neuron"):
        WormLinear(LinearConfig(), contract_for(stranger)).fit([stranger])
    with pytest.raises(DataError, match="no trace belongs to a known neuron"):
        split_in_time(stranger)


def test_past_is_the_sample_then_differences():
    x = torch.tensor([[1.0, 4.0, 9.0]])
    assert past(x, 3)[0].tolist() == [[1, 0, 0], [4, -3, -3], [9, -5, -8]]


def test_losses_are_those_of_their_definitions():
    recording = worm()
    batch = collate([recording.crop(0, 8), worm(seed=1, n=300).crop(0, 5)])
    x, real = batch["calcium"].values, batch["calcium"].time_mask[:, None].expand(-1, len(NAMES), -1)
    both = real[..., 1:] & real[..., :-1]
    step = (x[..., 1:] - x[..., :-1])[both]
    model = WormPersistence(PersistenceConfig(), contract_for(recording, window=16))
    wanted = {"mse": step.square().mean(), "l1": step.abs().mean(), "mase": torch.tensor(1.0)}
    wanted["huber"] = torch.where(step.abs() < 1, step.square() / 2, step.abs() - 0.5).mean()
    for loss, value in wanted.items():
        found = score(model(batch), batch, ForecastConfig(loss=loss)).total
        torch.testing.assert_close(found, value, rtol=5e-2 if loss == "mase" else 1e-5, atol=0)  # steps between targets
    with pytest.raises(DataError, match="windows of 16 samples hold no target 16 steps ahead; the minimum is 17"):
        score(model(batch), batch, ForecastConfig(horizon=16))
    two = score(model(batch), batch, ForecastConfig(horizon=2)).total
    torch.testing.assert_close(two, (x[..., 2:] - x[..., :-2])[real[..., 2:]].square().mean())
    with pytest.raises(ConfigError, match="loss must be"):
        ForecastConfig(loss="cosine")


def test_linear_autoregression_finds_the_weights_that_made_the_data():
    names = ("AVAL", "AVBL")
    rng = np.random.default_rng(0)
    x = np.zeros((2, 4000))
    for t in range(1, 4000):
        x[:, t] = [0.8 * x[0, t - 1], 0.5 * x[1, t - 1] + 0.3 * x[0, t - 1]] + rng.standard_normal(2)
    recording = nkfm.from_array(x.astype(np.float32), sfreq=2.0, names=names, modality="calcium", unit="au")
    recording = replace(recording, signals={"calcium": replace(recording["calcium"], channels=neurons().take([slot_by_name()[n] for n in names]))})  # fmt: skip
    model = WormLinear(LinearConfig(order=1, coupling="full", ridge=1e-3, coupling_ridge=1e-3), contract_for(recording))
    model.fit([recording])
    a, b = (slot_by_name()[n] for n in names)
    assert float(model.linear.weight[a, 0]) == pytest.approx(-0.2, abs=0.05)
    assert float(model.linear.coupling[a, b]) == pytest.approx(0.3 * 0.8, abs=0.12)  # what its own past leaves over
    assert abs(float(model.linear.coupling[b, a])) < 0.05
    assert errors_of(model, recording).skill > 0.1


def test_couplings_along_the_graph_are_where_the_graph_has_edges():
    recording = worm(n=400)
    model = WormLinear(LinearConfig(order=2, coupling="graph", coupling_ridge=5), contract_for(recording)).fit([recording])  # fmt: skip
    graph = graph_of("cook2019")
    wired = (graph.adjacency("chemical") != 0) | (graph.adjacency("gap-junction") != 0)
    assert (model.linear.coupling.numpy() != 0).any()
    assert not (model.linear.coupling.numpy() != 0)[~wired].any()


def test_the_wired_network_has_the_synapses_signs_and_symmetry_of_the_animal():
    model = random(WormWired(WiredConfig(), contract_for(worm())))
    chemical, gap = (w.detach() for w in model.weights())
    graph = graph_of("cook2019")
    assert ((chemical != 0).numpy() == (graph.adjacency("chemical") != 0)).all()
    torch.testing.assert_close(gap, gap.T)
    assert (gap >= 0).all()
    transmitter = neurons().columns["neurotransmitter"]
    assert (chemical[transmitter == "acetylcholine"] >= 0).all()
    assert (chemical[transmitter == "GABA"] <= 0).all()
    assert (transmitter == "GABA").sum() == 31
    free = chemical[transmitter == "glutamate"]
    assert (free < 0).any()
    assert (free > 0).any()
    every = WormWired(WiredConfig(connectome="all", signed=False), contract_for(worm()))
    assert int(every.chemical_mask.sum()) == 300 * 299


def test_a_saved_wired_network_keeps_its_wiring(tmp_path):
    model = random(WormWired(WiredConfig(connectome="white1986_whole", order=3), contract_for(worm())))
    model.save_pretrained(tmp_path)
    back = nkfm.load_model(tmp_path)
    assert torch.equal(back.chemical_mask, model.chemical_mask)


def test_hidden_neurons_are_neither_seen_nor_scored():
    recording = worm()
    model = random(WormTransformer(TransformerConfig(width=8, heads=2, order=3, encoding={"name": "fourier-4d", "freqs": 2}, forecast=ForecastConfig(hide=0.5)), contract_for(recording))).train()  # fmt: skip
    batch = collate([recording.crop(0, 8)])
    a, b = (model.loss(batch, generator=torch.Generator().manual_seed(s)).total for s in (0, 1))
    assert a != b
    assert torch.equal(model.loss(batch).total, model.loss(batch).total)


def test_networks_start_from_linear_autoregression_and_never_end_worse_on_what_was_held_back():
    recording, _ = split_in_time(worm(n=400))
    model = makers()["gru"](contract_for(recording, window=16))
    how = train(model, [recording], QUICK, seed=0)
    assert how.steps[0] == 0
    assert how.held_back.min() == how.held_back[how.steps.tolist().index(how.best_step)]
    linear = WormLinear(LinearConfig(order=3, coupling="full"), contract_for(recording)).fit([recording])
    assert float((model.linear.weight - linear.linear.weight).detach().abs().mean()) < 0.05
    with pytest.raises(DataError, match="the minimum is one window of 999"):
        train(model, [recording], replace(QUICK, window=999))


def test_models_are_compared_on_the_same_samples_over_seeds():
    first, later = split_in_time(worm(n=500, noise=1.0), 0.6)
    found = compare(makers(), [first], [later], reference="linear", seeds=(0, 1), plan=QUICK, horizons=(3,))
    by = {r.name: r for r in found}
    assert by["persistence"].mean == pytest.approx(0)
    assert by["linear"].gain == (0, 0, 0)
    assert 0 < by["linear"].mean < 1
    assert [len(by[n].per_seed) for n in ("linear", "gru")] == [1, 2]
    assert {r.errors.target.shape for r in found} == {by["linear"].errors.target.shape}
    assert by["linear"].horizons[3] > by["linear"].mean  # persistence fades faster than autoregression


def test_a_forecast_that_is_fed_back_follows_the_linear_recursion():
    recording = worm()
    model = WormLinear(LinearConfig(order=1), contract_for(recording, window=8)).fit([recording])
    batch = collate([recording.crop(0, 4)])
    weight = model.linear.weight[[slot_by_name()[n] for n in NAMES]].double()
    x = batch["calcium"].values[0, :, -1].double()
    for step in range(3):
        x = x + weight[:, 0] * x + weight[:, 1]
        np.testing.assert_allclose(forecast(model, batch, 3)[0, :, step], x, rtol=1e-4, atol=1e-5)


def test_leaving_a_laboratory_out_tests_on_neurons_and_worms_never_seen():
    worms = [worm(0), worm(1, names=(*NAMES[:8], "AVBR", "RIS")), worm(2)]
    found = leave_one_out({k: makers()[k] for k in ("persistence", "linear")}, worms, ["a", "b", "a"], reference="linear", plan=QUICK)  # fmt: skip
    assert set(found) == {"a", "b"}
    assert found["b"][1].mean > 0  # neurons that were never seen use the common weights
    assert found["b"][0].errors.names == (
        "AVAL",
        "AVAR",
        "RIML",
        "RIMR",
        "AIBL",
        "AVBL",
        "AVEL",
        "SMDVL",
        "AVBR",
        "RIS",
    )
    with pytest.raises(DataError, match="two groups or more"):
        leave_one_out(makers(), worms, ["a"] * 3, reference="linear")
    with pytest.raises(DataError, match="resample them first"):
        leave_one_out(makers(), [worms[0], worm(1, sfreq=3.0)], ["a", "b"], reference="linear")


def test_pretraining_goes_through_the_one_interface():
    recording = worm(n=200)
    contract = replace(contract_for(recording, window=16), normalise="zscore")
    model = makers()["transformer"](contract)
    history = nkfm.pretrain(model, [recording], steps=3, batch_tokens=400)
    assert history.steps[-1] if hasattr(history, "steps") else history


# ---- nulls


@pytest.mark.parametrize("kind", ["chemical", "gap-junction"])
@pytest.mark.parametrize("null", ["degree", "space"])
def test_rewired_graphs_keep_degrees_weights_and_lengths(kind, null):
    graph = graph_of("cook2019")
    weight, apart = graph.adjacency(kind).astype(float), distances(graph.channels.position)
    symmetric = kind == "gap-junction"
    made = rewire(weight, np.random.default_rng(0), kind=null, distance=apart, symmetric=symmetric)
    for axis in (0, 1):
        assert ((made != 0).sum(axis) == (weight != 0).sum(axis)).all()
    assert sorted(made[made != 0]) == sorted(weight[weight != 0])
    assert (np.diag(made) == np.diag(weight)).all()
    assert ((made != 0) & (weight != 0)).sum() < 0.3 * (weight != 0).sum()
    if symmetric:
        assert (made == made.T).all()
    length = [np.nanmean(apart[m != 0]) for m in (weight, made)]
    assert abs(length[1] / length[0] - 1) < 0.06 if null == "space" else length[1] > 1.4 * length[0]


def test_permuted_labels_keep_the_graph_and_nulls_say_what_they_need():
    weight = graph_of("white1986_whole").adjacency("chemical").astype(float)
    made = rewire(weight, np.random.default_rng(0), kind="labels")
    assert sorted((made != 0).sum(0)) == sorted((weight != 0).sum(0))
    with pytest.raises(ConfigError, match="needs the distances"):
        rewire(weight, np.random.default_rng(0), kind="space")
    with pytest.raises(ConfigError, match="one of 'degree', 'space', 'labels'"):
        rewire(weight, np.random.default_rng(0), kind="chaos")
    with pytest.raises(DataError, match="not symmetric"):
        rewire(weight, np.random.default_rng(0), symmetric=True)


# ---- structure and function


def test_transfer_finds_who_drives_whom():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2000))
    for t in range(1, 2000):
        x[1, t] += 0.8 * x[0, t - 1]
    recording = nkfm.from_array(x, sfreq=2.0, names=("AVAL", "AVBL", "RIS"), modality="calcium", unit="au")
    found = coupling(recording, order=2)
    assert found.transfer[0, 1] > 0.3
    assert max(found.transfer[1, 0], found.transfer[0, 2], found.transfer[2, 1]) < 0.02
    # half the log ratio of variances is the transfer entropy: 0.5 log(1 + 0.64) here
    assert found.transfer[0, 1] == pytest.approx(np.log(1.64), rel=0.1)


def test_agreement_is_found_where_it_was_planted_and_not_elsewhere():
    names = neurons().name[:60]
    recording = worm(names=names, n=1500)
    found = coupling(recording, order=1)
    planted = agreement(found, graph_of("cook2019"), connectome="cook2019", kind="chemical", measure="transfer", draws=40, nulls=("degree", "labels"))  # fmt: skip
    assert planted.rank > 0.1
    assert planted.nulls["degree"][2] < 0.05
    assert planted.area > 0.55
    shuffled = replace(found, transfer=np.random.default_rng(0).permutation(found.transfer.ravel()).reshape(60, 60))
    assert agreement(shuffled, graph_of("cook2019"), connectome="c", kind="chemical", measure="transfer", draws=20, nulls=("degree",)).nulls["degree"][2] > 0.05  # fmt: skip
    atlas = functional_agreement(found, graph_of("randi2023"), graph_of("cook2019"))
    assert set(atlas) == {"transfer", "correlation", "chemical", "gap-junction", "pairs"}


def test_a_graph_without_overlap_or_edges_is_refused():
    found = coupling(worm())
    graph = graph_of("cook2019")
    with pytest.raises(DataError, match="0 of 10 recorded neurons are nodes of strangers"):
        agreement(found, replace(graph, channels=nkfm.Channels.of([f"X{i}" for i in range(300)])), connectome="strangers", kind="chemical")  # fmt: skip
    with pytest.raises(DataError, match="no functional edge of cook2019"):
        agreement(found, graph, connectome="cook2019", kind="functional")
    broken = worm()
    broken["calcium"].data[2, 5] = np.nan
    with pytest.raises(DataError, match="traces of RIML hold NaN"):
        coupling(broken)


def test_neurons_are_ordered_by_type_then_class():
    names = ["AWCR", "17", "AVAR", "VB1", "AVAL", "M1"]
    assert [names[i] for i in by_class(names)] == ["AVAL", "AVAR", "VB1", "M1", "AWCR", "17"]
    assert type_of(names) == ["sensory", "unknown", "inter", "motor", "inter", "pharyngeal"]


# ---- the command


def test_the_command_compares_draws_and_saves(tmp_path):
    recording = worm(n=240)
    recording = recording.with_signal("connectome", graph_of("cook2019"))
    save_recording(recording, tmp_path / "worm.h5")
    line = ["wormgraph", str(tmp_path / "worm.h5"), "--models", "linear-coupled", "--seeds", "1", "--draws", "1",
            "--horizons", "2", "--report", str(tmp_path / "r.html"), "--save", str(tmp_path / "model"), "--json"]  # fmt: skip
    done = CliRunner().invoke(cli, line)
    assert done.exit_code == 0, done.output
    made = json.loads(done.output)
    assert [m["name"] for m in made["models"]] == ["persistence", "linear", "linear-coupled"]
    assert {a["connectome"] for a in made["structure"]} == {"connectome", "randi2023"}
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/svg+xml") == 8
    assert "Does activity follow the wiring?" in page
    assert nkfm.load_model(tmp_path / "model").name.startswith("worm-")
    assert CliRunner().invoke(cli, [*line[:2], "--models", "oracle"]).exit_code != 0


@pytest.mark.shared
def test_embed_and_states_take_a_joined_worm(shared, tmp_path):
    from nkfm_glmhmm.config import GlmHmmConfig
    from nkfm_glmhmm.model import GlmHmm
    from nkfm_glmhmm.recordings import contract_for as states_contract

    dataset = nkfm.datasets.load("celegans")(shared / "data/celegans/dag2023_2022-07-27-38-data.h5")
    recording = dataset[0]
    series = recording["calcium"]
    few = recording.with_signal("calcium", series.take(series.channels.rows(NAMES[:3])))
    model = WormTransformer(TransformerConfig(width=8, heads=2, encoding={"name": "fourier-4d", "freqs": 2}), contract_for(few))  # fmt: skip
    embedding = nkfm.embed(model, few)
    assert embedding.values.shape == (1444 // 32, 8)
    assert embedding.channels == NAMES[:3]
    config = GlmHmmConfig(n_states=2, family="gaussian", n_lags=2, max_iter=5)
    states = GlmHmm(config, states_contract(few, signal="calcium"))
    states.fit([few], restarts=1, graph=few["connectome"], graph_as="mask")
    found = states.states(few)
    assert found.posterior.shape == (1444, 2)
    assert np.isfinite(found.evidence)
