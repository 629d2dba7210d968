"""Loading a model of REVE-base's size, beside reading its file and beside braindecode.

    python benchmarks/load.py                    # about a minute

Set-up: random weights, saved as a model folder (277 MB of float32) and in braindecode's layout. Each measurement runs in a
fresh process after the imports, once with the file in the page cache ("warm") and once after it was dropped from there
("cold"; on a virtual machine the host may still hold it). time: processor time of one thread when warm, which other work on
the machine hardly touches, and wall time when cold; the median over `--rounds`; the rows are run in turn. share: speed as a share of reading the file into fresh memory (`Path.read_bytes`) in the same state of the cache.
peak: growth of the process's resident memory over what it had before, at its highest, over the size of the weights; "own" is
the part that belongs to the process alone, the rest being pages of the file that the system may take back.

The floor of loading: every value must be read once to know that it is finite, and the fingerprint is a forward pass, which
reads every weight again. Building the module costs what its Python costs. Nothing is copied and nothing is hashed; the row
"and its sha256" asks for the hash that `load_report` gives on demand.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WAYS = {
    "read the file": "read",
    "read into memory that is there": "readinto",
    "safetensors, copied into tensors": "copied",
    "every value looked at, once": "scan",
    "load_model": "ours",
    "load_model, no fingerprint": "bare",
    "load_model and its sha256": "hashed",
    "a published file, converted": "published",
    "braindecode, from_pretrained": "braindecode",
}


def memory():
    """Resident and private resident memory of this process, bytes."""
    found = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        key, _, value = line.partition(":")
        if key in found:
            found[key] = 1024 * int(value.split()[0])
    anonymous = Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]
    return found["Rss"], 1024 * int(anonymous)


class Peak:
    """Highest memory while a block runs, looked at every two milliseconds."""

    def __enter__(self):
        self.start, self.highest, self.done = memory(), memory(), threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.done.wait(0.002):
            self.look()

    def look(self):
        self.highest = tuple(map(max, self.highest, memory()))

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.look()
        self.grown = [high - start for high, start in zip(self.highest, self.start, strict=True)]


def action(way, folder):
    """What is measured, with everything imported and warmed up that a second load would find so."""
    import torch

    torch.set_num_threads(1)
    file = folder / "model.safetensors"
    if way == "read":
        return lambda: file.read_bytes()
    if way == "readinto":
        room = memoryview(bytearray(os.path.getsize(file)))

        def into():
            with file.open("rb", buffering=0) as opened:
                return opened.readinto(room)

        return into
    if way in ("copied", "scan"):
        import safetensors.torch

        if way == "copied":
            return lambda: {k: v.clone() for k, v in safetensors.torch.load_file(file).items()}
        return lambda: [torch.aminmax(v) for v in safetensors.torch.load_file(file).values()]
    if way == "braindecode":
        from braindecode.models import REVE

        REVE(n_outputs=2, n_chans=4, n_times=400, sfreq=200, embed_dim=32, depth=1, heads=2, head_dim=16, freqs=3)
        return lambda: REVE.from_pretrained(str(folder)).eval()
    import neurokit_fm as nkfm

    nkfm.load_model(folder.parent / "tiny")
    if way == "published":
        from neurokit_fm.hub.folder import read_tensors
        from nkfm_reve.convert import from_reference

        return lambda: from_reference({"embed_dim": 512}, read_tensors(file))
    if way == "hashed":
        return lambda: nkfm.load_model(folder).load_report.sha256
    return lambda: nkfm.load_model(folder)


def measure(way, folder, cold, watched):
    run = action(way, folder)
    file = folder / "model.safetensors"
    if cold:
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    else:
        file.read_bytes()
    if watched:
        with Peak() as peak:
            kept = run()
        result = peak.grown
    else:
        clock = time.perf_counter if cold else time.process_time
        begin = clock()
        kept = run()
        result = clock() - begin
    print(json.dumps(result))
    del kept


def prepare(root):
    import safetensors.torch
    import torch

    from neurokit_fm.config import read_config
    from nkfm_reve.config import BASE, CONTRACT, ReveConfig
    from nkfm_reve.convert import to_reference
    from nkfm_reve.model import Reve

    torch.manual_seed(0)
    model = Reve(BASE, CONTRACT)
    model.save_pretrained(root / "ours")
    model.save_pretrained(root / "bare")
    (root / "bare" / "fingerprint.safetensors").unlink()
    (root / "published").mkdir()
    safetensors.torch.save_file(to_reference(model), root / "published" / "model.safetensors")
    small = read_config(ReveConfig, {"width": 32, "depth": 1, "heads": 2, "head_dim": 16, "freqs": 3})
    Reve(small, CONTRACT).save_pretrained(root / "tiny")
    if importlib.util.find_spec("braindecode") is None:
        return
    (root / "positions").mkdir()
    (root / "positions" / "reve_positions.json").write_text(json.dumps({"Cz": [0.0, 0.0, 0.1]}))
    os.environ["REVE_POSITIONS_PATH"] = str(root / "positions")
    from braindecode.models import REVE

    theirs = REVE(n_outputs=2, n_chans=4, n_times=400, sfreq=200, attention_pooling=True)
    theirs.save_pretrained(root / "braindecode")


def child(*line):
    done = subprocess.run([sys.executable, __file__, *map(str, line)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(root, rounds):
    size = (root / "ours" / "model.safetensors").stat().st_size
    ways = {n: w for n, w in WAYS.items() if w != "braindecode" or (root / w).is_dir()}
    homes = {way: root / (way if (root / way).is_dir() else "ours") for way in ways.values()}
    for cold in (False, True):
        times = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                times[name].append(child("--way", way, "--folder", homes[way], *(["--cold"] if cold else [])))
        base = statistics.median(times["read the file"])
        print(
            f"\n{'cold' if cold else 'warm'}, {size / 1e6:.0f} MB {'':15} {'ms':>6} {'(rounds)':>11} {'GB/s':>6} {'share':>6}",
            end="",
        )
        print(f" {'peak':>6} {'own':>6}" if not cold else "")
        for name, found in times.items():
            middle = statistics.median(found)
            row = f"{name:34} {1e3 * middle:6.0f} {f'{1e3 * min(found):.0f}-{1e3 * max(found):.0f}':>11} {size / 1e9 / middle:6.2f}"
            row += f" {base / middle:6.0%}"
            if not cold:
                every, own = child("--way", ways[name], "--folder", homes[ways[name]], "--watched")
                row += f" {every / size:6.2f} {own / size:6.2f}"
            print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.folder, options.cold, options.watched)
        return
    with tempfile.TemporaryDirectory() as root:
        prepare(Path(root))
        compare(Path(root), options.rounds)


if __name__ == "__main__":
    main()
