"""Encoding EEG and MEG with the released size of BrainTokenizer, beside a plain implementation; features of BrainOmni.

    python benchmarks/braintokenizer.py             # about three minutes; --rounds 3 for less

Set-up: random weights, the same in every row; 306 sensors x 10 s at 256 Hz, windows of 2 s, without and with 25 %
overlap. Plain: the equations of arXiv:2505.18185 one after another, all windows of all sensors through each layer at
once, weight norm computed at each use, weights under their published names. The rows are timed in turn, in `--rounds`
rounds after one uncounted; times are processor times of one thread, `ratio` the median over the rounds of the plain
implementation's time over the row's in the same round. Codes must be equal. peak: resident memory that a process of its
own needs beyond what it has when weights and input are ready.
"""

import argparse
import ctypes
import functools
import gc
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from neurokit_fm.nn.quantize import QuantizerConfig
from nkfm_brainomni.config import BASE, CONTRACT, TINY
from nkfm_brainomni.model import BrainOmni
from nkfm_braintokenizer import seanet
from nkfm_braintokenizer.config import BrainTokenizerConfig
from nkfm_braintokenizer.convert import to_reference
from nkfm_braintokenizer.model import BrainTokenizerModel

SENSORS, SECONDS = 306, 10


def model_of(overlap):
    torch.manual_seed(0)
    codebook = QuantizerConfig(size=512, width=256, levels=4, gradient="rotation", start="random")
    model = BrainTokenizerModel(BrainTokenizerConfig(overlap=overlap, codebook=codebook), CONTRACT).eval()
    for part in (model.tokenizer.gather, model.tokenizer.sensors):  # fresh weights would give one code everywhere
        for linear in (module for module in part.modules() if isinstance(module, torch.nn.Linear)):
            torch.nn.init.normal_(linear.weight, std=3 * linear.in_features**-0.5)
    x, pos, kind = inputs()
    tokenizer = model.tokenizer
    rest = F.normalize(tokenizer.encode_windows(tokenizer.windows(x), tokenizer.sensors(pos, kind)), dim=-1).flatten(
        0, 3
    )
    for book in tokenizer.quantizer.books:
        book.fill(rest)
        rest = rest - book.vectors()[book.nearest(rest)]
    return model


def inputs():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn((1, SENSORS, SECONDS * 256), generator=rng)
    pos = torch.cat([torch.randn((1, SENSORS, 3), generator=rng) / 3, torch.randn((1, SENSORS, 3), generator=rng)], -1)
    return x, pos, torch.randint(1, 3, (1, SENSORS), generator=rng)


