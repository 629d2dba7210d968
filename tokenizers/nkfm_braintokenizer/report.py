"""The page about a tokenized recording: what codes keep of each kind of sensor, drawn, and how the codes are used."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from neurokit_fm import Recording
from neurokit_fm.nn.quantize import code_use
from neurokit_fm.report import Picture, Section, Table, write_report
from neurokit_fm.report.canvas import COLOURS, INK, canvas, styled
from nkfm_braintokenizer.codes import Codes, batch_of, segments
from nkfm_braintokenizer.model import BrainTokenizerModel, Reconstruction
from nkfm_braintokenizer.sensors import KINDS

SHOWN = 8
"""Segments that are reconstructed for the page at most, spread over the recording."""


def use_of(codes: Codes) -> tuple[list[float], list[float]]:
    """Share of the codes in use and their perplexity, of each level."""
    share, perplexity = code_use(torch.from_numpy(codes.values).long(), codes.size)
    return share.tolist(), perplexity.tolist()


def correlations(made: Reconstruction) -> dict[str, tuple[int, float]]:
    """Number of sensors and mean correlation of windows with their reconstruction, by type; hidden ones by themselves."""
    found = {}
    each = made.correlation()
    for hidden in (False, True):
        for number, label in enumerate(KINDS):
            rows = (made.kind == number) & (made.hidden == hidden)  # (B, C)
            chosen = rows[..., None] & made.real
            if bool(chosen.any()):
                found[label + (", hidden from the encoder" if hidden else "")] = (
                    int(rows.sum()),
                    float(each[chosen].mean()),
                )
    return found


def codes_report(
    path: str | os.PathLike[str], model: BrainTokenizerModel, recording: Recording, codes: Codes, *, command: str = ""
) -> dict[str, float]:
    """Write the page.

    Returns
    -------
    dict
        Mean correlation of windows with their reconstruction, by sensor type.
    """
    contract: Any = model.contract
    _, series = contract.apply(recording).series(contract.modality)
    every = segments(contract, series, model.config.window)
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, SHOWN).round().astype(int))]
    sums: dict[str, list[tuple[int, float]]] = {}
    first: Reconstruction | None = None
    model.eval()
    with torch.inference_mode():
        for number, (start, stop) in enumerate(chosen):
            batch = batch_of(model, series, start, stop)
            plain = model.reconstruct(batch)
            first = first or plain
            others = torch.Generator().manual_seed(number)  # that are hidden: not the same each time
            some = model.reconstruct(batch, hide=True, generator=others) if len(series.channels) > 1 else plain
            for label, value in {**correlations(some), **correlations(plain)}.items():
                sums.setdefault(label, []).append(value)
    assert first is not None
    mean = {
        label: float(np.average([r for _, r in sums[label]], weights=[n for n, _ in sums[label]]))
        for label in sorted(sums, key=lambda name: ("," in name, name))
    }
    table = Table(
        header=["sensors", "how many", "mean correlation"],
        rows=[
            [label, sum(n for n, _ in sums[label]) if "," in label else sums[label][0][0], mean[label]]
            for label in mean
        ],
        caption=f"Windows of {model.config.window / model.tokenizer.sfreq:g} s in {_count(len(chosen), 'segment')}. Other "
        "sensors are hidden in each segment; all are counted.",
    )
    share, perplexity = use_of(codes)
    sections = [
        Section(
            title="Reconstruction",
            text="Every window of every sensor is brought to unit size; the codes keep its shape. Sensors hidden from the "
            "encoder are reconstructed from their place alone, with noise on the others.",
            tables=[table],
            pictures=[
                Picture(
                    figure=original_and_reconstruction(first, series.channels.name),
                    alt="Some sensors of each kind, recorded and reconstructed from codes",
                    caption="The three sensors of each kind with the largest, the median and the smallest correlation.",
                )
            ],
        ),
        Section(
            title="Use of the codes",
            text="How often each code is chosen, the most frequent first.",
            pictures=[
                Picture(
                    figure=code_counts(codes),
                    alt="Frequency of the codes of each level, in order",
                    caption="A table is well used if the line stays level; codes beyond its end are never chosen.",
                )
            ],
        ),
    ]
    size = f"{_count(len(codes.values), 'window')} of {len(series.channels)} sensors as {codes.values.size:,} codes"
    used = ", ".join(
        f"{100 * part:.0f} % (perplexity {spread:.0f})" for part, spread in zip(share, perplexity, strict=True)
    )
    summary = [
        f"{size}, {codes.bits_per_s:,.0f} bit/s.",
        "Mean correlation: " + ", ".join(f"{label} {value:.2f}" for label, value in mean.items()) + ".",
        f"Codes in use, of {codes.size} a level: {used}.",
    ]
    title = f"Codes of {recording.title}"
    write_report(path, sections, title=title, summary=summary, command=command, facts=[("Tokenizer", model.reference)])
    return mean


@styled
def original_and_reconstruction(made: Reconstruction, names: tuple[str, ...], sfreq: float = 256.0) -> Figure:
    """Draw three sensors of each kind over the first windows of the first sample."""
    each = made.correlation()[0].mean(-1)  # (C,)
    rows: list[int] = []
    for number in range(len(KINDS)):
        mine = torch.nonzero(made.kind[0] == number)[:, 0]
        order = mine[each[mine].argsort(descending=True)].tolist()
        rows += list(dict.fromkeys([order[0], order[len(order) // 2], order[-1]])) if order else []
    n = min(2, made.target.shape[2])
    figure, axes = canvas(10.0, 0.6 + 0.8 * len(rows), len(rows), 1, sharex=True, squeeze=False)
    for axis, row in zip(axes[:, 0], rows, strict=True):
        for x, colour, width in ((made.target, INK, 0.9), (made.made, COLOURS[1], 1.5)):
            parts: list[npt.NDArray[Any]] = [x[0, row, i].numpy() for i in range(n)]
            for i, part in enumerate(parts):
                axis.plot((i * len(part) + np.arange(len(part))) / sfreq, part, color=colour, linewidth=width)
        label = f"{KINDS[int(made.kind[0, row])]}\n{names[row]}\nr = {float(each[row]):.2f}"
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
    axes[-1, 0].set_xlabel("time (s)")
    axes[0, 0].plot([], [], color=INK, label="recorded")
    axes[0, 0].plot([], [], color=COLOURS[1], label="from codes")
    axes[0, 0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)
    return figure


@styled
def code_counts(codes: Codes) -> Figure:
    """Draw the frequency of the codes of each level in falling order."""
    levels = codes.values.shape[-1]
    figure, axes = canvas(2.6 * levels, 2.8, 1, levels, sharey=True, squeeze=False)
    perplexity = use_of(codes)[1]
    for level, axis in enumerate(axes[0]):
        counts = np.sort(np.bincount(codes.values[..., level].ravel(), minlength=codes.size))[::-1]
        axis.fill_between(np.arange(codes.size), counts / counts.sum(), step="mid", color=COLOURS[0], linewidth=0)
        axis.axhline(1 / codes.size, color=INK, linewidth=0.8, linestyle=":")
        axis.set_title(f"level {level + 1}: perplexity {perplexity[level]:.0f}", fontsize=10)
        axis.set_xlabel("code, by rank")
        axis.set_xlim(0, codes.size - 1)
    axes[0, 0].set_ylabel("share of tokens")
    return figure


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
