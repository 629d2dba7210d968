"""How fast batches come out of a corpus, what packing saves, and whether memory stays where it is.

    python benchmarks/corpus.py                     # about 1.3 GB in a temporary folder, removed afterwards
    python benchmarks/corpus.py reading             # only one part: reading, packing or memory

reading: windows/s of `Batches` (64 channels, 256 Hz, 4 s; 10 recordings of 10 minutes; random order; one process with its
prefetch thread; page cache warm), each epoch beside one of the reference: windows read in order from a window-major
memory map into one reused array, in the same process. ratio = Batches / reference, the median epoch over all processes.
braindecode (EEGWindowsDataset over FIF files, preload=False) and torch_brain (Dataset over HDF5, lazy) appear where they
are installed.

packing: real tokens/s of forward and backward passes of a small Transformer over a corpus of 4 to 128 channels and
windows of 2 to 30 s. padded = the same windows, shuffled into batches of as many windows as a packed batch has on average,
padded to the largest, masked. Both see every window once, so the loss per token must be equal.

memory: private memory of the process (RssAnon) after each epoch.
"""

import argparse
import gc
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import store
import torch
from torch import nn

from neurokit_fm import Dataset, SeriesContract, from_array
from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.corpus.batches import Batches
from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.corpus.prepare import prepare
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.nn.blocks import TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoder, TokenEncoderConfig

RECORDINGS, PER_RECORDING = 10, store.MINUTES * 60 // store.WINDOW_S
SIZES = [(channels, window_s) for channels in (4, 8, 19, 32, 64, 128) for window_s in (2, 5, 10, 30)]
SFREQ, WIDTH, PER_SIZE = 100, 64, 4


def as_is(sfreq, window_s):
    """A contract that leaves the samples as they are."""
    return SeriesContract(sfreq=float(sfreq), window_s=float(window_s), normalise="none")


def dataset(name, count, open_one):
    return Dataset(name=name, table=[{}] * count, open=open_one, licence="none", citation="none")


def prepare_reading(folder, with_peers):
    store.write_files(folder, RECORDINGS, with_peers)
    mapped = np.memmap(folder / "map.f32", np.float32, "r").reshape(-1, store.CHANNELS, store.LENGTH)

    def recording(i):
        x = mapped[i * PER_RECORDING : (i + 1) * PER_RECORDING].swapaxes(0, 1).reshape(store.CHANNELS, -1)
        return from_array(np.asarray(x), sfreq=store.SFREQ, names=store.NAMES)

    for dtype in ("float32", "int16"):
        prepare(dataset("walk", RECORDINGS, recording), as_is(store.SFREQ, store.WINDOW_S), folder / dtype, dtype=dtype)


