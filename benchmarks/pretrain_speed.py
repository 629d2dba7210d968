"""Pre-training steps: real tokens/s beside the published REVE training code, and beside padding, on the same shapes.

    python benchmarks/pretrain_speed.py                        # ours packed, and padded with a mask
    git clone https://github.com/elouayas/reve_eeg && python benchmarks/pretrain_speed.py --published reve_eeg

A step is loss, gradient, clipping and StableAdamW (ours in all columns), of the same network: width 160, 4 encoder and 2
decoder blocks, secondary loss, patches of 1 s every 0.9 s at 200 Hz, 55 % hidden. The published loop draws its masks in
its data loader; its column hides tokens at random inside the step, which costs it nothing, while ours draws block masks in
the step. It takes batches of one size only: mixed sizes are what it would have to pad or sort out.

One thread, processor time, columns in turn, median over rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import neurokit_fm as nkfm
from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import read_config
from neurokit_fm.nn.blocks import Transformer
from neurokit_fm.training.optimisers import OptimiserConfig

SFREQ, WIDTH, HEADS, ENCODER, DECODER = 200.0, 160, 5, 4, 2
EQUAL = {"8 x 16 channels x 10 s": [(16, 10.0)] * 8, "2 x 64 channels x 10 s": [(64, 10.0)] * 2}
MIXED = {"4 to 64 channels, 2 to 30 s": [(4, 30.0), (64, 4.0), (19, 10.0), (32, 2.0), (8, 20.0), (21, 6.0)]}


def patches(seconds: float) -> int:
    return int((seconds * SFREQ - 200) // 180) + 1


def made_up(shapes: list[tuple[int, float]]) -> Batch:
    """Noise on a head, padded to the largest sample."""
    rng = torch.Generator().manual_seed(0)
    b, c, t = len(shapes), max(c for c, _ in shapes), round(max(s for _, s in shapes) * SFREQ)
    places = torch.randn((b, c, 3), generator=rng)
    places = 0.09 * places / places.norm(dim=-1, keepdim=True)
    channels = torch.tensor([n for n, _ in shapes])
    samples = torch.tensor([round(s * SFREQ) for _, s in shapes])
    stream = SeriesStream.from_arrays(
        torch.randn((b, c, t), generator=rng),
        sfreq=SFREQ,
        positions=places,
        channel_mask=torch.arange(c) < channels[:, None],
        time_mask=torch.arange(t) < samples[:, None],
        frame="template",
    )
    return Batch(streams={"eeg": stream})


def stepper(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimiser = OptimiserConfig(lr=1e-4).build(model.parameters())
    model.train()

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()

    return step


def ours(batch: Batch, *, pack: bool) -> Callable[[], None]:
    size = {"width": WIDTH, "heads": HEADS, "head_dim": 32}
    config = {
        "encoder": {"encoding": {"name": "fourier-4d", "freqs": 3}, "transformer": {**size, "depth": ENCODER}},
        "decoder": {**size, "depth": DECODER},
    }
    cls = nkfm.models.load("mae")
    model = cls(read_config(cls.config_class, config), nkfm.SeriesContract(frame="template"))
    if not pack:
        for stack in (m for m in model.modules() if isinstance(m, Transformer)):
            forward = stack.forward
            stack.forward = lambda x, mask=None, forward=forward, **k: forward(x, mask, **{**k, "pack": False})
    rng = torch.Generator().manual_seed(0)
    return stepper(model, lambda: model.loss(batch, generator=rng).total)


def published(folder: Path, batch: Batch) -> Callable[[], None]:
    """The step of its `train.py`, on its own modules."""
    sys.path.insert(0, str(folder / "src"))
    with contextlib.redirect_stdout(io.StringIO()):
        from models.mae import MAE  # its package is called `models`
    size = {"embed_dim": WIDTH, "heads": HEADS, "head_dim": 32, "mlp_dim_ratio": 2.66, "use_geglu": True}
    encoder = SimpleNamespace(transformer=SimpleNamespace(depth=ENCODER, **size), freqs=3, patch_size=200)
    encoder.patch_overlap, encoder.noise_ratio = 20, 0.0025
    decoder = SimpleNamespace(transformer=SimpleNamespace(depth=DECODER, **size), masking=SimpleNamespace(ratio=0.55))
    init = {"init_method": "full_megatron", "init_std": 0.02, "init_cutoff_factor": 3.0, "hidden_size": WIDTH}
    init |= {"num_hidden_layers": ENCODER + DECODER, "init_cls": True}
    config = SimpleNamespace(encoder=encoder, decoder=decoder, token_avg=True, token_avg_lambda=0.1, init=init)
    with contextlib.redirect_stdout(io.StringIO()):
        model = MAE(config)
    stream: Any = batch["eeg"]
    return stepper(model, lambda: model(stream.values, stream.positions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, help="checkout of the published code (needs einops, transformers)")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| batch | tokens, real / padded | ours, tokens/s | padded and masked, tokens/s | published code, tokens/s |")
    print("|---|---|---|---|---|")
    for name, shapes in {**EQUAL, **MIXED}.items():
        batch = made_up(shapes)
        real = sum(c * patches(s) for c, s in shapes)
        whole = len(shapes) * max(c for c, _ in shapes) * max(patches(s) for _, s in shapes)
        columns: dict[str, Callable[[], None]] = {"ours": ours(batch, pack=True), "padded": ours(batch, pack=False)}
        if given.published is not None and name in EQUAL:
            columns["published"] = published(given.published, batch)
        taken: dict[str, list[float]] = {column: [] for column in columns}
        for turn in range(given.rounds + 1):
            for column, step in columns.items():
                began = time.process_time()
                step()
                if turn:  # the first is a warm-up
                    taken[column].append(time.process_time() - began)
        rate = {column: real / float(np.median(seconds)) for column, seconds in taken.items()}
        cells = [f"{rate['ours']:,.0f}"]
        cells += [
            f"{rate[c]:,.0f} (ours x{rate['ours'] / rate[c]:.2f})" if c in rate else "-"
            for c in ("padded", "published")
        ]
        print(f"| {name} | {real:,} / {whole:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