def conv(state, key, x, stride=1):
    g, v = state[f"{key}.conv.conv.weight_g"], state[f"{key}.conv.conv.weight_v"]
    kernel = v.shape[-1]
    spare = kernel - stride
    extra = (math.ceil((x.shape[-1] - kernel + spare) / stride + 1) - 1) * stride + kernel - spare - x.shape[-1]
    if spare:
        x = F.pad(x, (spare - spare // 2, spare // 2 + extra), mode="reflect")
    return F.conv1d(x, v * (g / v.norm(dim=(1, 2), keepdim=True)), state[f"{key}.conv.conv.bias"], stride)


def plain(state, lstm, step, x, pos, kind):
    """Codes (B, K, N, S, Q) by the published equations; `lstm` holds two layers."""
    windows = F.pad(x, (0, -(x.shape[-1] - 512) % step if step < 512 else 0)).unfold(-1, 512, step)
    b, c, n, _ = windows.shape
    h = conv(state, "encoder.seanet_encoder.model.0", windows.reshape(b * c * n, 1, 512))
    for i, ratio in enumerate((2, 4, 8)):
        at = f"encoder.seanet_encoder.model.{1 + 3 * i}"
        inner = conv(state, f"{at}.block.3", F.elu(conv(state, f"{at}.block.1", F.elu(h))))
        h = F.elu(conv(state, f"{at}.shortcut", h) + inner)
        h = conv(state, f"encoder.seanet_encoder.model.{3 + 3 * i}", h, ratio)
    h = h.permute(2, 0, 1)
    h = F.elu((lstm(h)[0] + h).permute(1, 2, 0))
    z = conv(state, "encoder.seanet_encoder.model.12", h).transpose(1, 2).reshape(b, c, n, 8, 256)

    def linear(key, y):
        return F.linear(y, state[f"{key}.weight"], state[f"{key}.bias"])

    e = linear("sensor_embed.pos_embedding_layer.2", F.selu(linear("sensor_embed.pos_embedding_layer.0", pos)))
    e = e + state["sensor_embed.sensor_embedding_layer.weight"][kind]
    hidden = F.selu(linear("sensor_embed.aggregate_mlp.layer.0", e))
    e = F.rms_norm(
        e + linear("sensor_embed.aggregate_mlp.layer.2", hidden), (256,), state["sensor_embed.norm.weight"], 1e-6
    )
    k, v = linear("encoder.k_proj", z + e[:, :, None, None]), linear("encoder.backwardsolution.v", z)
    k, v = (y.permute(0, 2, 3, 1, 4).reshape(b * n * 8, c, 4, 64).transpose(1, 2) for y in (k, v))
    q = state["encoder.neuros"].view(16, 4, 64).transpose(0, 1).expand(b * n * 8, 4, 16, 64)
    f = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, 8, 16, 256)
    f = linear("encoder.backwardsolution.proj", f).permute(0, 3, 1, 2, 4)
    rest, codes = F.normalize(f, dim=-1), []
    for level in range(4):
        table = state[f"quantizer.rvq.layers.{level}._codebook.embed"]
        codes.append((table.square().sum(1) - 2 * rest @ table.T).argmin(-1))
        rest = rest - table[codes[-1]]
    return torch.stack(codes, -1)


def rows(overlap):
    """The implementations by name, each without arguments to codes."""
    model, (x, pos, kind) = model_of(overlap), inputs()
    state, tokenizer = to_reference(model), model.tokenizer
    lstm = tokenizer.encoder.layers[10].lstm

    def ours():
        return tokenizer.encode(x, pos, kind).codes

    def at_once():
        seanet.ROWS, kept = 10**9, seanet.ROWS
        try:
            return ours()
        finally:
            seanet.ROWS = kept

    return {
        "plain, all rows at once": lambda: plain(state, lstm, tokenizer.config.step, x, pos, kind),
        "ours": ours,
        "ours, rows not cut": at_once,
    }


def resident_mb(label):
    """A memory figure of this process as Linux counts it, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(label)) / 1024


def peak_mb(name, overlap):
    """Memory that one row needs by itself, MB."""
    command = [sys.executable, __file__, "--peak", name, "--overlap", str(overlap)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def timed(call):
    begin = time.process_time()
    out = call()
    return time.process_time() - begin, out


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", default="")
    parser.add_argument("--overlap", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peak:
        call = rows(arguments.overlap)[arguments.peak]
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = resident_mb("VmRSS")
        call()
        print(resident_mb("VmHWM") - before)
        return
    results = []
    print(
        f"{SENSORS} sensors x {SECONDS} s, one thread\n\n| | overlap | windows | CPU s | ratio | peak MB | equal codes |"
    )
    print("|---|---|---|---|---|---|---|")
    for overlap in (0.0, 0.25):
        calls = rows(overlap)
        times, codes = {name: [] for name in calls}, {}
        for number in range(arguments.rounds + 1):
            for name, call in calls.items():
                seconds, codes[name] = timed(call)
                if number:
                    times[name].append(seconds)
        first = next(iter(calls))
        for name in calls:
            row = {
                "name": name,
                "overlap": overlap,
                "windows": codes[name].shape[2],
                "seconds": statistics.median(times[name]),
                "ratio": statistics.median(a / b for a, b in zip(times[first], times[name], strict=True)),
                "peak_mb": peak_mb(name, overlap),
                "different": int((codes[name] != codes[first]).sum()),
                "distinct": int(codes[name][..., 0].unique().numel()),
            }
            results.append(row)
            equal = "yes" if not row["different"] else f"{row['different']} differ"
            print(f"| {name} | {overlap:g} | {row['windows']} | {row['seconds']:.2f} | {row['ratio']:.2f} | "
                  f"{row['peak_mb']:.0f} | {equal}, {row['distinct']} distinct |", flush=True)  # fmt: skip
    print("\n| BrainOmni features | tokens | CPU s | of it blocks | windows of 10 s a second |\n|---|---|---|---|---|")
    x, pos, kind = inputs()
    for label, config in (("tiny", TINY), ("base", BASE)):
        torch.manual_seed(0)
        codebook = {"size": 512, "width": 256, "levels": 4, "start": "random"}
        settings = {"name": "braintokenizer", "overlap": 0.25, "codebook": codebook}
        model = BrainOmni(type(config)(tokenizer=settings, width=config.width, heads=config.heads), CONTRACT).eval()
        tokens = model.tokenize(x, pos, kind)[0]
        whole = statistics.median(timed(lambda m=model: m.encode(x, pos, kind))[0] for _ in range(arguments.rounds))
        later = functools.partial(model.encode_tokens, tokens)
        blocks = statistics.median(timed(later)[0] for _ in range(arguments.rounds))
        results.append({"name": label, "tokens": tokens.shape[2], "seconds": whole, "blocks": blocks})
        print(f"| {label} | {tokens.shape[1]} x {tokens.shape[2]} | {whole:.2f} | {blocks:.2f} | {1 / whole:.2f} |")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
