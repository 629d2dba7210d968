"""Properties of the switching GLM: EM never goes down, odd data, masks, chains, saving."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import neurokit_fm as nkfm
from neurokit_fm import Channels, Graph, PointProcess, PointsContract, Recording, TimeSeries
from neurokit_fm.batch.collate import collate
from neurokit_fm.errors import ConfigError, ContractError, DataError
from neurokit_fm.testing import fake_recording
from nkfm_glmhmm import align, basis, structure
from nkfm_glmhmm.chain import posterior, posterior_in_logs
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.fit import fit, resume
from nkfm_glmhmm.layout import Layout
from nkfm_glmhmm.model import GlmHmm
from nkfm_glmhmm.newton import direction
from nkfm_glmhmm.paths import draw, dwell_bins, viterbi
from nkfm_glmhmm.recordings import contract_for
from nkfm_glmhmm.select import select_states
from nkfm_glmhmm.synthetic import switching_network

FAMILIES = [
    ("poisson", "softplus"), ("poisson", "exp"), ("poisson", "sigmoid"), ("bernoulli", ""),
    ("gaussian", ""), ("negative-binomial", "softplus"),
]  # fmt: skip


def trials(family="poisson", n_bins=(150, 80, 1, 3), neurons=4, seed=0):
    rng = np.random.default_rng(seed)
    made = {
        "poisson": lambda t: rng.poisson(rng.gamma(1.0, 1.0, (t, 1)) * 0.8, (t, neurons)),
        "negative-binomial": lambda t: rng.poisson(rng.gamma(1.0, 1.0, (t, 1)) * 0.8, (t, neurons)),
        "bernoulli": lambda t: rng.random((t, neurons)) < 0.3,
        "gaussian": lambda t: rng.standard_normal((t, neurons)).cumsum(0) * 0.3,
    }[family]
    return Trials.of([made(t).astype(float) for t in n_bins], basis=basis.exponential(5))


def config(**settings):
    return GlmHmmConfig(**{"n_states": 3, "max_iter": 25, "tolerance": 0.0, **settings})


@pytest.mark.parametrize(("family", "link"), FAMILIES)
@pytest.mark.parametrize("prior", ["none", "gaussian", "one-hot"])
@pytest.mark.parametrize("shared", [False, True])
def test_em_never_lowers_the_penalised_log_likelihood(family, link, prior, shared):
    fitted = fit(
        trials(family), config(family=family, link=link, prior=prior, shared_bias=shared, max_iter=12), restarts=1
    )
    steps = np.diff(fitted.trace)
    assert len(steps) > 3
    assert steps.min() > -1e-9 * abs(fitted.trace[0])
    if shared:
        assert (fitted.weights[:, -1] == fitted.weights[:1, -1]).all()


@pytest.mark.parametrize("seed", range(4))
def test_em_is_monotone_with_masks_sticky_priors_and_driven_transitions(seed):
    rng = np.random.default_rng(seed)
    data = trials(seed=seed)
    data = replace(data, inputs=rng.standard_normal((len(data.x), 2)), seen=rng.random(len(data.x)) < 0.8)
    settings = config(n_inputs=2, stickiness=5.0, concentration=1.5, self_coupling=False, max_iter=10)
    fitted = fit(data, settings, restarts=1, mask=rng.random((4, 4)) < 0.6, seed=seed)
    assert np.diff(fitted.trace).min() > -1e-9 * abs(fitted.trace[0])
    assert (fitted.weights[:, :4].diagonal(dim1=1, dim2=2) == 0).all()


def test_one_state_reaches_the_optimum_of_the_convex_problem():
    data = trials(n_bins=(400,))
    fitted = fit(data, config(n_states=1, max_iter=200, tolerance=1e-12), restarts=1)
    w = fitted.weights[0].clone().requires_grad_()
    x = torch.cat([data.design, torch.ones(400, 1)], 1)
    f = torch.nn.functional.softplus(x @ w)
    loss = (f - data.x * f.log()).sum() + 0.5 * w[:-1].square().sum() + 0.5e-3 * w[-1].square().sum()
    loss.backward()
    assert w.grad.abs().max() < 1e-3


@pytest.mark.parametrize("family", ["poisson", "gaussian", "bernoulli", "negative-binomial"])
def test_silent_neurons_constant_inputs_and_twins_stay_finite(family):
    rng = np.random.default_rng(0)
    x = (rng.random((200, 4)) < 0.3).astype(float)
    x[:, 1], x[:, 3] = 0, x[:, 2]
    data = Trials.of([x], basis=basis.exponential(3), covariates=[np.ones((200, 2))])
    fitted = fit(data, config(family=family, n_covariates=2, n_states=2), restarts=2)
    assert torch.isfinite(fitted.weights).all()
    assert fitted.weights.abs().max() < 60
    assert np.isfinite(fitted.trace).all()


def test_more_states_than_the_data_hold_are_warned_about_or_harmless():
    data = Trials.of([np.ones((6, 1)), np.ones((1, 1))], basis=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fewer states")
        fitted = fit(data, config(n_states=5, basis="none"), restarts=1)
    assert np.isfinite(fitted.trace).all()
    np.testing.assert_allclose(fitted.chain.transitions.sum(1), 1)


@pytest.mark.parametrize("lengths", [[1], [1, 2, 3, 50, 1], [300], [60] * 3, [7] * 20])
@pytest.mark.parametrize("n_states", [1, 2, 4])
@pytest.mark.parametrize("driven", [False, True])
def test_the_chunked_recursion_equals_the_one_in_logarithms(lengths, n_states, driven):
    rng = np.random.default_rng(len(lengths))
    layout = Layout.of(lengths)
    log_lik = 30 * rng.standard_normal((layout.n_bins, n_states))
    shape = (layout.n_bins, n_states) if driven else (n_states,)
    a, pi = rng.dirichlet(np.full(n_states, 0.3), size=shape), rng.dirichlet(np.full(n_states, 0.3))
    a, pi = (np.maximum(p, 1e-12) for p in (a, pi))
    a, pi = a / a.sum(-1, keepdims=True), pi / pi.sum()
    fast = posterior(log_lik, layout, pi, a)
    slow = posterior_in_logs(log_lik, layout, pi, a)
    for name in ("gamma", "filtered", "xi_sum", "evidence"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(fast.gamma.sum(1), 1)
    np.testing.assert_allclose(fast.filtered.sum(1), 1)


def test_forbidden_transitions_fall_back_to_logarithms_and_impossible_trials_are_errors():
    log_lik = np.zeros((40, 2))
    log_lik[:, 1] = 900.0  # the chain starts in state 0 and may never leave it
    stay, first = np.eye(2), np.array([1.0, 0.0])
    found = posterior(log_lik, Layout.of([40]), first, stay)
    np.testing.assert_allclose(found.gamma[:, 0], 1)
    np.testing.assert_allclose(found.evidence, 0, atol=1e-12)
    with pytest.raises(DataError, match="trial 0 is impossible"):
        posterior(log_lik, Layout.of([40]), first, np.array([[0.0, 1.0], [1.0, 0.0]]) * 0)
    with pytest.raises(DataError, match="not masked"):
        posterior(np.full((3, 2), np.nan), Layout.of([3]), first, stay)


def test_masked_bins_have_no_influence_and_the_state_goes_on():
    data = trials(n_bins=(60, 40))
    settings = config(n_states=2)
    fitted = fit(data, settings, restarts=2)
    hidden = data.seen.copy()
    hidden[10:20] = False
    one = replace(data, seen=hidden)
    other = replace(one, x=torch.where(torch.from_numpy(hidden)[:, None], data.x, torch.full_like(data.x, 7.0)))
    a, b = (resume(d, settings, fitted).e_step() for d in (one, other))
    np.testing.assert_allclose(a.gamma, b.gamma)
    np.testing.assert_allclose(a.evidence, b.evidence)
    x = data.x.numpy().copy()
    x[10:20] = np.nan
    again = Trials.of([x[:60], x[60:]], basis=basis.exponential(5))
    assert (again.seen == hidden).all()


def test_history_never_crosses_a_trial_and_excludes_the_present():
    x = np.zeros((6, 1))
    x[2] = 1
    h = basis.convolve(x, basis.exponential(2), np.array([0, 3, 6]))[:, 0]
    assert (h == 0).all()
    h = basis.convolve(x, basis.exponential(2), np.array([0, 6]))[:, 0]
    np.testing.assert_allclose(h, [0, 0, 0, *basis.exponential(2)[:, 0], 0])


def test_trials_of_any_order_and_split_give_the_same_evidence():
    data = trials(n_bins=(50, 30, 20))
    fitted = fit(data, config(n_states=2), restarts=1)
    whole = resume(data, config(n_states=2), fitted).e_step().evidence
    turned = resume(data.take([2, 0, 1]), config(n_states=2), fitted).e_step().evidence
    np.testing.assert_allclose(turned, whole[[2, 0, 1]])


def test_both_solvers_of_the_step_agree():
    rng = torch.Generator().manual_seed(0)
    root = torch.randn((2, 6, 6), generator=rng, dtype=torch.float64)
    gram, scale = root @ root.mT, torch.rand((2, 3), generator=rng, dtype=torch.float64) + 0.5
    gradient = torch.randn((2, 6, 3), generator=rng, dtype=torch.float64)
    one = direction(gram, scale, gradient, torch.tensor(2.0, dtype=torch.float64), 0.1, None, True)
    each = direction(gram, scale, gradient, torch.full((2, 5, 3), 2.0, dtype=torch.float64), 0.1, None, True)
    np.testing.assert_allclose(one, each, rtol=1e-6)


def test_alignment_dwell_times_and_path():
    layout = Layout.of([5, 3])
    path = np.array([0, 0, 1, 1, 1, 1, 0, 0])
    assert [d.tolist() for d in dwell_bins(path, layout, 2)] == [[2, 2], [3, 1]]
    assert align.state_accuracy(1 - path, path, 2) == 1
    weights = np.random.default_rng(0).standard_normal((3, 2, 2))
    assert align.align_weights(weights[[2, 0, 1]], weights).tolist() == [2, 0, 1]
    a = np.array([[0.9, 0.1], [0.2, 0.8]])
    drawn = draw(2000, np.array([1.0, 0.0]), a, np.random.default_rng(0))
    assert drawn[0] == 0
    assert abs((drawn == 0).mean() - 2 / 3) < 0.06
    log_lik = np.where(np.arange(2)[None] == drawn[:, None], 0.0, -20.0)
    assert (viterbi(log_lik, Layout.of([2000]), np.array([0.5, 0.5]), a)[0] == drawn).all()


def recovered(fitted, net, held_out):
    path = resume(held_out, GlmHmmConfig(n_states=3, link="sigmoid"), fitted).e_step().gamma.argmax(1)
    truth = np.concatenate(net.states[len(net.states) - len(held_out) :])
    order = np.argsort(align.align_paths(path, truth, 3))
    found = fitted.weights[torch.from_numpy(order), :-1].mT.numpy()
    return align.state_accuracy(path, truth, 3), np.corrcoef(found.ravel(), net.weights.ravel())[0, 1]


def test_a_switching_network_is_recovered_and_the_one_hot_prior_pays():
    net = switching_network(1, n_neurons=10, n_states=3, n_trials=8, n_bins=1000)
    data = Trials.of(net.counts, basis=net.basis)
    train, held_out = data.take([0, 1, 2]), data.take([3, 4, 5, 6, 7])
    correlation = {}
    for prior in ("none", "one-hot"):
        settings = GlmHmmConfig(n_states=3, link="sigmoid", prior=prior)
        fitted = fit(train, settings, restarts=4)
        accuracy, correlation[prior] = recovered(fitted, net, held_out)
        assert accuracy > 0.8
    assert correlation["one-hot"] > correlation["none"] + 0.005
    assert fitted.table.shape == (10, 10, 3)
    np.testing.assert_allclose(fitted.table.sum(-1), 1)


def test_cross_validation_prefers_the_true_number_of_states():
    net = switching_network(2, n_neurons=8, n_states=2, n_trials=8, n_bins=400)
    curve = select_states(Trials.of(net.counts, basis=net.basis), GlmHmmConfig(link="sigmoid", max_iter=30), [1, 2, 3], folds=2, restarts=2)  # fmt: skip
    assert curve.fewest == 2
    assert curve.held_out.shape == (3, 2)
    with pytest.raises(DataError, match="Cut long trials"):
        select_states(Trials.of(net.counts[:1], basis=net.basis), GlmHmmConfig(), [1], folds=2)


@pytest.mark.parametrize("layout", ["points", "series"])
@pytest.mark.parametrize("prior", ["none", "one-hot"])
def test_fit_forward_loss_and_saving_agree(layout, prior, tmp_path):
    rec = (fake_recording("points", duration_s=20) if layout == "points"
           else fake_recording("series", modality="calcium", duration_s=40, sfreq=5))  # fmt: skip
    family = "poisson" if layout == "points" else "gaussian"
    model = GlmHmm(GlmHmmConfig(n_states=2, family=family, prior=prior, max_iter=10), contract_for(rec, bin_s=0.05))
    with pytest.raises(ConfigError, match="not been fitted"):
        model.states(rec)
    model.fit([rec], restarts=1)
    found = model.states(rec)
    batch = collate([model.contract.apply(rec)] * 2)
    features = model(batch)
    assert features.mask.all()
    np.testing.assert_allclose(features.tokens[1], found.posterior, atol=1e-6)
    np.testing.assert_allclose(features.tokens.sum(-1), 1, atol=1e-5)
    assert float(model.loss(batch).total) == pytest.approx(-found.evidence)
    assert model.score([rec]) == pytest.approx(found.evidence)
    model.save_pretrained(tmp_path / "m")
    loaded = nkfm.load_model(tmp_path / "m")
    assert loaded.contract == model.contract
    np.testing.assert_array_equal(loaded.states(rec).posterior, found.posterior)
    x, path = loaded.sample(30, seed=1)
    assert x.shape == (30, 8)
    assert path.shape == (30,)


def test_padding_and_channel_order_change_nothing():
    rec = fake_recording("points", duration_s=10)
    model = GlmHmm(GlmHmmConfig(n_states=2, max_iter=5), contract_for(rec, bin_s=0.05)).fit([rec], restarts=1)
    alone = model(collate([model.contract.apply(rec.crop(0, 4))]))
    both = model(collate([model.contract.apply(r) for r in (rec, rec.crop(0, 4))]))
    n = alone.tokens.shape[1]
    np.testing.assert_allclose(both.tokens[1, :n], alone.tokens[0], atol=1e-6)
    assert not both.mask[1, n:].any()
    assert (both.tokens[1, n:] == 0).all()
    points = rec["spikes"]
    turned = replace(points, channels=points.channels.take(np.arange(8)[::-1]), source=7 - points.source)
    np.testing.assert_allclose(model.states(rec.with_signal("spikes", turned)).posterior, model.states(rec).posterior)


def test_the_points_contract_says_what_is_wrong():
    rec = fake_recording("points", duration_s=2)
    contract = PointsContract(channels=("unit001", "ghost"), bin_s=0.05)
    with pytest.raises(ContractError, match="1 of 2 sources are missing: ghost"):
        contract.require(rec)
    assert "found 0" in str(contract.check(fake_recording("series"))[0])
    assert "longest recorded stretch" in str(PointsContract(bin_s=5.0).check(rec)[0])
    assert "counted in bins of 0.02 s" in PointsContract().explain(rec)
    with pytest.raises(ConfigError, match="bin_s must be in"):
        PointsContract(bin_s=0.0)


def test_spikes_in_several_stretches_are_trials():
    points = PointProcess(
        times=np.array([0.01, 0.06, 5.01]), source=np.array([0, 1, 1]), channels=Channels.of(["a", "b"], kind="neuron"),
        support=np.array([[0.0, 1.0], [5.0, 5.5], [6.0, 6.01]]),
    )  # fmt: skip
    rec = Recording(signals={"spikes": points})
    model = GlmHmm(GlmHmmConfig(n_states=1), contract_for(rec, bin_s=0.05))
    data = model.trials([rec])
    assert data.layout.lengths.tolist() == [20, 10]
    assert data.x.sum(0).tolist() == [1, 2]


def test_covariates_of_a_recording_enter_and_missing_ones_are_named():
    rec = fake_recording("points", duration_s=10, n_channels=3)
    extra = TimeSeries(data=np.linspace(0, 1, 100)[None], sfreq=10.0, channels=Channels.of(["speed"], kind="misc"))
    model = GlmHmm(GlmHmmConfig(n_states=2, n_covariates=1, max_iter=4), contract_for(rec, bin_s=0.05))
    with pytest.raises(DataError, match="needs a time series 'covariates' of 1 channels"):
        model.fit([rec])
    data = model.trials([rec.with_signal("covariates", extra)])
    assert data.design.shape == (200, 4)
    np.testing.assert_allclose(data.design[:, 3], np.repeat(extra.data[0], 2))


def test_a_graph_is_a_mask_or_a_prior_by_neuron_name():
    rec = fake_recording("points", duration_s=20, n_channels=4)
    names = ["unit002", "unit001", "unit003", "elsewhere"]
    graph = Graph(edges=np.array([[0, 1], [1, 2]]), weight=np.array([1.0, -1.0], dtype=np.float32), kind=np.zeros(2, dtype=np.int64),
                  kinds=("chemical",), channels=Channels.of(names, kind="neuron"))  # fmt: skip
    edges, known = structure.wiring(graph, ["unit001", "unit002", "unit003", "unit004"])
    assert edges[0, 1] == 1
    assert edges[2, 0] == -1
    assert known.sum() == 9
    contract = contract_for(rec, bin_s=0.05)
    masked = GlmHmm(GlmHmmConfig(n_states=2, max_iter=5), contract).fit([rec], graph=graph, graph_as="mask", restarts=1)
    assert (masked.couplings()[:, 1, 0] == 0).all()
    assert (masked.couplings()[:, 0, 1] != 0).any()
    prior = GlmHmm(GlmHmmConfig(n_states=2, prior="one-hot", max_iter=5), contract).fit([rec], graph=graph, restarts=1)
    table = prior.fitted.table  # [source, target]
    assert table[1, 0, 1] < table[0, 1, 1]
    with pytest.raises(ConfigError, match="needs prior='one-hot'"):
        GlmHmm(GlmHmmConfig(), contract).fit([rec], graph=graph)
    assert (
        structure.agreement(np.array([[0.0, 2.0], [1.0, 0.0]]), np.array([[0, 1], [0, 0]]), np.ones((2, 2), bool)) == 1
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_states": 0}, "n_states, n_lags and max_iter"),
        ({"family": "gamma"}, "family must be one of"),
        ({"family": "bernoulli", "link": "exp"}, "goes with the links sigmoid"),
        ({"prior": "one-hot", "basis": "none"}, "needs a basis"),
        ({"basis": "given"}, "rows of the same number of lags"),
        ({"basis": "given", "given_basis": ((1.0, 0.5), (1.0,))}, r"rows of \[1, 2\] lags"),
        ({"given_basis": ((1.0, 0.5),)}, "goes with basis='given'"),
        ({"concentration": 0.5}, "concentration must be >= 1"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        GlmHmmConfig(**settings)


def test_observations_of_the_wrong_kind_are_named():
    data = Trials.of([np.full((20, 2), -1.0)], basis=basis.exponential(5))
    with pytest.raises(DataError, match="counts must not be negative"):
        fit(data, GlmHmmConfig(n_states=1))
    with pytest.raises(DataError, match="observations must be 0 or 1"):
        fit(trials("gaussian"), GlmHmmConfig(n_states=1, family="bernoulli"))
    with pytest.raises(DataError, match="no trial holds a bin"):
        Trials.of([])


def test_the_command_writes_states_couplings_and_a_page(tmp_path):
    from neurokit_fm.data.store import save_recording
    from nkfm_glmhmm.command import states

    save_recording(fake_recording("points", duration_s=12, n_channels=4), tmp_path / "in.h5")
    args = [str(tmp_path / "in.h5"), "--model", "glm-hmm", "--states", "2", "--prior", "one-hot", "--bin", "0.05", "--restarts", "1",
            "--select", "2-2", "-o", str(tmp_path / "out"), "--report", str(tmp_path / "page.html")]  # fmt: skip
    done = CliRunner().invoke(states, args, catch_exceptions=False)
    assert done.exit_code == 0
    assert "2 states" in done.output
    page = (tmp_path / "page.html").read_text()
    for title in ("States over time", "Couplings", "Global structure", "Transitions", "How many states"):
        assert title in page
    assert nkfm.load_model(tmp_path / "out").config.n_states == 2
    assert (tmp_path / "out" / "states.h5").exists()
