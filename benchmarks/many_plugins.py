"""How long `nkfm list` takes beside 20 installed plugins, sound and broken, and what it loads (bar: 0.5 s).

    python benchmarks/many_plugins.py [--plugins 20] [--repeats 15]

The plugins are laid down as an install leaves them (module and dist-info) in a temporary folder on the path; each declares
the core versions it supports. Medians over fresh interpreters, timed in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("numpy", "torch", "mne", "h5py", "scipy", "huggingface_hub", "sklearn", "matplotlib")
LIST = "from neurokit_fm.cli.main import main\nmain(['list'])"
BAR_S = 0.5

PLUGIN = """from neurokit_fm import Entry, hookimpl

@hookimpl
def register_models() -> list[Entry]:
    return [Entry(name="many-{n}", target="nowhere:x", summary="Made up")]

@hookimpl
def register_tokenizers() -> list[Entry]:
    return [Entry(name="many-{n}", target="nowhere:x", summary="Made up")]
"""


def lay_down(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", "Requires-Dist: neurokit-fm>=0.1,<0.3"]
    (about / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(f"[neurokit_fm]\n{name} = {name}\n", encoding="utf-8")


def run(code: str, folder: Path | None) -> tuple[float, str]:
    path = os.pathsep.join([*([str(folder)] if folder else []), *filter(None, [os.environ.get("PYTHONPATH")])])
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    return time.perf_counter() - begin, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugins", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as sound, tempfile.TemporaryDirectory() as broken:
        for n in range(options.plugins):
            lay_down(Path(sound), f"nkfm_many_{n:02}", PLUGIN.format(n=n))
            lay_down(Path(broken), f"nkfm_many_{n:02}", PLUGIN.format(n=n) if n % 2 else "raise RuntimeError('always')")
        cases = {
            "bare interpreter": ("pass", None),
            "nkfm list": (LIST, None),
            f"nkfm list, {options.plugins} plugins": (LIST, Path(sound)),
            f"nkfm list, {options.plugins} plugins, half broken": (LIST, Path(broken)),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(options.repeats):
            for name, (code, folder) in cases.items():
                times[name].append(run(code, folder)[0])
        bare = statistics.median(times["bare interpreter"])
        for name, (code, folder) in cases.items():
            show = "import atexit, sys; atexit.register(lambda: print('MODULES', *sys.modules))\n"
            _, shown = run(show + code, folder)
            loaded = shown.rpartition("MODULES ")[2].split()
            listed = sum(line.startswith("many-") for line in shown.splitlines())
            median = statistics.median(times[name])
            bar = "" if code == "pass" else f", bar {BAR_S:g} s: {'ok' if median < BAR_S else 'MISSED'}"
            print(
                f"{name:34s} {1e3 * median:5.0f} ms ({1e3 * min(times[name]):.0f} to {1e3 * max(times[name]):.0f}), "
                f"{1e3 * (median - bare):+5.0f} ms over bare{bar}; {listed} made-up names, {len(loaded)} modules, "
                f"heavy: {', '.join(m for m in HEAVY if m in loaded) or 'none'}"
            )


if __name__ == "__main__":
    main()
