"""How long `import neurokit_fm` and `nkfm list` take, and what they load (bars: DESIGN.md section 10).

    python benchmarks/import_time.py [--repeats 15]

Each figure is the median over fresh interpreters; the bare interpreter is timed in turn with the others.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

HEAVY = ("numpy", "torch", "mne", "h5py", "scipy", "huggingface_hub", "sklearn", "matplotlib")
CASES = {
    "bare interpreter": "pass",
    "import neurokit_fm": "import neurokit_fm",
    "nkfm list": "import sys; sys.stdout = open(sys.argv[1], 'w')\nfrom neurokit_fm.cli.main import main\nmain(['list'])",
}
BARS = {"import neurokit_fm": 0.1, "nkfm list": 0.5}


def seconds(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, "/dev/null"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def modules(code: str) -> list[str]:
    show = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", show + code, "/dev/null"], check=True, stderr=subprocess.PIPE, text=True
    )
    return done.stderr.splitlines()[-1].split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(repeats):
        for name, code in CASES.items():
            times[name].append(seconds(code))
    bare = statistics.median(times["bare interpreter"])
    for name, code in CASES.items():
        median = statistics.median(times[name])
        loaded = modules(code)
        heavy = [module for module in HEAVY if module in loaded]
        bar = f", bar {BARS[name]:g} s: {'ok' if median - bare < BARS[name] else 'MISSED'}" if name in BARS else ""
        print(
            f"{name:20s} {1e3 * median:6.0f} ms ({1e3 * min(times[name]):.0f} to {1e3 * max(times[name]):.0f}), "
            f"{1e3 * (median - bare):+5.0f} ms over bare{bar}; {len(loaded)} modules, heavy: {', '.join(heavy) or 'none'}"
        )


if __name__ == "__main__":
    main()
