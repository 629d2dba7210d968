"""What nkfm-tiny is worth: hidden sensors beside interpolation, linear probes beside untrained weights and plain methods.

    python benchmarks/tiny_probes.py                  # all tasks
    python benchmarks/tiny_probes.py --only caps --seeds 5

*Filling in*: 55 % of the patches of simulated people, hidden in blocks of 3 cm (the model's own masks), predicted from the
others; mean absolute error in standard deviations.

*Trials*: FingerMovements in the split its authors gave, as published and with its electrodes put back in order. One test
set, so the interval is a bootstrap over its trials; for the untrained network, the mean of several initialisations.

*Caps*: simulated hand movements, a linear classifier trained on people with one cap and tested on other people with
another cap (or another MEG helmet). Nothing is tuned here: penalties come from cross-validation by person within the
training part. Each seed simulates everybody anew; the interval is Student's t over seeds. Caps share no electrode, so
everything is brought to the same 19 places of the 10-20 system (MEG: 19 coils of the training helmet, spread out):
features of the networks by a mean over the tokens around each place (`neurokit_fm.nn.pooling.pool_at`), signals for band
power and tangent space by spherical splines (EEG) or by the same weighted mean (MEG). The tangent space is taken at each
person's own mean covariance (without labels), as is usual across people; the mean over everybody is worse.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import stats
from scipy.special import eval_legendre

import neurokit_fm as nkfm
from neurokit_fm.batch.collate import collate
from neurokit_fm.nn.pooling import pool_at
from neurokit_fm.probing import baselines, labelled_windows
from neurokit_fm.probing.classify import fit_predict
from neurokit_fm.probing.plain_methods import log_band_power, tangent_space
from neurokit_fm.report.reconstruction import Grid, plain_predictions
from neurokit_fm.training.sampling import Budget, Cut

TASKS = {
    "biosemi64 -> GSN-HydroCel-64": (("biosemi64",), (), ("GSN-HydroCel-64_1.0",), ()),
    "10-20 -> biosemi128": (("10-20",), (), ("biosemi128",), ()),
    "KIT 157 -> CTF 151": ((), ("kit157",), (), ("ctf151",)),
}
TRAIN_SUBJECTS, TEST_SUBJECTS, FIRST_SEED = 8, 8, 9000
"""Seeds of the training corpora are 101 to 103."""

FILLED = ("10-20", "biosemi64", "biosemi128", "biosemi256", "kit157", "neuromag306")
FILL_SEED, FILL_WINDOWS = 4712, 8


def untrained(model: Any, seed: int) -> Any:
    """The same network with other random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(model)(model.config, model.contract).eval()


def simulated(caps: tuple[str, ...], meg: tuple[str, ...], subjects: int, seed: int) -> Any:
    config = {"montages": list(caps), "meg": list(meg), "subjects": subjects, "sessions": 1, "test_subjects": 0}
    config |= {"duration_s": 120.0, "sfreq": 128.0, "trial_s": 1.0}
    return nkfm.datasets.load("simulated")(config, seed=seed)


class People:
    """Labelled trials of several people, prepared after the model's contract."""

    def __init__(self, dataset: Any, contract: Any):
        self.contract = contract
        self.parts = []
        for person, recording in enumerate(dataset):
            series = contract.apply(recording).series(contract.modality)[1]
            bounds, labels = labelled_windows(recording, dataset.label_of, series, contract.min_window_s)
            self.parts.append((str(person), series, bounds, labels))
        self.y = np.array([label for *_, labels in self.parts for label in labels])
        self.groups = np.array([person for person, *_, labels in self.parts for _ in labels])

    def features(self, model: Any, places: torch.Tensor) -> np.ndarray:
        """Of the network at the places, (N, P*D)."""
        budget, rows = Budget(model, self.contract.modality, 4096), []
        with torch.inference_mode():
            for _, series, bounds, _ in self.parts:
                for cuts in budget.split([Cut(series, int(a), int(b)) for a, b in bounds]):
                    out = model(budget.batch(cuts))
                    rows.append(pool_at(out.tokens, out.mask, out.coords, places).flatten(1).numpy())
        return np.concatenate(rows)

    def signals(self, places: np.ndarray, spline: bool) -> np.ndarray:
        """At the places, (N, P, T)."""
        rows = []
        for _, series, bounds, _ in self.parts:
            matrix = (splines if spline else kernels)(series.channels.position, places)  # (P, C)
            rows += [matrix @ series.read(int(a), int(b)) for a, b in bounds]
        return np.stack(rows).astype(np.float64)


