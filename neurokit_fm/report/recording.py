"""The sections that every report on a recording shares, and the report of one embedding."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurokit_fm.contract import SeriesContract
from neurokit_fm.contract.quality import inspect
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.embedding import Embedding
from neurokit_fm.report.embeddings import components, embedding_map, neighbours, similarity_map
from neurokit_fm.report.page import Picture, Section, Table, write_report
from neurokit_fm.report.sensors import sensor_map
from neurokit_fm.report.signals import density, spectrum

SCALES = {"V": (1e6, "µV"), "T": (1e15, "fT"), "T/m": (1e13, "fT/cm")}
"""SI unit to the factor and unit that people read."""

BANDS = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "low gamma": (30, 45)}
"""Bands of the table of power, Hz."""


def in_units(recording: Recording, contract: SeriesContract) -> TimeSeries:
    """Return the signal as a contract leaves it, but in SI units: neither scaled, normalised nor clipped."""
    plain = replace(contract, unit_scale=1.0, normalise="none", clip=None)
    return plain.apply(recording).series(contract.modality)[1]


def summary_section(recording: Recording, modality: str) -> Section:
    """Describe a recording: what it holds, where its sensors sit, how large each channel is."""
    _, series = recording.series(modality)
    scale, unit = SCALES.get(series.channels.unit[0], (1.0, series.channels.unit[0]))
    found = inspect(series, np.arange(len(series.channels)))
    bad = series.channels.bad | found.flat | ~np.isnan(found.first_bad_s)
    info = recording.info
    facts = [
        (name, words)
        for name, _, words in (line.strip().partition(": ") for line in recording.describe().splitlines()[1:])
    ]
    facts += [("subject", info.subject), ("task", info.task), ("licence", info.licence), ("cite", info.citation)]
    facts += [("already done", "; ".join(info.steps))]
    return Section(
        title="The recording",
        pictures=[
            Picture(
                figure=sensor_map(series.channels, found.short_std, label=f"standard deviation ({unit})", scale=scale),
                alt=f"Map of {int(series.channels.has_position.sum())} sensors from above, nose up, coloured by signal size",
                caption="Seen from above, nose up; the distance from the middle is the angle from the vertex. Colour: "
                "standard deviation within stretches of a second, so that slow drift does not count.",
            )
        ],
        tables=[
            Table(header=("of the recording", ""), rows=[fact for fact in facts if fact[1]]),
            Table(
                header=("channel", f"within a second ({unit})", f"whole recording ({unit})", "remark"),
                rows=[
                    (name, float(found.short_std[i] * scale), float(found.std[i] * scale), "bad" if bad[i] else "")
                    for i, name in enumerate(series.channels.name)
                ],
                caption="Standard deviation of each channel, within stretches of a second and as a whole (slow drift counts).",
                folded=True,
            ),
        ],
    )


def contract_section(recording: Recording, contract: SeriesContract, steps: tuple[str, ...]) -> Section:
    """Show what a contract did to a recording, in words and in the spectrum."""
    before = recording.series(contract.modality)[1]
    after = in_units(recording, contract)
    before = before.take(before.channels.rows(after.channels.name))
    scale, unit = SCALES.get(before.channels.unit[0], (1.0, before.channels.unit[0]))
    powers = [density(series) for series in (before, after)]
    rows = []
    for name, (low, high) in BANDS.items():
        medians = [
            float(np.median(p[:, inside].mean(axis=1))) * scale**2
            if (inside := (hz >= low) & (hz < high)).any()
            else np.nan
            for hz, p in powers
        ]
        rows.append((name, f"{low} to {high}", *medians))
    return Section(
        title="What the model gets",
        text="The model's input contract, applied in this order:",
        lines=steps,
        pictures=[
            Picture(
                figure=spectrum(before, after, scale=scale, unit=unit),
                alt="Power spectral density of each channel before and after the contract's filters",
                caption="Welch's method, two-second segments. Thin lines: channels; thick line: their median. Shown before "
                "normalisation.",
            )
        ],
        tables=[
            Table(
                header=("band", "Hz", f"as recorded ({unit}²/Hz)", f"as the model gets it ({unit}²/Hz)"),
                rows=rows,
                caption="Mean power spectral density, median over channels.",
            )
        ],
    )


def embedding_section(embedding: Embedding, recording: Recording) -> Section:
    """Map the embeddings of a recording over time, with its events."""
    values, times = embedding.values, embedding.times
    scores, share = components(values)
    text = (
        f"{len(values):,} windows of {times[0, 1] - times[0, 0]:g} s, one vector of {values.shape[1]} numbers each. "
        f"Three principal components hold {100 * share.sum():.0f} % of the variance."
    )
    pairs = neighbours(values, times)
    return Section(
        title="Embedding over time",
        text=text,
        pictures=[
            Picture(
                figure=embedding_map(values, times, recording.events),
                alt="Scatter of the first two principal components by time and by event, and three components over time",
                caption="Top: each dot is a window. Below: components over time, with the events of the recording.",
            ),
            Picture(
                figure=similarity_map(values, times),
                alt="Matrix of the similarity of each two windows of the recording",
                caption="Red: alike, blue: opposite, after the mean over windows is taken off. Blocks on the diagonal are "
                "states that last.",
            ),
        ],
        tables=[
            Table(
                header=("component", "share of variance", "standard deviation"),
                rows=[(f"PC{i + 1}", float(share[i]), float(scores[:, i].std())) for i in range(len(share))],
            ),
            *([Table(
                header=("window at (s)", "most alike, at (s)", "similarity"),
                rows=[(f"{a:.2f}", f"{b:.2f}", c) for a, b, c in pairs],
                caption="Nearest neighbours of windows spread over the recording; windows that overlap are passed over.",
            )] if pairs else []),
        ],
    )  # fmt: skip


def embedding_report(
    embedding: Embedding, recording: Recording, path: str | os.PathLike[str], *, command: str = ""
) -> Path:
    """Write the report of one embedding: recording, contract, sensors, spectrum, and the embedding over time.

    Parameters
    ----------
    embedding : Embedding
        Of `recording`, by a model with a series contract.
    recording : Recording
        As it was given to `embed`.
    path : path-like
        Of the HTML file.
    command : str
        The exact command that made it.

    Returns
    -------
    Path
    """
    contract = embedding.contract
    assert isinstance(contract, SeriesContract)  # embed takes no other
    own_steps = embedding.steps[len(recording.info.steps) :]
    return write_report(
        path,
        [
            summary_section(recording, contract.modality),
            contract_section(recording, contract, own_steps),
            embedding_section(embedding, recording),
        ],
        title=f"{recording.title}, embedded by {embedding.model}",
        command=command,
        facts=[
            ("model", embedding.model),
            ("weights (sha256)", embedding.weights or "made in this process, never saved"),
            ("embedded with", f"neurokit_fm {embedding.version}"),
        ],
    )
