"""CPU time of one EM iteration of the switching GLM beside other packages, from the same start on the same problem.

    python benchmarks/glmhmm_speed.py --peers PYTHON [--ssm FOLDER] [--published FOLDER] [--neurons 20 100] [--scaling]

PYTHON is an interpreter in which dynamax, hmmlearn, nemos (>= 0.2.9) and, for ssm, autograd are installed; FOLDER holds a
built checkout of github.com/lindermanlab/ssm, and the folder `hmmglm` of github.com/JerrySoybean/onehot-hmmglm, whose
basis code takes 50 Adam steps a trial. A package that cannot be imported is left out, and said so.

Problem: a softplus-Poisson network, 20 trials of 1000 bins, 3 states, one exponential basis over 10 lags (F = N + 1), no
prior on the weights. Every package starts from the same weights and transitions and runs in a process of its own, with one
thread; packages take turns, `--rounds` times. The table gives the median over rounds of the mean CPU seconds of an
iteration (compilation and loading left out), the median ratio within a round, and the float64 log-likelihood per bin of
the final parameters, computed by one evaluator. ssm and dynamax have no population Poisson GLM: the classes below add one,
with the M-steps of the packages (L-BFGS; 50 steps of Adam, as is dynamax's default, in float64). nemos fits one neuron at
a time: its row is one neuron of the N, from its own start.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

LAGS, TRIALS, BINS = 10, 20, 1000


def problem(neurons, trials=TRIALS, bins=BINS, states=3, seed=0):
    """Counts, covariates, a start, and the true parameters."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(states, neurons, neurons)) * (rng.random((states, neurons, neurons)) < 0.3)
    weights *= 2 / np.sqrt(neurons)
    bias = 0.5 * rng.normal(size=(states, neurons)) - 0.5
    stay = np.full((states, states), 0.02 / (states - 1))
    np.fill_diagonal(stay, 0.98)
    kernel = np.exp(-np.arange(1, LAGS + 1.0))
    kernel /= kernel.sum()
    x = np.zeros((trials, LAGS + bins, neurons))
    design = np.zeros((trials, bins, neurons))
    z = rng.integers(states, size=trials)
    for t in range(bins):
        z = np.array([rng.choice(states, p=stay[k]) for k in z])
        h = np.einsum("rkn,k->rn", x[:, t : t + LAGS], kernel[::-1])
        design[:, t] = h
        eta = bias[z] + np.einsum("rnm,rm->rn", weights[z], h)
        x[:, LAGS + t] = np.minimum(rng.poisson(np.logaddexp(0, eta)), 20)
    start_w = 0.1 * rng.normal(size=(states, neurons, neurons))
    return {
        "x": x[:, LAGS:], "design": design, "w0": start_w, "b0": np.full((states, neurons), -0.3),
        "a0": np.full((states, states), 0.01) + 0.97 * np.eye(states), "w": weights, "b": bias, "a": stay,
    }  # fmt: skip


def evidence(p, w, b, a, pi):
    """Float64 log-likelihood per bin of given parameters, by a plain forward recursion in logarithms."""
    from scipy.special import gammaln, logsumexp

    total = 0.0
    for x, h in zip(p["x"], p["design"], strict=True):
        f = np.logaddexp(0, np.einsum("tm,snm->stn", h, w) + b[:, None])
        lik = (x * np.log(f) - f - gammaln(x + 1)).sum(-1).T
        alpha = np.log(pi) + lik[0]
        for row in lik[1:]:
            alpha = row + logsumexp(alpha[:, None] + np.log(a), axis=0)
        total += logsumexp(alpha)
    return total / p["x"].shape[0] / p["x"].shape[1]


def timed(step, n):
    """CPU seconds of each of `n` calls."""
    spent = []
    for _ in range(n):
        begin = time.process_time()
        step()
        spent.append(time.process_time() - begin)
    return spent


