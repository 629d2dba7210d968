"""Forward pass of REVE-base beside a plain implementation, other number formats and braindecode's.

    python benchmarks/reve_forward.py               # about ten minutes; --rounds 3 for less

Set-up: random weights, the same in every row (REVE-base: 22 blocks, width 512, 69 M parameters); inputs of 64 channels
x 10 s (704 tokens a sample) and 22 channels x 4 s (88). The rows are timed in turn, in `--rounds` rounds after one
uncounted; `ratio` is the median over the rounds of a row's time over the plain implementation's in the same round.
With one thread (the default) times are processor times, which other work on the machine hardly touches; with more they
are wall times and need a quiet machine. floor: multiplications and additions of the linear maps and the attention, over
the rate of a large matrix product in that number format, timed in every round. error: largest difference of a token's
value from the plain float32 result, over the largest value. braindecode's row appears where braindecode is installed;
its table of positions, which it would download, is replaced by a stand-in, and it gets the same weights and positions.

The second table shows how the time of a token depends on the number of tokens in a batch (two blocks of the same
width); `nkfm.embed` chooses its batches after it.
"""

import argparse
import copy
import importlib.util
import json
import math
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.nn.blocks import Transformer, TransformerConfig
from nkfm_reve.config import BASE, CONTRACT
from nkfm_reve.convert import to_reference
from nkfm_reve.model import Reve

WINDOW, HOP = 200, 180
SHAPES = ((2, 64, 2000), (8, 22, 800))


def stream(size, channels, samples):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((size, channels, samples), generator=generator)
    positions = 0.08 * torch.randn((channels, 3), generator=generator)
    return SeriesStream.from_arrays(x, sfreq=200, positions=positions, frame="template")


