"""How fast recordings are simulated, as a multiple of real time.

    python benchmarks/simulate.py

One process, one thread. *whole*: five minutes read at once. *windows*: 4 s windows at random places of an hour, one by
one, as pre-training reads them; time recorded in the windows over time taken. *open*: making one recording (head, sources,
forward solution), nothing read. Processor time, so that a busy machine does not count; the median of five repetitions, and
the lowest and highest.
"""

import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np

from nkfm_simulate.config import SimulationConfig
from nkfm_simulate.dataset import simulate

REPEATS, WHOLE_S, WINDOW_S, WINDOWS = 5, 300, 4, 100
CASES = {
    "EEG 19, 250 Hz": ("eeg", {"montages": ("10-20",)}),
    "EEG 64, 250 Hz": ("eeg", {"montages": ("biosemi64",)}),
    "EEG 128, 500 Hz": ("eeg", {"montages": ("biosemi128",), "sfreq": 500.0}),
    "MEG 306, 250 Hz": ("meg", {"montages": (), "meg": ("neuromag306",)}),
}


def spread(values, digits=0):
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{middle:8.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def whole(series):
    started = time.process_time()
    for first in range(0, series.n_samples, 15_000):
        series.read(first, min(first + 15_000, series.n_samples))
    return series.duration / (time.process_time() - started)


def windows(series, rng):
    length = round(WINDOW_S * series.sfreq)
    starts = rng.integers(0, series.n_samples - length, WINDOWS)
    started = time.process_time()
    for first in starts:
        series.read(int(first), int(first) + length)
    return WINDOWS * WINDOW_S / (time.process_time() - started)


def opening(config):
    started = time.process_time()
    simulate(config, seed=1)
    return 1e3 * (time.process_time() - started)


def main():
    rng = np.random.default_rng(0)
    print(f"{'':18}{'whole, x real time':>26}{'windows, x real time':>26}{'open, ms':>22}")
    for name, (signal, options) in CASES.items():
        short = simulate(SimulationConfig(duration_s=WHOLE_S, **options))[signal]
        hour = SimulationConfig(duration_s=3600, **options)
        long = simulate(hour)[signal]
        cells = [
            spread([whole(short) for _ in range(REPEATS)]),
            spread([windows(long, rng) for _ in range(REPEATS)]),
            spread([opening(hour) for _ in range(REPEATS)]),
        ]
        print(f"{name:18}{cells[0]:>26}{cells[1]:>26}{cells[2]:>22}")


if __name__ == "__main__":
    main()
