"""Packed beside padded batches of recordings that differ in channels and length.

    python benchmarks/packing.py

Set-up: samples of 4 to 64 channels and 2 to 30 s, each cut into patches of 1 s every 0.9 s (one token a channel and
patch, as REVE does), in batches of 8 drawn at random, through a transformer of REVE's width (512, 8 heads of 64) and 2
blocks, without gradients. Packed: real tokens only, attention within each sample (`Transformer`). Padded: the same
blocks over the full rectangle with a mask (`Transformer(..., pack=False)`). The two are timed in turn, batch by batch.
With one thread (the default) times are processor times, which other work on the machine hardly touches; with more they
are wall times and need a quiet machine. tokens/s counts real tokens. floor: additions and multiplications on real
tokens, over the rate of a large matrix product timed in the same run; no way of computing them in that number format
is faster. The outputs are compared on every real token.
"""

import argparse
import statistics
import time

import torch

from neurokit_fm.nn.blocks import Transformer, TransformerConfig

CHANNELS, SECONDS, BATCH = (4, 64), (2, 30), 8
BAR = 1.8


def sample_lengths(n_batches, generator):
    """Tokens of each sample of each batch."""

    def draw(low, high):
        return torch.randint(low, high + 1, (n_batches, BATCH), generator=generator)

    patches = ((draw(*SECONDS) - 1) / 0.9 + 1e-9).long() + 1
    return draw(*CHANNELS) * patches  # (batches, 8)


def flops(lengths, config):
    """Multiplications and additions of one forward, attention within each sample."""
    inner = config.heads * config.head_dim
    linear = 4 * inner * config.width + 3 * config.hidden * config.width
    return config.depth * sum(2 * n * linear + 4 * n * n * inner for n in map(int, lengths))


def matmul_rate(dtype, size=2048, repeats=5):
    """Best rate of a square matrix product, operations a second."""
    a = torch.randn((size, size)).to(dtype)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(repeats + 1))


def seconds(run):
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    run()
    return clock() - begin


@torch.inference_mode()
def measure(dtype, n_batches, repeats):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    config = TransformerConfig(width=512, depth=2)
    model = Transformer(config).eval().to(dtype)
    times, bound, real, full, error = {"packed": [], "padded": []}, 0.0, 0, 0, 0.0
    ratios = []
    for lengths in sample_lengths(n_batches, generator):
        longest = int(lengths.max())
        mask = torch.arange(longest)[None] < lengths[:, None]  # (8, N)
        x = torch.randn((BATCH, longest, config.width), generator=generator).to(dtype)
        pair = {"packed": [], "padded": []}
        for repeat in range(repeats):
            for kind in ("packed", "padded") if repeat % 2 else ("padded", "packed"):
                pair[kind].append(seconds(lambda pack=kind == "packed": model(x, mask, pack=pack)))  # noqa: B023
        for kind, taken in pair.items():
            times[kind].append(min(taken))
        ratios.append(times["padded"][-1] / times["packed"][-1])
        packed, padded = model(x, mask)[0][mask], model(x, mask, pack=False)[0][mask]
        error = max(error, float((packed.float() - padded.float()).abs().max() / padded.float().abs().max()))
        real, full, bound = real + int(lengths.sum()), full + BATCH * longest, bound + flops(lengths, config)
    bound /= matmul_rate(dtype)
    total = {kind: sum(values) for kind, values in times.items()}
    ratio = total["padded"] / total["packed"]
    print(
        f"{str(dtype).removeprefix('torch.'):9} {real / full:5.0%} {real / total['packed']:11,.0f} "
        f"{real / total['padded']:11,.0f} {ratio:6.2f} {statistics.median(ratios):7.2f} "
        f"{f'{min(ratios):.2f}-{max(ratios):.2f}':>12} {real / bound:11,.0f} {bound / total['packed']:6.0%} {error:9.1e}"
        f"   bar {BAR:g}: {'ok' if ratio >= BAR else 'MISSED'}",
        flush=True,
    )
    if dtype == torch.float32 and error > 1e-5:
        raise SystemExit(f"packed and padded outputs differ by {error:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=2, help="timings of each batch; the best counts")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"torch {torch.__version__}, {options.threads} thread{'s' * (options.threads > 1)}, {options.batches} batches of {BATCH} samples"
    )
    print(
        f"{'dtype':9} {'real':>5} {'packed t/s':>11} {'padded t/s':>11} {'ratio':>6} {'median':>7} {'(batches)':>12} "
        f"{'floor t/s':>11} {'share':>6} {'error':>9}"
    )
    for dtype in (torch.float32, torch.bfloat16):
        measure(dtype, options.batches, options.repeats)


if __name__ == "__main__":
    main()
