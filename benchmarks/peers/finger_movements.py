"""The other side of `benchmarks/finger_movements.py`, run by an interpreter that has aeon or braindecode.

    python finger_movements.py TRIALS.npz SEEDS

Trains every method that this interpreter has on the training trials, prints its predictions of the test trials as JSON: method to
one list a seed. Nothing is tuned: the settings below were fixed before the first run.
"""

import importlib.util
import json
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")

EPOCHS, BATCH, RATE, DECAY = 100, 32, 1e-3, 1e-2
"""Of the networks: AdamW, no early stopping."""


def of_aeon(x, y, new, seeds):
    """Random convolutions with a ridge classifier (the packages' defaults), and the nearest neighbour under warping."""
    from aeon.classification.convolution_based import MiniRocketClassifier, RocketClassifier
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    nearest = KNeighborsTimeSeriesClassifier(distance="dtw", n_neighbors=1)
    yield "1-NN, dependent DTW (aeon)", [nearest.fit(x, y).predict(new).tolist()]
    for name, kind in (("ROCKET (aeon)", RocketClassifier), ("MiniRocket (aeon)", MiniRocketClassifier)):
        yield name, [kind(random_state=seed).fit(x, y).predict(new).tolist() for seed in range(seeds)]


def of_braindecode(x, y, new, seeds):
    """Two small convolutional networks, channels standardised by the training trials."""
    from braindecode.models import EEGNet, ShallowFBCSPNet

    mean, std = x.mean((0, 2), keepdims=True), x.std((0, 2), keepdims=True)
    names, target = np.unique(y, return_inverse=True)
    sizes = {"n_chans": x.shape[1], "n_outputs": len(names), "n_times": x.shape[2]}
    makers = {
        "EEGNet (braindecode)": lambda: EEGNet(**sizes),
        # the published pooling over 75 samples is longer than a trial: a third of it
        "ShallowFBCSPNet (braindecode)": lambda: ShallowFBCSPNet(**sizes, pool_time_length=25, pool_time_stride=5),
    }
    for name, make in makers.items():
        said = [trained(make, (x - mean) / std, target, (new - mean) / std, seed) for seed in range(seeds)]
        yield name, [names[row].tolist() for row in said]


def trained(make, x, target, new, seed):
    """Train one network from one seed; the class of each new trial."""
    import torch

    torch.manual_seed(seed)
    network = make()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    x, new = (torch.as_tensor(part, dtype=torch.float32) for part in (x, new))
    target = torch.as_tensor(target)
    for _ in range(EPOCHS):
        network.train()
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[rows]), target[rows]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return network(new).argmax(1).numpy()


def main(trials, seeds):
    found = {}
    with np.load(trials, allow_pickle=False) as file:
        x, y, new = (file[name] for name in ("x", "y", "new"))
    for package, run in (("aeon", of_aeon), ("braindecode", of_braindecode)):
        if importlib.util.find_spec(package):
            for name, said in run(x, y, new, seeds):
                found[name] = said
                print(name, "done", file=sys.stderr, flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