def run_ours(p, n):
    import torch

    from nkfm_glmhmm.design import Trials
    from nkfm_glmhmm.em import Chain, Run
    from nkfm_glmhmm.families import FAMILIES
    from nkfm_glmhmm.layout import Layout
    from nkfm_glmhmm.links import LINKS
    from nkfm_glmhmm.population import Population
    from nkfm_glmhmm.priors import Ridge

    torch.set_num_threads(1)
    r, t, _ = p["x"].shape
    layout = Layout.of([t] * r)
    trials = Trials(x=torch.from_numpy(p["x"].reshape(r * t, -1)), design=torch.from_numpy(p["design"].reshape(r * t, -1)),
                    seen=np.ones(r * t, dtype=bool), layout=layout)  # fmt: skip
    weights = torch.from_numpy(np.concatenate([p["w0"].swapaxes(1, 2), p["b0"][:, None]], 1))
    states = len(weights)
    chain = Chain(np.full(states, 1 / states), p["a0"], concentration=1.0)
    run = Run(Population(trials, FAMILIES["poisson"], LINKS["softplus"], weights, Ridge(0.0)), chain, layout)
    box = [run.e_step()]

    def step():
        run.emission.step(box[0].gamma)
        run.chain = run.chain.updated(box[0], layout, None)
        box[0] = run.e_step()

    spent = timed(step, n)
    w = run.emission.weights.numpy()
    return spent, w[:, :-1].swapaxes(1, 2), w[:, -1], run.chain.transitions, run.chain.initial


def run_ssm(p, n):
    import autograd.numpy as anp
    import ssm
    from autograd.scipy.special import gammaln
    from ssm.observations import Observations

    class PoissonGlm(Observations):
        def __init__(self, k, d, m):
            super().__init__(k, d, m)
            self.w, self.b = p["w0"].copy(), p["b0"].copy()

        @property
        def params(self):
            return self.w, self.b

        @params.setter
        def params(self, value):
            self.w, self.b = value

        def log_likelihoods(self, data, input, mask, tag):
            eta = anp.dot(input, anp.reshape(self.w, (-1, self.M)).T).reshape((len(data), self.K, self.D)) + self.b
            f = anp.logaddexp(0, eta)
            return anp.sum(data[:, None] * anp.log(f) - f - gammaln(data[:, None] + 1), axis=2)

    s, neurons = p["w0"].shape[:2]
    model = ssm.HMM(s, neurons, M=neurons, observations="poisson", transitions="stationary")
    model.observations = PoissonGlm(s, neurons, neurons)
    model.transitions.log_Ps = np.log(p["a0"])
    model.init_state_distn.log_pi0 = np.full(s, -np.log(s))
    datas, inputs = list(p["x"]), list(p["design"])

    def step():
        model.fit(datas, inputs=inputs, method="em", num_iters=1, initialize=False, verbose=0,
                  observations_mstep_kwargs={"optimizer": "lbfgs"})  # fmt: skip

    spent = timed(step, n)
    return spent, model.observations.w, model.observations.b, model.transitions.transition_matrix, model.init_state_distn.initial_state_distn  # fmt: skip


def run_dynamax(p, n):
    import jax

    jax.config.update("jax_enable_x64", True)
    from functools import partial
    from typing import NamedTuple

    import jax.numpy as jnp
    import optax
    from dynamax.hidden_markov_model import hmm_smoother
    from dynamax.hidden_markov_model.models.abstractions import HMMEmissions
    from dynamax.parameters import ParameterProperties
    from jax.scipy import special

    class Glm(NamedTuple):
        w: object
        b: object

    class PoissonGlm(HMMEmissions):
        num_states = p["w0"].shape[0]
        emission_shape = (p["w0"].shape[1],)

        def distribution(self, params, state, inputs=None):
            raise NotImplementedError

        def initialize(self, key=None, method="prior", **kwargs):
            raise NotImplementedError

        def log_prior(self, params):
            return 0.0

        def _compute_conditional_logliks(self, params, emissions, inputs=None):
            f = jax.nn.softplus(jnp.einsum("tm,snm->tsn", inputs, params.w) + params.b)
            x = emissions[:, None]
            return (x * jnp.log(f) - f - special.gammaln(x + 1)).sum(-1)

    emissions = PoissonGlm(m_step_optimizer=optax.adam(1e-2), m_step_num_iters=50)
    props = Glm(ParameterProperties(), ParameterProperties())
    x, h = jnp.asarray(p["x"]), jnp.asarray(p["design"])

    @jax.jit
    def e_step(params, a, pi):
        def one(xr, hr):
            post = hmm_smoother(pi, a, emissions._compute_conditional_logliks(params, xr, hr))
            return post.smoothed_probs, post.trans_probs

        return jax.vmap(one)(x, h)

    @partial(jax.jit)
    def m_step(params, gamma, state):
        return emissions.m_step(params, props, (gamma, x, h), state, scale=x.size)

    params = Glm(jnp.asarray(p["w0"]), jnp.asarray(p["b0"]))
    s = len(p["w0"])
    box = [params, jnp.asarray(p["a0"]), jnp.full(s, 1 / s), emissions.initialize_m_step_state(params, props)]

    def step():
        params, a, pi, state = box
        gamma, xi = e_step(params, a, pi)
        params, state = m_step(params, gamma, state)
        xi = xi.sum(0)
        xi = xi.sum(0) if xi.ndim == 3 else xi
        box[:] = [params, xi / xi.sum(1, keepdims=True), gamma[:, 0].mean(0), state]
        jax.block_until_ready(box[0].w)

    kept = list(box)
    step()  # compiles
    box[:] = kept
    spent = timed(step, n)
    return spent, np.array(box[0].w), np.array(box[0].b), np.array(box[1]), np.array(box[2])


