"""The published model's numbers: goldens in tests/goldens/glm_switching, within the tolerances stored beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nkfm_glmhmm import basis, gumbel
from nkfm_glmhmm.chain import posterior
from nkfm_glmhmm.choice import Choice, class_log_probabilities
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.em import Chain
from nkfm_glmhmm.families import FAMILIES
from nkfm_glmhmm.layout import Layout
from nkfm_glmhmm.links import LINKS
from nkfm_glmhmm.paths import predicted, viterbi
from nkfm_glmhmm.population import Population
from nkfm_glmhmm.priors import GaussianPrior, Ridge

GOLDENS = Path(__file__).parents[1] / "goldens" / "glm_switching"
pytestmark = pytest.mark.golden


def golden(name):
    return load_file(GOLDENS / f"{name}.safetensors"), json.loads((GOLDENS / f"{name}.json").read_text())["config"]


def near(found, wanted, rtol=1e-4, atol=1e-4):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ["forward_backward_a", "forward_backward_b"])
def test_posteriors_evidence_and_path(name):
    g, _ = golden(name)
    log_lik, a, pi = (g[f"input.{k}"].double().numpy() for k in ("emission_log_prob", "transition_matrix", "init_p"))
    layout = Layout.of([len(log_lik)])
    found = posterior(log_lik, layout, pi, a, pairs=True)
    for mine, theirs in ((found.gamma, "gamma"), (found.xi[1:], "xi"), (found.filtered, "filtered")):
        near(mine, g[f"output.{theirs}_f64"], rtol=0, atol=1e-9)
    near(found.gamma, g["output.gamma"], rtol=0, atol=5e-5)
    near(found.xi[1:], g["output.xi_scaling"], rtol=0, atol=5e-5)
    near(found.evidence[0], g["output.log_evidence_f64"], rtol=1e-10, atol=0)
    path, joint = viterbi(log_lik, layout, pi, a)
    assert (path == g["output.viterbi_f64"].numpy()).all()
    near(joint[0], g["output.viterbi_log_joint_f64"], rtol=1e-10)


def test_bases_and_causal_features():
    g, config = golden("basis_a")
    for c in config:
        key = f"{c['kind']}_{c['n_basis']}_{c['window']}_{c['width']}"
        mine = basis.raised_cosine(c["window"], c["n_basis"], spacing={"log": "log", "lin": "linear"}[c["kind"]])
        near(mine, g[f"output.basis.{key}"], rtol=0, atol=1e-5)
        x = g[f"input.counts.{key}"].double().numpy()[:, None]
        made, theirs = basis.convolve(x, mine, np.array([0, len(x)])), g[f"output.features.{key}"].numpy()
        defined = theirs != -9999
        near(made[defined], theirs[defined], rtol=0, atol=1e-5)
        assert defined[c["window"] :].all()


def trials_of(g, kernel):
    return Trials.of(list(g["input.spikes"].double().numpy()), basis=kernel)


@pytest.mark.parametrize("name", ["naive_basis_softplus_a", "naive_basis_sigmoid_b", "gaussian_basis_softplus_a", "gaussian_basis_sigmoid_b"])  # fmt: skip
def test_basis_model(name):
    g, config = golden(name)
    kernel = g["input.basis"].double().numpy()[:, None]
    near(basis.exponential(config["K"], config["decay"]), kernel)
    trials = trials_of(g, kernel)
    r, t = g["input.spikes"].shape[:2]
    near(trials.design.reshape(r, t, -1), g["output.convolved"])
    bias = g["model._bias"].double().expand(config["S"], config["N"])
    weights = torch.cat([g["model._weight"].double().mT, bias[:, None]], 1)  # (S, N + 1, N)
    eta = torch.cat([trials.design, torch.ones(r * t, 1)], 1) @ weights
    rates = LINKS[config["link"]](eta)
    near(rates.unflatten(1, (r, t)).transpose(0, 1), g["output.rates"])
    emission = Population(trials, FAMILIES["poisson"], LINKS[config["link"]], weights, Ridge(0.0))
    log_lik = emission.log_likelihood()
    near(log_lik.reshape(r, t, -1), g["output.log_emission"])
    a = g["model.transition_matrix"].double().numpy()
    initial = np.full(config["S"], 1 / config["S"])
    found = posterior(log_lik, trials.layout, initial, a, pairs=True)
    near(found.gamma.reshape(r, t, -1), g["output.gamma"])
    near(found.xi.reshape(r, t, config["S"], config["S"])[:, 1:], g["output.xi"])
    near(found.evidence, g["output.log_evidence_f64"])


def differentiable(name, eta):
    """The link without the in-place steps of the fast one, which gradients do not survive."""
    return torch.nn.functional.softplus(eta) if name == "softplus" else torch.sigmoid(eta) * (1 - 1e-8) + 1e-8


def basis_loss(g, config, weights, bias, trial, gamma, xi_sum):
    """Q of one trial as published, differentiable in weights and bias."""
    design = basis.convolve(g["input.spikes"][trial].double().numpy(), g["input.basis"].double().numpy()[:, None],
                            np.array([0, g["input.spikes"].shape[1]]))  # fmt: skip
    eta = torch.from_numpy(design) @ weights.mT + bias.expand(config["S"], config["N"])[:, None]
    log_lik = gumbel.poisson_log_likelihood(g["input.spikes"][trial].double(), differentiable(config["link"], eta))
    a = g["model.transition_matrix"].double()
    initial = torch.full((config["S"],), 1 / config["S"], dtype=torch.float64)
    return gumbel.expected_log_likelihood(log_lik, gamma, xi_sum, initial, a, as_published=True)


@pytest.mark.parametrize("name", ["naive_basis_softplus_a", "naive_basis_sigmoid_b", "gaussian_basis_softplus_a", "gaussian_basis_sigmoid_b"])  # fmt: skip
def test_basis_objectives_and_gradients(name):
    g, config = golden(name)
    weights = g["model._weight"].double().requires_grad_()
    bias = g["model._bias"].double().requires_grad_()
    for trial in reversed(range(config["R"])):
        gamma, xi = g["output.gamma"][trial].double(), g["output.xi"][trial].double().sum(0)
        q = basis_loss(g, config, weights, bias, trial, gamma, xi)
        near(q.detach(), g["output.expected_complete_ll"][trial])
    near(gumbel.floored_transitions(xi), g["output.transition_after_trial0"])
    loss = -q
    if name.startswith("gaussian"):
        sd = g["model.weight_prior_std"].double()
        prior = gumbel.gaussian_log_prior(weights, g["model.weight_prior_mean"].double(), sd)
        near(prior.detach(), g["output.weight_prior_ll"])
        loss = loss - prior
        near(weights.detach().mean(0), g["output.updated_prior_mean"])
        near(weights.detach().std(0).mean(), g["output.updated_prior_std"])
        mine = GaussianPrior(weights.detach().mT, float(sd), 0.0)
        near(mine.centre[0].T, g["output.updated_prior_mean"])
    near(loss.detach(), g["output.loss_trial0"], rtol=1e-4)
    loss.backward()
    near(weights.grad, g["output.grad_weight"])
    near(bias.grad, g["output.grad_bias"])


@pytest.mark.parametrize("name", ["naive_basis_softplus_a", "naive_basis_sigmoid_b", "gaussian_basis_softplus_a", "gaussian_basis_sigmoid_b"])  # fmt: skip
def test_the_published_training_run(name):
    """Two epochs of per-trial EM with three Adam steps a trial, as published: parameters and losses."""
    g, config = golden(name)
    weights = g["model._weight"].double().requires_grad_()
    bias = g["model._bias"].double().requires_grad_()
    g = dict(g)
    g["model.transition_matrix"] = g["model.transition_matrix"].double()
    gaussian = name.startswith("gaussian")
    adam = torch.optim.Adam([bias, weights], lr=0.01)
    initial = np.full(config["S"], 1 / config["S"])
    losses = []
    for _ in range(2):
        total = 0.0
        for trial in range(config["R"]):
            one = {**g, "input.spikes": g["input.spikes"][trial : trial + 1]}
            trials = trials_of(one, g["input.basis"].double().numpy()[:, None])
            full = torch.cat([weights.detach().mT, bias.detach().expand(config["S"], config["N"])[:, None]], 1)
            emission = Population(trials, FAMILIES["poisson"], LINKS[config["link"]], full, Ridge(0.0))
            found = posterior(emission.log_likelihood(), trials.layout, initial, g["model.transition_matrix"].numpy())
            gamma, xi = torch.from_numpy(found.gamma), torch.from_numpy(found.xi_sum)
            for _ in range(3):
                g["model.transition_matrix"] = gumbel.floored_transitions(xi)
                loss = -basis_loss(g, config, weights, bias, trial, gamma, xi)
                if gaussian:
                    sd = g["model.weight_prior_std"].double()
                    loss = loss - gumbel.gaussian_log_prior(weights, weights.detach().mean(0), sd)
                adam.zero_grad()
                loss.backward()
                adam.step()
            total += float(loss.detach())
        losses.append(total)
    near(weights.detach(), g["output.trained_weight"], rtol=0, atol=2e-3)
    near(bias.detach(), g["output.trained_bias"], rtol=0, atol=2e-3)
    near(g["model.transition_matrix"], g["output.trained_transition"], rtol=0, atol=2e-3)
    near(losses, g["output.train_loss"], rtol=1e-4)


@pytest.mark.parametrize("name", ["onehot_basis_softplus_a", "onehot_basis_sigmoid_b"])
def test_one_hot_basis_objectives(name):
    g, config = golden(name)
    prior = gumbel.adjacency_log_prior(g["model._adjacency"].double(), g["model._adjacency_prior"].double(), config["tau"], as_published=True)  # fmt: skip
    near(prior, g["output.adjacency_prior_ll"], rtol=2e-4)
    near(gumbel.entropy(g["model._adjacency"].double()), g["output.adjacency_entropy"], rtol=2e-4)
    assert (g["model._adjacency"].argmax(-1) - 1 == g["output.adjacency_index"]).all()
    near(gumbel.tamed(g["model._adjacency"] * 12), g["output.corrected_adjacency_x12"])
    near(gumbel.hard_weights(g["model._adjacency"], g["model._strength"]), g["output.weight_hard"])
    gamma, xi = g["output.gamma_softmax"].double(), g["output.xi_softmax"].double().sum(0)
    for kind in ("softmax", "gumbel_softmax", "hard"):
        logits, strength, table = (g[f"model.{k}"].double().requires_grad_() for k in ("_adjacency", "_strength", "_adjacency_prior"))  # fmt: skip
        noise = g["input.gumbel_noise"].double() if kind == "gumbel_softmax" else None
        weights = (gumbel.hard_weights(logits, strength) if kind == "hard"
                   else gumbel.relaxed_weights(logits, strength, noise=noise, temperature=config["weight_tau"]))  # fmt: skip
        near(weights.detach(), g[f"output.weight_{kind}"], rtol=2e-4, atol=2e-4)
        q = basis_loss(g, config, weights, g["model._bias"].double(), 0, gamma, xi)
        near(q.detach(), g[f"output.expected_complete_ll_{kind}"], rtol=2e-4)
        loss = -q - gumbel.adjacency_log_prior(logits, table, config["tau"], as_published=True)
        near(loss.detach(), g[f"output.loss_{kind}"], rtol=2e-5, atol=2e-4)
        if kind != "hard":
            loss.backward()
            for name_, value in (("adjacency", logits), ("strength", strength), ("adjacency_prior", table)):
                near(value.grad, g[f"output.grad_{name_}_{kind}"])


@pytest.mark.parametrize("name", ["naive_kernel_a", "naive_kernel_b"])
def test_kernel_code_naive(name):
    g, config = golden(name)
    s, n = config["S"], config["N"]
    kernels = g["model.conv.weight"].double().unflatten(0, (s, n)).requires_grad_()
    bias = g["model.conv.bias"].double().unflatten(0, (s, n)).requires_grad_()
    original = g["model.parametrizations.transition_matrix.original"].double().requires_grad_()
    spikes = g["input.spikes"].double()
    rates = torch.stack([gumbel.kernel_rates(x, kernels, bias) for x in spikes])
    near(rates.detach(), g["output.rates"])
    log_lik = gumbel.poisson_log_likelihood(spikes[0], rates[0])
    near(log_lik.detach(), g["output.log_emission"])
    a = original.softmax(-1)
    near(a.detach(), g["output.transition_matrix"])
    initial = np.full(s, 1 / s)
    layout = Layout.of([spikes.shape[1]])
    found = posterior(log_lik.detach().numpy(), layout, initial, a.detach().numpy(), pairs=True)
    near(found.gamma, g["output.gamma"])
    near(found.xi[1:], g["output.xi"])
    near(found.evidence[0], g["output.log_evidence_f64"])
    gamma, xi = torch.from_numpy(found.gamma), torch.from_numpy(found.xi_sum)
    q = gumbel.expected_log_likelihood(log_lik, gamma, xi, torch.from_numpy(initial), a, as_published=True)
    q = q / spikes.shape[1]
    near(q.detach(), g["output.expected_log_prob_per_bin"])
    (-q).backward()
    for mine, key in ((kernels, "conv_weight"), (bias, "conv_bias"), (original, "transition_original")):
        near(mine.grad.reshape(g[f"output.grad_{key}"].shape), g[f"output.grad_{key}"])


@pytest.mark.parametrize("size", ["a", "b"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_kernel_code_one_hot(kind, size):
    g, c = golden(f"onehot_kernel_{kind}_{size}")
    s, n, lags = c["S"], c["N"], c["K"]
    p = {k.removeprefix("model."): v.double().requires_grad_() for k, v in g.items() if k.startswith("model.") and v.dtype != torch.bool}  # fmt: skip
    logits, strength = (p[f"parametrizations.{k}.original"] for k in ("adjacency", "strength"))
    hard = gumbel.hard_weights(logits, strength)
    train = gumbel.relaxed_weights(logits, strength, noise=g["input.gumbel_noise"].double(), temperature=c["train_gumbel_tau"])  # fmt: skip
    near(hard.detach(), g["output.weight_eval"], rtol=2e-4, atol=2e-4)
    near(train.detach(), g["output.weight_train"], rtol=2e-4, atol=2e-4)

    def rates(weights, x):
        kernels = (weights * g["model.diag_mask"].double())[..., None] * p[
            "parametrizations.conv_weight.original"
        ].softmax(-1)
        if "diag.weight" in p:
            own = p["diag.weight"][:, 0]
            own = own.reshape(n, s, lags).transpose(0, 1) if len(own) == n * s else own.expand(s, n, lags)
            kernels = kernels + torch.eye(n)[None, :, :, None] * own[:, :, None]
        return gumbel.kernel_rates(x, kernels, p["bias"])

    spikes = g["input.spikes"].double()
    near(torch.stack([rates(hard, x) for x in spikes]).detach(), g["output.rates_eval"], rtol=2e-4, atol=2e-4)
    made = rates(train, spikes[0])
    near(made.detach(), g["output.rates_train_trial0"], rtol=2e-4, atol=2e-4)
    a = p["parametrizations.transition_matrix.original"].softmax(-1)
    initial = np.full(s, 1 / s)
    layout = Layout.of([spikes.shape[1]])
    losses = []
    for basis_rates in (made, rates(hard, spikes[0])):  # posterior of which mode: the one whose gamma is stored
        log_lik = gumbel.poisson_log_likelihood(spikes[0], basis_rates)
        found = posterior(log_lik.detach().numpy(), layout, initial, a.detach().numpy())
        losses.append((float(np.abs(found.gamma - g["output.gamma"].numpy()).max()), found))
    gap, found = min(losses, key=lambda item: item[0])
    assert gap < 2e-4
    gamma, xi = torch.from_numpy(found.gamma), torch.from_numpy(found.xi_sum)
    log_lik = gumbel.poisson_log_likelihood(spikes[0], made)
    q = gumbel.expected_log_likelihood(log_lik, gamma, xi, torch.from_numpy(initial), a, as_published=True)
    near(q.detach() / spikes.shape[1], g["output.expected_log_prob_per_bin"], rtol=2e-4, atol=2e-4)
    table = p["logit_adjacency_prior"]
    chosen = c["adjacency_distribution"] == "categorical"
    prior = ((logits.softmax(-1) * table.log_softmax(-1)).sum() if chosen
             else gumbel.adjacency_log_prior(logits, table, c["prior_tau"], as_published=False))  # fmt: skip
    near(prior.detach(), g["output.adjacency_log_prob"], rtol=2e-4, atol=2e-4)
    near(gumbel.entropy(logits).detach(), g["output.adjacency_entropy"], rtol=2e-4, atol=2e-4)
    loss = -q / spikes.shape[1] - prior + (gumbel.entropy(logits) if chosen else 0)
    near(loss.detach(), g["output.loss"], rtol=2e-4, atol=2e-4)
    loss.backward()
    for key, value in p.items():
        near(value.grad, g[f"output.grad.{key}"], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", ["behaviour_glmhmm_a", "behaviour_glmhmm_b"])
def test_behavioural_model(name):
    g, c = golden(name)
    x, y = g["input.x"].numpy(), g["input.y"].numpy()
    weights = g["model.Wk"].mT  # (S, M, C - 1)
    log_p = class_log_probabilities(weights, torch.from_numpy(x.reshape(-1, c["M"])))
    log_lik = log_p.gather(2, torch.from_numpy(y.reshape(1, -1, 1)).expand(c["S"], -1, -1))[..., 0].T.numpy()
    exact = {"rtol": 1e-7, "atol": 1e-9}
    near(log_lik.reshape(c["R"], c["T"], -1), g["output.log_emission"], **exact)
    layout = Layout.of([c["T"]] * c["R"])
    initial, a = g["model.log_pi0"].exp().numpy(), g["model.transition_matrix"].numpy()
    initial = initial / initial.sum()
    found = posterior(log_lik, layout, initial, a, pairs=True)
    shape = (c["R"], c["T"], -1)
    near(found.gamma.reshape(shape), g["output.gamma"], **exact)
    near(found.xi.reshape(c["R"], c["T"], c["S"], c["S"]).sum(1), g["output.xi_sum"], **exact)
    near(found.evidence, g["output.log_evidence"], **exact)
    near(predicted(found.filtered, layout, initial, a).reshape(shape), g["output.predicted"], **exact)
    assert (viterbi(log_lik, layout, initial, a)[0].reshape(y.shape) == g["output.viterbi"].numpy()).all()
    chain = Chain(initial, a, concentration=c["alpha"], stickiness=c["kappa"])
    near(chain.updated(found, layout, None).transitions, g["output.mstep_transition_matrix"], **exact)
    base = np.exp(g["model.log_Ps"].numpy())
    driven = Chain(initial, base, input_weights=g["model.Ws"].numpy()).matrices(x[0])
    near(np.log(driven[1:]), g["output.input_driven_log_transitions"], **exact)
    one = posterior(log_lik[: c["T"]], Layout.of([c["T"]]), initial, driven)
    near(one.gamma, g["output.input_driven_gamma0"], **exact)
    near(one.evidence, g["output.input_driven_log_evidence0"], **exact)
    trials = Trials.of(list(y[..., None].astype(float)), covariates=list(x))
    start = torch.cat([weights, weights.new_zeros(c["S"], 1, c["C"] - 1)], 1)
    choice = Choice(trials, start, Ridge(c["prior_sigma"] ** -2))
    choice.design[:, -1] = 0  # the golden's intercept is one of its covariates
    for _ in range(20):
        choice.step(found.gamma)
    near(choice.weights[:, :-1].mT, g["output.mstep_Wk"], rtol=0, atol=2e-3)
