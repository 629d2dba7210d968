"""Memory and speed of embedding a long recording.

    python benchmarks/long_recording.py             # about 1.1 GB in a temporary folder, removed afterwards

Set-up: 64 channels at 250 Hz in the store (int16 and float32) and as FIF, 20 minutes and 2 hours long; read, checked,
conditioned for REVE (band pass, resampling to 200 Hz, z-score) and run through a model with random weights in windows
of 10 s, each case in a fresh process. `rise` is the peak resident memory over that of a process that has imported
everything and built the model, `private` the part of the peak that is not pages of mapped files (those the system takes
back when it needs them; Linux only). x real time and channel-seconds/s count the whole call; `contract` is the time up
to the first batch, `model` the time inside the model. With one thread (the default) times are processor times, which
other work on the machine hardly touches; with more they are wall times and need a quiet machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CHANNELS, SFREQ = 64, 250
MODELS = {
    "tiny": {"width": 128, "depth": 2, "heads": 4, "head_dim": 32},
    "small": {"width": 512, "depth": 4, "heads": 8, "head_dim": 64},
}


def write(path, minutes):
    """Coloured noise of 20 uV on a 64-channel cap."""
    import mne
    import numpy as np
    from scipy.signal import lfilter

    import neurokit_fm as nkfm
    from neurokit_fm.data.store import save_recording

    rng = np.random.default_rng(0)
    names = mne.channels.make_standard_montage("biosemi64").ch_names
    x = np.empty((CHANNELS, minutes * 60 * SFREQ), np.float32)
    for row in x:
        row[:] = lfilter([6e-6], [1, -0.95], rng.standard_normal(len(row), dtype=np.float32))
    if path.name.endswith(".fif"):
        info = mne.create_info(names, SFREQ, "eeg")
        mne.io.RawArray(x, info, verbose="error").save(path, fmt="single", verbose="error")
    else:
        recording = nkfm.from_array(x, sfreq=SFREQ, names=names)
        save_recording(recording, path, dtype="int16" if "int16" in path.name else None)


def peak_mb():
    """Highest resident memory so far; of this process alone where the system says so."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 1024
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1024**2 if sys.platform == "darwin" else size / 1024


def watch_private(peak, stop):
    """Note the highest memory that is not mapped files, every 10 ms."""
    status = Path("/proc/self/status")
    while not stop.wait(0.01) and status.exists():
        peak[0] = max(peak[0], *(int(n.split()[1]) / 1024 for n in status.read_text().splitlines() if "RssAnon" in n))


def measure(path, size, dtype, threads):
    """One case, in this process."""
    import torch

    import neurokit_fm as nkfm
    from neurokit_fm.testing.fake import fake_recording
    from nkfm_reve.config import CONTRACT, ReveConfig
    from nkfm_reve.model import Reve

    torch.set_num_threads(int(threads))
    clock = time.process_time if int(threads) == 1 else time.perf_counter
    torch.manual_seed(0)
    model = Reve(ReveConfig(**MODELS[size]), CONTRACT).to(getattr(torch, dtype))
    nkfm.embed(model, fake_recording(n_channels=32, duration_s=20.0, sfreq=SFREQ))  # imports, first-call work
    built, private, stop = peak_mb(), [0.0], threading.Event()
    watcher = threading.Thread(target=watch_private, args=(private, stop), daemon=True)
    watcher.start()

    entered, inside = [], []
    model.register_forward_pre_hook(lambda *_: entered.append(clock()))
    model.register_forward_hook(lambda *_: inside.append(clock() - entered[-1]))
    begin = clock()
    recording = nkfm.read(path)
    made = nkfm.embed(model, recording)
    total = clock() - begin
    stop.set()
    watcher.join()
    seconds = recording["eeg"].duration
    return {
        "windows": len(made.values),
        "rise": peak_mb() - built,
        "peak": peak_mb(),
        "private": private[0],
        "total": total,
        "contract": entered[0] - begin,
        "model": sum(inside),
        "realtime": seconds / total,
        "channel_seconds": CHANNELS * seconds / total,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--dtypes", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    parser.add_argument("--minutes", nargs="+", type=int, default=[20, 120])
    parser.add_argument(
        "--formats", nargs="+", default=["int16", "float32", "fif"], choices=["int16", "float32", "fif"]
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", help="where to put the temporary files; default: the system's")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(Path(options.write[0]), int(options.write[1]))
        return
    if options.child:
        print(json.dumps(measure(*options.child)))
        return

    def run(*arguments):
        command = [sys.executable, __file__, *map(str, arguments)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    print(
        f"{'file':18} {'model':16} {'windows':>7} {'peak MB':>8} {'rise':>6} {'private':>7} {'s':>7} {'contract':>8} "
        f"{'model':>7} {'x real time':>11} {'channel-s/s':>11}"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for form in options.formats:
            for minutes in options.minutes:
                path = Path(folder, f"{form}_{minutes}_raw.fif" if form == "fif" else f"{form}_{minutes}.nkfm.h5")
                run("--write", path, minutes)
                for size in options.sizes if form == "int16" else options.sizes[:1]:
                    for dtype in options.dtypes:
                        row = json.loads(run("--child", path, size, dtype, options.threads).splitlines()[-1])
                        print(
                            f"{form + f' {minutes} min':18} {size + ' ' + dtype:16} {row['windows']:7} {row['peak']:8,.0f} "
                            f"{row['rise']:6,.0f} {row['private']:7,.0f} {row['total']:7.1f} {row['contract']:8.1f} "
                            f"{row['model']:7.1f} {row['realtime']:11,.0f} {row['channel_seconds']:11,.0f}",
                            flush=True,
                        )
                for file in Path(folder).glob(f"{path.name.split('.')[0]}*"):
                    file.unlink()


if __name__ == "__main__":
    main()
