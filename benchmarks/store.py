"""How fast windows come back from the store, beside a plain memory map and what else is in use.

    python benchmarks/store.py                      # about 1.6 GB in a temporary folder, removed afterwards

Set-up: 10 recordings of 64 channels, 256 Hz, 10 minutes; windows of 4 s in random order; one process, one thread, page
cache warm. Every epoch of a backend is paired with a reference epoch timed just before it: windows read in order from a
window-major memory map into one reused array, the best this machine can do. ratio = backend / reference. The table
gives the median epoch over all processes, and the lowest and highest median of a process. The first epoch of each
process, which touches the pages for the first time, is not counted. braindecode's row (EEGWindowsDataset over FIF files,
preload=False) appears where braindecode is installed.
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import h5py
import numpy as np

from neurokit_fm import Channels
from neurokit_fm.data.store_windows import WindowStore, save_windows

CHANNELS, SFREQ, WINDOW_S, MINUTES, BATCH = 64, 256, 4, 10, 64
LENGTH = SFREQ * WINDOW_S
NAMES = [f"E{i}" for i in range(CHANNELS)]


def write_files(folder, n_recordings, with_fif):
    """Write the same random walks in every format; FIF only for braindecode."""
    per_recording = MINUTES * 60 // WINDOW_S

    def recordings():
        rng = np.random.default_rng(0)
        for _ in range(n_recordings):
            steps = rng.standard_normal((CHANNELS, per_recording * LENGTH), dtype=np.float32)
            yield np.cumsum(steps, axis=1, dtype=np.float32) * np.float32(1e-7)

    def windows():
        for data in recordings():
            yield from data.reshape(CHANNELS, per_recording, LENGTH).swapaxes(0, 1)

    with open(folder / "map.f32", "wb") as file:
        file.writelines(np.ascontiguousarray(window) for window in windows())
    channels = Channels.of(NAMES)
    for dtype in ("float32", "int16"):
        save_windows(folder / f"{dtype}.h5", windows(), sfreq=SFREQ, channels=channels, dtype=dtype)
    with h5py.File(folder / "chunked.h5", "w") as file:
        shape = (n_recordings * per_recording, CHANNELS, LENGTH)
        dataset = file.create_dataset("windows", shape, np.float32, chunks=(1, *shape[1:]))
        for i, window in enumerate(windows()):
            dataset[i] = window
    if with_fif:
        import mne

        info = mne.create_info(NAMES, SFREQ, "eeg")
        for i, data in enumerate(recordings()):
            mne.io.RawArray(data, info, verbose="error").save(folder / f"{i}_raw.fif", fmt="single", verbose="error")


def backends(folder, n_windows):
    """Name to (function of one epoch: order -> windows read, windows an epoch)."""
    every = {}

    def ours(name, dtype, **options):
        store = WindowStore(folder / f"{dtype}.h5")

        def epoch(order):
            for _, values in store.batches(BATCH, order=order, **options):
                values[0, 0, 0]

        every[name] = (epoch, n_windows)

    ours("WindowStore float32", "float32")
    ours("WindowStore int16", "int16")
    ours("WindowStore float32, copy=True", "float32", copy=True)
    ours("WindowStore int16, copy=True", "int16", copy=True)

    def chunked(order):
        for i in order:
            dataset[i]

    dataset = h5py.File(folder / "chunked.h5")["windows"]
    every["h5py, chunk = window, item by item"] = (chunked, n_windows)
    if importlib.util.find_spec("braindecode") is not None:
        every["braindecode EEGWindowsDataset, lazy FIF"] = (braindecode(folder), n_windows // 5)
    return every


def braindecode(folder):
    import mne
    from braindecode.datasets import BaseConcatDataset, RawDataset
    from braindecode.preprocessing import create_fixed_length_windows

    files = sorted(folder.glob("*_raw.fif"))
    raws = [RawDataset(mne.io.read_raw_fif(f, preload=False, verbose="error"), {"subject": f.name}) for f in files]
    windows = create_fixed_length_windows(
        BaseConcatDataset(raws),
        window_size_samples=LENGTH,
        window_stride_samples=LENGTH,
        drop_last_window=True,
        preload=False,
    )
    values = windows[0][0]
    assert values.shape == (CHANNELS, LENGTH), values.shape
    assert type(windows.datasets[0]).__name__ == "EEGWindowsDataset", type(windows.datasets[0])

    def epoch(order):
        for i in order:
            windows[int(i)]

    return epoch


def measure(folder, epochs):
    """One process: all backends, each epoch beside a reference epoch."""
    mapped = np.asarray(np.memmap(folder / "map.f32", np.float32, "r").reshape(-1, CHANNELS, LENGTH))
    buffer = np.zeros((CHANNELS, LENGTH), np.float32)

    def reference(order):
        for window in mapped:
            np.copyto(buffer, window)

    def timed(epoch, order, count):
        faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        epoch(order)
        rate = count / (time.perf_counter() - start)
        return rate, (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / count

    rng = np.random.default_rng(os.getpid())
    rows = []
    for name, (epoch, count) in backends(folder, len(mapped)).items():
        for number in range(epochs + 1):
            reference_rate, _ = timed(reference, None, len(mapped))
            rate, faults = timed(epoch, rng.permutation(len(mapped))[:count], count)
            if number:
                rows.append({"name": name, "rate": rate, "faults": faults, "reference": reference_rate})
    return rows


def report(rows, processes, sizes):
    print(f"{'backend':42} {'windows/s':>10} {'ratio':>7} {'(processes)':>15} {'faults/window':>14} {'MB':>6}")
    medians = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        ratios = [row["rate"] / row["reference"] for row in mine]
        each = [np.median([r["rate"] / r["reference"] for r in mine if r["process"] == p]) for p in range(processes)]
        rate, ratio = np.median([row["rate"] for row in mine]), np.median(ratios)
        faults = np.median([row["faults"] for row in mine])
        size = next((f"{size:6.0f}" for key, size in sizes.items() if key in name), "")
        medians[name] = rate, ratio
        print(f"{name:42} {rate:10,.0f} {ratio:7.3f} {f'{min(each):.3f}-{max(each):.3f}':>15} {faults:14.2f} {size}")
    print(f"{'reference: memory map in order':42} {np.median([row['reference'] for row in rows]):10,.0f} {1:7.3f}")
    lazy = medians.get("braindecode EEGWindowsDataset, lazy FIF")
    if lazy is None:
        print("braindecode EEGWindowsDataset, lazy FIF    braindecode is not installed")
        return
    for name, (rate, ratio) in medians.items():
        if name.startswith("WindowStore"):
            print(f"{name} / braindecode lazy: {rate / lazy[0]:.1f} by windows/s, {ratio / lazy[1]:.1f} by ratio")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5, help="counted epochs of each process")
    parser.add_argument("--recordings", type=int, default=10)
    parser.add_argument("--folder", help="where to put the temporary files; default: the system's")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.child:
        print(json.dumps(measure(Path(options.child), options.epochs)))
        return
    with_fif = importlib.util.find_spec("braindecode") is not None
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, h5py {h5py.__version__}, {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_files(folder, options.recordings, with_fif)
        rows = []
        for process in range(options.processes):
            command = [sys.executable, __file__, "--child", name, "--epochs", str(options.epochs)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows += [{**row, "process": process} for row in json.loads(output.splitlines()[-1])]
        sizes = {
            "float32": (folder / "float32.h5").stat().st_size / 1e6,
            "int16": (folder / "int16.h5").stat().st_size / 1e6,
            "h5py": (folder / "chunked.h5").stat().st_size / 1e6,
            "FIF": sum(file.stat().st_size for file in folder.glob("*.fif")) / 1e6,
        }
        report(rows, options.processes, sizes)
        print(f"int16 / float32 size: {sizes['int16'] / sizes['float32']:.3f}")


if __name__ == "__main__":
    main()