def plain(state, x, positions, heads=8, freqs=4):
    """The equations of arXiv:2510.21585, one operation after another; weights under their published names."""
    patches = x.unfold(2, WINDOW, HOP)  # (B, C, S, w)
    b, c, s, _ = patches.shape
    steps = torch.arange(s, dtype=torch.float32).expand(b, c, s)[..., None]
    place = torch.cat([positions[:, :, None].expand(b, c, s, 3), steps], dim=-1).flatten(1, 2)  # (B, N, 4)
    x = F.linear(patches, state["to_patch_embedding.0.weight"], state["to_patch_embedding.0.bias"]).flatten(1, 2)
    width = x.shape[-1]
    axis = torch.arange(freqs, dtype=torch.float32)
    grid = torch.cartesian_prod(axis, axis, axis, axis)[: width // 2]
    phase = (place * torch.tensor([1.0, 1.0, 1.0, 0.1]) + 0.4) @ grid.T * (2 * math.pi / 1.8)
    fourier = torch.cat([phase.cos(), phase.sin()], dim=-1)
    learned = F.gelu(F.linear(place, state["mlp4d.0.weight"]))
    learned = F.layer_norm(learned, (width,), state["mlp4d.2.weight"], state["mlp4d.2.bias"])
    x = x + F.layer_norm(fourier + learned, (width,), state["ln.weight"], state["ln.bias"])

    def rms(x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight

    for i in range(sum(key.endswith("to_qkv.weight") for key in state)):
        at = f"transformer.layers.{i}."
        qkv = F.linear(rms(x, state[at + "0.norm.weight"]), state[at + "0.to_qkv.weight"])
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + F.linear(mixed, state[at + "0.to_out.weight"])
        value, gate = F.linear(rms(x, state[at + "1.net.0.weight"]), state[at + "1.net.1.weight"]).chunk(2, dim=-1)
        x = x + F.linear(value * F.gelu(gate), state[at + "1.net.3.weight"])
    return x


def padded_hidden(model, multiple=32):
    """The same model with zero rows and columns in the feed-forward, up to a multiple of 32 (base: 1361 to 1376)."""
    config = model.encoder.transformer.config
    hidden = -(-config.hidden // multiple) * multiple
    wide = Transformer(
        TransformerConfig(
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            head_dim=config.head_dim,
            mlp_ratio=hidden / config.width,
        )
    )
    state = model.encoder.transformer.state_dict()
    for key, value in wide.state_dict().items():
        if key.endswith("mlp.up.weight"):
            halves = zip(value.chunk(2), state[key].chunk(2), strict=True)
            state[key] = torch.cat([F.pad(old, (0, 0, 0, len(new) - len(old))) for new, old in halves])
        elif key.endswith("mlp.down.weight"):
            state[key] = F.pad(state[key], (0, value.shape[1] - state[key].shape[1]))
    wide.load_state_dict(state)
    other = copy.deepcopy(model)
    other.encoder.transformer = wide.eval()
    return other


def compiled(model):
    """The same model with each block compiled; None if there is no working compiler."""
    other = copy.deepcopy(model)
    for block in other.encoder.transformer.blocks:
        block.compile()
    begin = time.perf_counter()
    try:
        for shape in SHAPES:
            other(nkfm.Batch(streams={"eeg": stream(*shape)}))
    except RuntimeError as err:
        print(f"torch.compile does not work here: {type(err).__name__}: {str(err).splitlines()[0]}")
        return None
    print(f"torch.compile took {time.perf_counter() - begin:.0f} s", flush=True)
    return other


def braindecode_forward(state):
    """braindecode's REVE with the same weights, as a function of signal and positions; None if it is not installed."""
    if importlib.util.find_spec("braindecode") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "reve_positions.json").write_text(json.dumps({"Cz": [0.0, 0.0, 0.1]}))
        os.environ["REVE_POSITIONS_PATH"] = folder
        from braindecode.models import REVE

        model = REVE(n_outputs=2, n_chans=64, n_times=2000, sfreq=200, attention_pooling=True)
    own = model.state_dict()
    model.load_state_dict({**{key: value for key, value in own.items() if key.startswith("final_layer")}, **state})
    model.eval()
    return lambda x, positions: model(x, pos=positions, return_features=True)["features"].flatten(1, 2)


def flops(size, channels, samples, config=BASE):
    tokens, inner = channels * ((samples - WINDOW) // HOP + 1), config.heads * config.head_dim
    linear = 4 * inner * config.width + 3 * int(config.width * config.mlp_ratio) * config.width
    patch = WINDOW * config.width
    return size * (config.depth * (2 * tokens * linear + 4 * tokens**2 * inner) + 2 * tokens * patch)


def seconds(run):
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    run()
    return clock() - begin


def product_rate(dtype, size=2048):
    a = torch.ones((size, size), dtype=dtype)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(3))


@torch.inference_mode()
def compare(rounds, with_compile):
    torch.manual_seed(0)
    model = Reve(BASE, CONTRACT).eval()
    state = {key: value.clone() for key, value in to_reference(model).items()}
    half = copy.deepcopy(model).bfloat16()
    models = {
        "ours, float32": model,
        "ours, float32, hidden width 1376": padded_hidden(model),
        "ours, bfloat16": half,
        "ours, bfloat16, hidden width 1376": padded_hidden(half).bfloat16(),
    }
    if with_compile:
        made = {"ours, float32, compiled": compiled(model), "ours, bfloat16, compiled": compiled(half)}
        models |= {name: other for name, other in made.items() if other is not None}
    theirs = braindecode_forward(state)
    for shape in SHAPES:
        given = stream(*shape)
        batch = nkfm.Batch(streams={"eeg": given})
        rows = {"plain, float32": lambda g=given: plain(state, g.values, g.positions)}
        rows |= {name: lambda m=other, b=batch: m(b).tokens for name, other in models.items()}
        if theirs is not None:
            rows["braindecode, float32"] = lambda g=given: theirs(g.values, g.positions)
        expected = rows["plain, float32"]()
        errors = {
            name: float((run().float() - expected).abs().max() / expected.abs().max()) for name, run in rows.items()
        }
        times = {name: [] for name in rows}
        rates = {"float32": [], "bfloat16": []}
        for _ in range(rounds):
            for dtype, found in rates.items():
                found.append(product_rate(getattr(torch, dtype)))
            for name, run in rows.items():
                times[name].append(seconds(run))
        report(shape, times, rates, errors)


def report(shape, times, rates, errors):
    work = flops(*shape)
    peak = {dtype: max(found) for dtype, found in rates.items()}
    print(
        f"\n{shape[0]} samples x {shape[1]} channels x {shape[2] / 200:g} s: {work / 1e9:.0f} GFLOP; "
        + "; ".join(f"{d}: {rate / 1e9:.0f} GFLOP/s, floor {1e3 * work / rate:.0f} ms" for d, rate in peak.items())
    )
    print(f"{'':36} {'min ms':>8} {'median':>8} {'ratio':>6} {'(rounds)':>12} {'share of peak':>14} {'error':>8}")
    base = times["plain, float32"]
    for name, mine in times.items():
        ratios = [a / b for a, b in zip(mine, base, strict=True)]
        share = work / peak["bfloat16" if "bfloat16" in name else "float32"] / min(mine)
        print(
            f"{name:36} {1e3 * min(mine):8.0f} {1e3 * statistics.median(mine):8.0f} {statistics.median(ratios):6.3f} "
            f"{f'{min(ratios):.2f}-{max(ratios):.2f}':>12} {share:14.0%} {errors[name]:8.0e}",
            flush=True,
        )


@torch.inference_mode()
def batch_sizes(rounds, sizes=(512, 1024, 2048, 4096, 8192, 16384)):
    """Microseconds a token against tokens a batch."""
    print(f"\nmicroseconds a token, two blocks; tokens a batch:     {''.join(f'{n:>8}' for n in sizes)}")
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(width=512, depth=2)).eval()
    for dtype in (torch.float32, torch.bfloat16):
        model.to(dtype)
        for tokens in (88, 704):
            batches = [torch.randn((max(1, n // tokens), tokens, 512)).to(dtype) for n in sizes]
            times = [[] for _ in sizes]
            for _ in range(rounds):
                for x, found in zip(batches, times, strict=True):
                    model(x)
                    found.append(1e6 * seconds(lambda x=x: model(x)) / (len(x) * tokens))
            name = f"{str(dtype).removeprefix('torch.')}, {tokens} tokens a sample"
            print(f"{name:54}" + "".join(f"{statistics.median(found):8.1f}" for found in times), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled rows out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread{'s' * (options.threads > 1)}", flush=True)
    compare(options.rounds, not options.no_compile)
    batch_sizes(options.rounds)


if __name__ == "__main__":
    main()