def run_nemos(p, n):
    import jax

    jax.config.update("jax_enable_x64", True)
    import nemos

    x = p["design"].reshape(-1, p["design"].shape[2])
    y = p["x"].reshape(-1, p["x"].shape[2])[:, 0]
    model = nemos.glm_hmm.GLMHMM(n_states=len(p["w0"]), observation_model="Poisson", maxiter=n, tol=1e-12)
    model.fit(x, y)
    model = nemos.glm_hmm.GLMHMM(n_states=len(p["w0"]), observation_model="Poisson", maxiter=n, tol=1e-12)
    begin = time.process_time()
    model.fit(x, y)
    return [(time.process_time() - begin) / n] * n, None, None, None, None


def run_published(p, n):
    import torch
    from hmmglm.deprecated import distributions, model, nonlinearities

    torch.set_num_threads(1)
    states, neurons = p["w0"].shape[:2]
    x, design = torch.from_numpy(p["x"]).float(), torch.from_numpy(p["design"]).float()
    poisson, softplus = distributions.Poisson(), nonlinearities.Softplus()
    net = model.NaiveHMMGLM(states, neurons, torch.ones(LAGS), poisson, softplus)
    net._bias = torch.nn.Parameter(torch.from_numpy(p["b0"]).float())  # one intercept a state, as in the problem
    net._weight.data = torch.from_numpy(p["w0"]).float()
    net.transition_matrix.data = torch.from_numpy(p["a0"]).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)

    def step():
        for counts, history in zip(x, design, strict=True):
            gamma, xi = net.forward_backward(counts, history, algorithm="logsumexp")
            for _ in range(50):
                loss = -net.m_step(counts, history, gamma, xi)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    spent = timed(step, n)
    w, b, a = (t.detach().double().numpy() for t in (net.weight, net.bias, net.transition_matrix))
    return spent, w, b, a, np.full(states, 1 / states)


WORKERS = {"ours": run_ours, "ssm": run_ssm, "dynamax": run_dynamax, "nemos": run_nemos, "published": run_published}


def recursion(p, interpreter):
    """Forward-backward with posteriors and pair sums alone: ours beside hmmlearn's compiled code, milliseconds."""
    from nkfm_glmhmm.chain import posterior
    from nkfm_glmhmm.layout import Layout

    rng = np.random.default_rng(0)
    log_lik = 10 * rng.normal(size=(TRIALS * BINS, 3))
    a, pi = np.full((3, 3), 0.01) + 0.97 * np.eye(3), np.full(3, 1 / 3)
    ours = {}
    for name, lengths in (("20 x 1000", [BINS] * TRIALS), ("1 x 20000", [BINS * TRIALS])):
        layout = Layout.of(lengths)
        posterior(log_lik, layout, pi, a)
        ours[name] = 1e3 * np.median(timed(lambda layout=layout: posterior(log_lik, layout, pi, a), 30))
    code = """
import time, numpy as np
from hmmlearn import _hmmc
rng = np.random.default_rng(0); L = 10 * rng.normal(size=(20000, 3)); a = np.full((3, 3), .01) + .97 * np.eye(3); pi = np.full(3, 1 / 3)
def one(L):
    top = L.max(1, keepdims=True); e = np.exp(L - top)
    _, f, c = _hmmc.forward_scaling(pi, a, e); b = _hmmc.backward_scaling(pi, a, e, c)
    g = f * b; g /= g.sum(1, keepdims=True); _hmmc.compute_scaling_xi_sum(f, a, b, e)
for size in (1000, 20000):
    spent = []
    for _ in range(30):
        t = time.process_time()
        for i in range(0, 20000, size): one(L[i:i + size])
        spent.append(time.process_time() - t)
    print(1e3 * np.median(spent))
"""
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)
    theirs = done.stdout.split() if done.returncode == 0 else ["-", "-"]
    print("\nRecursion alone, 20,000 bins, 3 states, CPU ms (ours: plain numpy)")
    for (name, mine), other in zip(ours.items(), theirs, strict=False):
        print(f"  {name:12s} ours {mine:6.2f}   hmmlearn {float(other) if other != '-' else np.nan:6.2f}")