def loaders(folder):
    """Name to (function that goes once through, windows)."""
    total = RECORDINGS * PER_RECORDING
    every = {}

    def ours(name, dtype, **options):
        batches = Batches(
            folder / dtype, batch_tokens=store.BATCH, tokens_of=lambda c, t: 1, seed=os.getpid(), **options
        )

        def epoch():
            for batch in batches:
                batch["eeg"].values[0, 0, 0]

        every[name] = epoch, total

    ours("Batches float32", "float32")
    ours("Batches float32, mixed=False", "float32", mixed=False)
    ours("Batches float32, prefetch=False", "float32", prefetch=False)
    ours("Batches int16", "int16")
    if importlib.util.find_spec("braindecode") is not None:
        lazy = store.braindecode(folder)
        rng = np.random.default_rng(os.getpid())
        every["braindecode EEGWindowsDataset, lazy FIF"] = (
            (lambda: lazy(rng.permutation(total)[: total // 5])),
            total // 5,
        )
    if importlib.util.find_spec("torch_brain") is not None:
        every["torch_brain Dataset, lazy HDF5"] = torch_brain(folder), total // 5
    return every


def torch_brain(folder):
    """Random windows through its Dataset, each a lazy slice of one HDF5 file a recording."""
    import h5py
    from torch_brain.data import Data, Interval, RegularTimeSeries
    from torch_brain.datasets import Dataset as BrainDataset
    from torch_brain.datasets import DatasetIndex

    mapped = np.memmap(folder / "map.f32", np.float32, "r").reshape(-1, store.CHANNELS, store.LENGTH)
    domain = Interval(0.0, float(store.MINUTES * 60))
    root = folder / "brain"
    if not root.exists():
        root.mkdir()
        for i in range(RECORDINGS):
            x = mapped[i * PER_RECORDING : (i + 1) * PER_RECORDING].swapaxes(1, 2).reshape(-1, store.CHANNELS)
            data = Data(eeg=RegularTimeSeries(signal=x, sampling_rate=store.SFREQ), domain=domain)
            with h5py.File(root / f"r{i}.h5", "w") as file:
                data.to_hdf5(file)
    ids = [f"r{i}" for i in range(RECORDINGS)]
    brain = BrainDataset(root, recording_ids=ids)
    rng = np.random.default_rng(os.getpid())

    def epoch():
        for i in rng.permutation(RECORDINGS * PER_RECORDING)[: RECORDINGS * PER_RECORDING // 5]:
            start = float(i % PER_RECORDING * store.WINDOW_S)
            window = brain[DatasetIndex(ids[i // PER_RECORDING], start, start + store.WINDOW_S)].eeg.signal
            assert window.shape == (store.LENGTH, store.CHANNELS), window.shape

    return epoch


def measure_reading(folder, epochs):
    mapped = np.asarray(np.memmap(folder / "map.f32", np.float32, "r").reshape(-1, store.CHANNELS, store.LENGTH))
    buffer = np.zeros((store.CHANNELS, store.LENGTH), np.float32)

    def reference():
        for window in mapped:
            np.copyto(buffer, window)

    def rate(epoch, count):
        start = time.perf_counter()
        epoch()
        return count / (time.perf_counter() - start)

    rows = []
    for name, (epoch, count) in loaders(folder).items():
        for number in range(epochs + 1):
            beside = rate(reference, len(mapped))
            mine = rate(epoch, count)
            if number:
                rows.append({"name": name, "rate": mine, "ratio": mine / beside, "reference": beside})
    return rows


def reading(folder, processes, epochs):
    prepare_reading(folder, importlib.util.find_spec("braindecode") is not None)
    rows = []
    for process in range(processes):
        command = [sys.executable, __file__, "--child", str(folder), "--epochs", str(epochs)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows += [{**row, "process": process} for row in json.loads(output.splitlines()[-1])]
    print(f"{'loader':42} {'windows/s':>10} {'ratio':>7} {'(processes)':>15}")
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        each = [np.median([r["ratio"] for r in mine if r["process"] == p]) for p in range(processes)]
        rate, ratio = np.median([r["rate"] for r in mine]), np.median([r["ratio"] for r in mine])
        print(f"{name:42} {rate:10,.0f} {ratio:7.3f} {f'{min(each):.3f}-{max(each):.3f}':>15}")
    print(f"{'reference: memory map in order':42} {np.median([r['reference'] for r in rows]):10,.0f} {1:7.3f}")


def tokens_of(channels, samples):
    return channels * (samples // SFREQ)


class Small(nn.Module):
    """Patches through a Transformer; predicts each patch from its token."""

    def __init__(self, pack):
        super().__init__()
        transformer = TransformerConfig(width=WIDTH, depth=2, heads=2, head_dim=32)
        self.encoder, self.pack = TokenEncoder(TokenEncoderConfig(transformer=transformer), SFREQ), pack
        self.to_raw = nn.Linear(WIDTH, SFREQ)

    def forward(self, batch):
        """Sum of squared errors over real tokens, and how many there are."""
        stream = batch["eeg"]
        features = self.encoder(stream, pack=self.pack)
        raw = self.encoder.tokenizer.cut(stream).values[features.mask]  # (K, w)
        return ((self.to_raw(features.tokens[features.mask]) - raw) ** 2).mean(-1).sum(), len(raw)


def make_mixed(folder, per_size):
    def opener(window_s):
        def open_one(i):
            channels = sorted({c for c, _ in SIZES})[i]
            rng = np.random.default_rng(channels)
            x = 20e-6 * rng.standard_normal((channels, per_size * window_s * SFREQ), dtype=np.float32)
            positions = 0.09 * rng.standard_normal((channels, 3))
            return from_array(
                x, sfreq=SFREQ, names=[f"E{k}" for k in range(channels)], positions=positions, frame="head"
            )

        return open_one

    contract = SeriesContract(sfreq=float(SFREQ), window_s=30.0)
    return [
        prepare(dataset(f"w{w}", len({c for c, _ in SIZES}), opener(w)), contract, folder / f"w{w}", window_s=w)
        for w in sorted({w for _, w in SIZES})
    ]


def packing(folder, rounds):
    corpora = make_mixed(folder, PER_SIZE)
    options = {"batch_tokens": 4096, "tokens_of": tokens_of, "seed": 0}
    plan = [len(batch) for batch in Batches(corpora, **options)]
    size = max(1, round(sum(plan) / len(plan)))
    stored = [corpus.open(shard) for corpus in corpora for shard in corpus.shards]
    windows = [(windows, i) for windows in stored for i in range(len(windows))]

    def packed():
        yield from Batches(corpora, **options)

    def padded():
        order = np.random.default_rng(0).permutation(len(windows))
        for first in range(0, len(order), size):
            chosen = [windows[i] for i in order[first : first + size]]
            signals = [TimeSeries(data=w.read([i])[0], sfreq=w.sfreq, channels=w.channels) for w, i in chosen]
            yield Batch(streams={"eeg": collate_series(signals)})

    def run(batches, pack):
        torch.manual_seed(0)
        model = Small(pack)
        total = tokens = cells = 0
        start = time.perf_counter()
        for batch in batches():
            loss, count = model(batch)
            (loss / count).backward()
            model.zero_grad()
            total, tokens = total + float(loss.detach()), tokens + count
            cells += tokens_of(*batch["eeg"].values.shape[1:]) * len(batch)
        return tokens / (time.perf_counter() - start), total / tokens, tokens / cells

    arms = {"padded": (padded, False), "the packed batches, padded": (packed, False), "packed": (packed, True)}
    results = {name: [] for name in arms}
    for _ in range(rounds):
        for name, (batches, pack) in arms.items():
            results[name].append(run(batches, pack))
    print(f"{len(windows)} windows of {SIZES[0]} to {SIZES[-1]} (channels, s), {len(plan)} packed batches")
    print(f"{'batches':30} {'real tokens/s':>14} {'x':>6} {'real share of padded':>21} {'loss per token':>18}")
    base = np.median([rate for rate, _, _ in results["padded"]])
    for name, rows in results.items():
        rate = np.median([r for r, _, _ in rows])
        print(f"{name:30} {rate:14,.0f} {rate / base:6.2f} {rows[0][2]:21.3f} {rows[0][1]:18.9f}")


def memory(folder, epochs):
    corpora = [Corpus(path) for path in sorted(folder.glob("w*"))] or make_mixed(folder, PER_SIZE)
    batches = Batches(corpora, batch_tokens=4096, tokens_of=tokens_of, seed=0)
    sizes = []
    for _ in range(epochs):
        for batch in batches:
            batch["eeg"].values.sum()
        gc.collect()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
        sizes.append(int(status["RssAnon"].split()[0]) / 1024)
    shown = ", ".join(f"{size:.1f}" for size in sizes[:: max(1, epochs // 10)])
    print(f"RssAnon after epochs, MB: {shown}; epoch 2 to {epochs}: {sizes[-1] - sizes[1]:+.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", nargs="?", choices=["reading", "packing", "memory"])
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5, help="counted epochs of each process")
    parser.add_argument("--folder", help="where to put the temporary files; default: the system's")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.child:
        print(json.dumps(measure_reading(Path(options.child), options.epochs)))
        return
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        parts = {
            "reading": lambda: reading(Path(name) / "reading", options.processes, options.epochs),
            "packing": lambda: packing(Path(name) / "mixed", 3),
            "memory": lambda: memory(Path(name) / "mixed", 30),
        }
        for part, function in parts.items():
            if options.part in (None, part):
                print(f"== {part}")
                (Path(name) / ("reading" if part == "reading" else "mixed")).mkdir(exist_ok=True)
                function()


if __name__ == "__main__":
    main()