def kernels(sensors: np.ndarray, places: np.ndarray, radius_m: float = 0.03) -> np.ndarray:
    weight = np.exp(-0.5 * (np.linalg.norm(places[:, None] - sensors[None], axis=2) / radius_m) ** 2)
    return weight / weight.sum(axis=1, keepdims=True)


def splines(sensors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Weights of spherical splines (Perrin et al. 1989), order 4, 50 terms, a ridge of 1e-5 as in MNE."""
    centre = np.array([0.0, 0.0, 0.04])  # of the sphere, head frame
    unit = [(x - centre) / np.linalg.norm(x - centre, axis=1, keepdims=True) for x in (sensors, places)]

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cosine = np.clip(a @ b.T, -1, 1)
        return sum((2 * n + 1) / (n * (n + 1)) ** 4 / (4 * np.pi) * eval_legendre(n, cosine) for n in range(1, 51))

    n = len(sensors)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = kernel(unit[0], unit[0]) + 1e-5 * np.eye(n)
    system[n, n] = 0.0
    right = np.column_stack([kernel(unit[1], unit[0]), np.ones(len(places))])
    return (right @ np.linalg.pinv(system))[:, :n]


def spread(points: np.ndarray, count: int) -> np.ndarray:
    """Points far from each other, the highest first."""
    chosen = [int(points[:, 2].argmax())]
    while len(chosen) < count:
        chosen.append(int(np.linalg.norm(points[:, None] - points[chosen][None], axis=2).min(axis=1).argmax()))
    return points[chosen]


def own_tangent(x: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Tangent vectors of trials (N, P, T) at each person's own mean covariance."""
    rows = {name: tangent_space(x[people == name], x[people == name][:1])[0] for name in np.unique(people)}
    out = np.empty((len(x), next(iter(rows.values())).shape[1]))
    for name, vectors in rows.items():
        out[people == name] = vectors
    return out


def filling_table(model: Any) -> dict[str, Any]:
    """Print and return the error of filling in hidden patches, three people a cap."""
    table: dict[str, Any] = {}
    plain = ("spherical spline", "nearest channel", "zero")
    print(f"\n| sensors | nkfm-tiny | {' | '.join(plain)} |\n|---|---|{'---|' * len(plain)}")
    for sensors in FILLED:
        meg = sensors in ("kit157", "neuromag306")
        config = {"montages": [] if meg else [sensors], "meg": [sensors] if meg else [], "subjects": 3, "sessions": 1}
        config |= {"test_subjects": 0, "duration_s": 40.0, "sfreq": 128.0}
        found: dict[str, list[float]] = {name: [] for name in ("nkfm-tiny", *plain)}
        for recording in nkfm.datasets.load("simulated")(config, seed=FILL_SEED):
            ready = model.contract.apply(recording)
            _, series = ready.series(model.contract.modality)
            starts = np.linspace(series.start, series.stop, FILL_WINDOWS, endpoint=False)
            batch = collate([ready.crop(start, start + 1) for start in starts])
            with torch.inference_mode():
                grid = Grid.of(model.reconstruct(batch, generator=torch.Generator().manual_seed(0)))
            found["nkfm-tiny"].append(grid.error())
            guesses = plain_predictions(grid)
            for name in plain:
                found[name].append(grid.error(guesses[name]))
        table[sensors] = {name: float(np.mean(errors)) for name, errors in found.items()}
        print(f"| {sensors} | {' | '.join(f'{error:.3f}' for error in table[sensors].values())} |", flush=True)
    return table


def balanced(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean([(predicted[truth == name] == name).mean() for name in np.unique(truth)]))


def caps_once(model: Any, task: str, seed: int) -> dict[str, float]:
    """Balanced accuracy of each method in one simulated world."""
    contract = model.contract
    caps, meg, other_caps, other_meg = TASKS[task]
    train = People(simulated(caps, meg, TRAIN_SUBJECTS, seed), contract)
    test = People(simulated(other_caps, other_meg, TEST_SUBJECTS, seed + 500), contract)
    if meg:
        places = spread(train.parts[0][1].channels.position, 19)
    else:
        template = People(simulated(("10-20",), (), 1, 1), contract)
        places = template.parts[0][1].channels.position
    where = torch.as_tensor(places, dtype=torch.float32)
    signals = [people.signals(places, spline=not meg) for people in (train, test)]
    sfreq = contract.sfreq
    ways: dict[str, Callable[[], tuple[Any, Any, str]]] = {
        "nkfm-tiny": lambda: (train.features(model, where), test.features(model, where), "ridge"),
        "same network, untrained": lambda: (
            *[p.features(untrained(model, seed), where) for p in (train, test)],
            "ridge",
        ),
        "log band power": lambda: (*[log_band_power(x, sfreq) for x in signals], "ridge"),
        "covariance tangent space": lambda: (
            *[own_tangent(x, p.groups) for x, p in zip(signals, (train, test), strict=True)],
            "ridge",
        ),
    }
    found = {}
    for name, make in ways.items():
        x, x_test, head = make()
        said, _ = fit_predict(head, x, train.y, train.groups, x_test, 0)
        found[name] = balanced(test.y, np.array(said.names)[said.decision.argmax(1)])
    return found


def caps_table(model: Any, seeds: int) -> dict[str, Any]:
    """Print and return mean and interval over seeds of every task and method."""
    table: dict[str, Any] = {}
    print("\n| task | method | balanced accuracy, mean | 95% interval over seeds | seeds |\n|---|---|---|---|---|")
    for task in TASKS:
        runs = [caps_once(model, task, FIRST_SEED + seed) for seed in range(seeds)]
        for name in runs[0]:
            values = np.array([run[name] for run in runs])
            half = stats.t.ppf(0.975, seeds - 1) * values.std(ddof=1) / np.sqrt(seeds)
            table[f"{task}: {name}"] = {"mean": values.mean(), "half": half, "values": values.tolist()}
            low, high = values.mean() - half, values.mean() + half
            print(f"| {task} | {name} | {values.mean():.3f} | {low:.3f} to {high:.3f} | {seeds} |", flush=True)
    return table


def trials_table(model: Any, seeds: int) -> dict[str, Any]:
    """Print and return balanced accuracy on the given test trials."""
    table: dict[str, Any] = {}
    print("\n| data | method | balanced accuracy | 95% interval over test trials | p |\n|---|---|---|---|---|")
    for name in ("finger-movements", "finger-movements-repaired"):
        train, test = nkfm.split(nkfm.datasets.load(name)(), by="given")
        scores = [nkfm.probe(model, train, test, name="nkfm-tiny").scores[0]]
        random = [nkfm.probe(untrained(model, s), train, test).scores[0] for s in range(seeds)]
        rows = [("nkfm-tiny", scores[0])] + [(s.method, s) for s in baselines(train, test)]
        for method, score in rows:
            table[f"{name}: {method}"] = {
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "p": score.p_value,
            }
            print(
                f"| {name} | {method} | {score.value:.3f} | {score.low:.3f} to {score.high:.3f} | {score.p_value:.3f} |"
            )
        values = np.array([score.value for score in random])
        half = stats.t.ppf(0.975, seeds - 1) * values.std(ddof=1) / np.sqrt(seeds)
        table[f"{name}: untrained"] = {"mean": values.mean(), "half": half, "values": values.tolist()}
        words = f"{values.mean() - half:.3f} to {values.mean() + half:.3f} (over {seeds} initialisations)"
        print(f"| {name} | same network, untrained | {values.mean():.3f} | {words} | |", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nkfm-tiny")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["filling", "trials", "caps"])
    parser.add_argument("--json", help="also write the numbers here")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = nkfm.load_model(given.model)
    found = {}
    if given.only in (None, "filling"):
        found["filling"] = filling_table(model)
    if given.only in (None, "trials"):
        found["trials"] = trials_table(model, given.seeds)
    if given.only in (None, "caps"):
        found["caps"] = caps_table(model, given.seeds)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