def call(name, path, n, out, interpreter, folders):
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [folders.get(name), env.get("PYTHONPATH")]))
    line = [
        sys.executable if name in ("ours", "published") else interpreter,
        __file__,
        "--worker",
        name,
        str(path),
        str(n),
        str(out),
    ]
    return subprocess.run(line, capture_output=True, text=True, env=env, check=False)


def compare(neurons, arguments, folder):
    p = problem(neurons)
    path = folder / f"{neurons}.npz"
    np.savez(path, **p)
    truth = evidence(p, p["w"], p["b"], p["a"], np.full(3, 1 / 3))
    print(
        f"\nN = {neurons}, M = {TRIALS * BINS}, S = 3, F = {neurons + 1}; true parameters {truth:.4f} nats/bin",
        flush=True,
    )
    iterations = {
        "ours": 20,
        "ssm": 8 if neurons < 50 else 3,
        "dynamax": 20 if neurons < 50 else 6,
        "nemos": 10,
        "published": 5 if neurons < 50 else 2,
    }
    folders = {"ssm": arguments.ssm, "published": arguments.published}
    seconds, ends = {}, {}
    for _ in range(arguments.rounds):
        for name in arguments.packages:
            out = folder / f"{name}.npz"
            done = call(name, path, iterations[name], out, arguments.peers, folders)
            if done.returncode:
                ends[name] = done.stderr.strip().splitlines()[-1][:100] if done.stderr.strip() else "failed"
                continue
            made = np.load(out)
            seconds.setdefault(name, []).append(float(np.mean(made["spent"])))
            ends[name] = (
                evidence(p, made["w"], made["b"], made["a"], made["pi"]) if "w" in made else np.nan,
                float(made["spent"].sum()), len(made["spent"]),
            )  # fmt: skip
    for name in arguments.packages:
        if name not in seconds:
            print(f"  {name:8s} not measured: {ends.get(name)}")
            continue
        ratio = np.median(np.array(seconds[name]) / np.array(seconds["ours"][: len(seconds[name])]))
        value, total, n = ends[name]
        print(f"  {name:8s} {np.median(seconds[name]):8.4f} CPU s/iteration  {ratio:6.1f} x ours   {n:3d} iterations "
              f"{total:7.2f} CPU s  {value:.4f} nats/bin", flush=True)  # fmt: skip


def scaling():
    print("\nScaling of ours, CPU ms per iteration (median of 10)")
    for neurons, trials in ((10, 20), (20, 5), (20, 20), (20, 80), (50, 20), (100, 20), (200, 10)):
        p = problem(neurons, trials=trials, bins=BINS)
        print(
            f"  N {neurons:4d}  M {trials * BINS:6d}  F {neurons + 1:4d}: {1e3 * np.median(run_ours(p, 10)[0]):8.1f}",
            flush=True,
        )
    p = problem(20)
    for bases in (1, 3, 5, 10):
        wide = dict(p)
        wide["design"] = np.concatenate([np.roll(p["design"], k, axis=1) for k in range(bases)], 2)
        wide["w0"] = np.tile(p["w0"], (1, 1, bases)) / bases
        print(f"  N   20  M  20000  F {20 * bases + 1:4d}: {1e3 * np.median(run_ours(wide, 10)[0]):8.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--ssm", default="")
    parser.add_argument("--published", default="")
    parser.add_argument("--neurons", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packages", nargs="+", default=list(WORKERS))
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        which, where, count, target = given.worker
        found = WORKERS[which](dict(np.load(where)), int(count))
        keys = ("spent", "w", "b", "a", "pi")
        np.savez(target, **{k: v for k, v in zip(keys, found, strict=True) if v is not None})
        sys.exit(0)
    print(json.dumps({"python": sys.version.split()[0], "numpy": np.__version__}))
    with tempfile.TemporaryDirectory() as name:
        for size in given.neurons:
            compare(size, given, Path(name))
        recursion(None, given.peers)
    if given.scaling:
        scaling()
