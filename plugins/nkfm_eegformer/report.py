"""The page about the codes of a recording: where and when they speak, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from neurokit_fm import Recording
from neurokit_fm.report import Picture, Section, Table, write_report
from neurokit_fm.report.canvas import COLOURS
from neurokit_fm.report.recording import SCALES, in_units, summary_section
from nkfm_eegformer import figures
from nkfm_eegformer.anomaly import detections, window_scores
from nkfm_eegformer.contrast import UNUSUAL, UNUSUAL_NAME, Contrast
from nkfm_eegformer.model import EEGFormer
from nkfm_eegformer.ngrams import Telling, places
from nkfm_eegformer.reading import CodeSequences, Pattern, code_maps, pattern, usage

PATTERNS, CODES, ROWS, EXCERPT_WINDOWS = 5, 10, 10, 6
"""Patterns and codes that are drawn; channels and window lengths of the excerpt."""


def codes_report(
    path: str | os.PathLike[str],
    model: EEGFormer,
    recording: Recording,
    codes: CodeSequences,
    contrast: Contrast,
    *,
    events: Sequence[str] = (),
    command: str = "",
) -> Path:
    """Write the page about a recording's codes.

    Parameters
    ----------
    path : path-like
    model : EEGFormer
    recording : Recording
        As it was read.
    codes : CodeSequences
        Of that recording, with spectra.
    contrast : Contrast
        Between windows of it.
    events : sequence of str
        Labels the contrast goes by; empty: the windows it is about were chosen by their reconstruction error.
    command : str
    """
    telling = contrast.telling(2 * PATTERNS)
    patterns = [pattern(codes, one.key) for one in telling]
    use = usage(codes)
    held = contrast.held_out
    words = "cannot be said" if held is None else f"AUROC {held.auroc:.2f} (0.50 is chance)"
    lead, what = telling[0], patterns[0]
    strongest = ", ".join(codes.channels.name[i] for i in np.argsort(-what.rate)[:3])
    summary = [
        f"{len(codes)} windows of {model.contract.window_s:g} s, {len(codes.channels)} channels. Perplexity "
        + f"{use.perplexity:.0f}; {codes.n_codes - len(use.dead)} of {codes.n_codes} codes are used.",
        f"{int(contrast.inside.sum())} windows are {contrast.name}. Told from the rest by patterns learned in other parts "
        + f"of the recording: {words}.",
        f"Most telling: {figures.name_of(lead.key)}, {figures.band_of(what)} with its peak at {what.peak_hz:.3g} Hz, "
        + f"{np.exp(lead.log_odds):.0f} times as frequent in {_windows(contrast)}, most often at {strongest}.",
    ]
    return write_report(
        path,
        [
            _where_and_when(model, recording, codes, contrast, patterns[: len(COLOURS) - 1], bool(events)),
            _patterns(codes, contrast, telling, patterns),
            _over_time(codes, contrast),
            _codebook(codes),
            _anomalies(model, codes, contrast, bool(events)),
            summary_section(recording, model.contract.modality),
        ],
        title=f"Codes of {recording.title}",
        summary=summary,
        command=command,
        facts=[
            ("model", model.reference),
            (
                "weights (sha256)",
                model.load_report.sha256 if model.load_report else "made in this process, never saved",
            ),
        ],
    )


def _windows(contrast: Contrast) -> str:
    """What windows inside are, in words."""
    return "unusual windows" if contrast.name == UNUSUAL_NAME else f"windows {contrast.name}"


def _front_to_back(codes: CodeSequences) -> npt.NDArray[np.int64]:
    y = np.nan_to_num(codes.channels.position[:, 1], nan=-np.inf)
    return np.argsort(-y, kind="stable")


def _where_and_when(
    model: EEGFormer,
    recording: Recording,
    codes: CodeSequences,
    contrast: Contrast,
    patterns: Sequence[Pattern],
    labelled: bool,
) -> Section:
    evidence = contrast.evidence.sum(axis=2)  # (W, C)
    order = _front_to_back(codes)
    how = (
        f"Windows that lie at least half {contrast.name} are contrasted with the rest."
        if labelled
        else f"No events were named, so the {100 * UNUSUAL:.0f} % of the windows that the codes describe least well are "
        "contrasted with the rest."
    )
    start, stop = _excerpt(codes, contrast, evidence)
    return Section(
        title="Where and when",
        text=f"{how} Each n-gram of codes has log-odds: how much more often it stands in windows of the first kind. Its "
        "log-odds are the evidence at the patches it covers; here they are summed over the patches of a window. The patterns "
        "were learned from these very windows; the AUROC above is of windows that took no part in learning.",
        pictures=[
            Picture(
                figure=figures.evidence_map(
                    evidence[:, order],
                    codes.times,
                    contrast.inside,
                    [codes.channels.name[i] for i in order],
                    title=f"Evidence that a window is {contrast.name}",
                ),
                alt=f"Evidence that a window is {contrast.name}, over time: all channels together, and channel by channel",
                caption=f"Above: evidence of all channels; shaded: {_windows(contrast)}. Below: red speaks for it, "
                "blue against; channels from front to back, the orange bars are the same windows.",
            ),
            Picture(
                figure=_signals(model, recording, codes, contrast, patterns, start, stop),
                alt=f"{ROWS} channels from {start:.1f} to {stop:.1f} s with the most telling patterns highlighted, and a "
                "scalp map of the evidence",
                caption="The stretch with most evidence, in the channels that have most of it. Grey: recorded, above "
                f"{figures.SLOWEST_HZ:g} Hz. Coloured: windows and channels where a telling pattern stands, and the signal "
                "in the band of that pattern; where several stand, the most telling. Black bar: "
                f"{_windows(contrast)}.",
            ),
        ],
    )


def _excerpt(codes: CodeSequences, contrast: Contrast, evidence: npt.NDArray[np.float64]) -> tuple[float, float]:
    """A few window lengths around the window inside that has most evidence, seconds."""
    total = np.where(contrast.inside, evidence.sum(axis=1), -np.inf)
    best = codes.times[int(np.argmax(total))]
    reach = (best[1] - best[0]) * (EXCERPT_WINDOWS - 1) / 2
    start = max(float(codes.times[:, 0].min()), float(best[0]) - reach)
    return start, min(float(codes.times[:, 1].max()), start + (best[1] - best[0]) * EXCERPT_WINDOWS)


def _signals(
    model: EEGFormer,
    recording: Recording,
    codes: CodeSequences,
    contrast: Contrast,
    patterns: Sequence[Pattern],
    start: float,
    stop: float,
) -> Figure:
    series = in_units(recording, model.contract).crop(start, stop)
    scale, unit = SCALES.get(series.channels.unit[0], (1.0, series.channels.unit[0]))
    shown = (codes.times[:, 1] > start) & (codes.times[:, 0] < stop)
    by_channel = contrast.evidence[shown & contrast.inside].sum(axis=(0, 2))  # (C,)
    chosen = set(np.argsort(-by_channel)[:ROWS].tolist())
    rows = [i for i in _front_to_back(codes) if i in chosen]
    marks = []
    for number, what in enumerate(patterns):
        for window, channel, _ in places(codes.codes, what.key):
            if shown[window] and channel in chosen:
                begin, end = codes.times[window].clip(start, stop)
                marks.append((rows.index(channel), float(begin), float(end), number))
    covered = codes.times[contrast.inside & shown]
    spans = [(max(float(a), start), min(float(b), stop)) for a, b in covered]
    return figures.excerpt(
        series.start + np.arange(series.n_samples) / series.sfreq,
        series.read()[rows].astype(np.float64) * scale,
        [codes.channels.name[i] for i in rows],
        marks,
        patterns,
        (codes.channels, by_channel),
        spans,
        unit=unit,
        name=contrast.name,
    )


def _patterns(
    codes: CodeSequences, contrast: Contrast, telling: Sequence[Telling], patterns: Sequence[Pattern]
) -> Section:
    drawn = list(zip(telling, patterns, strict=True))[:PATTERNS]
    return Section(
        title="The most telling patterns",
        text="What each pattern stands for: its mean spectrum, and how often it occurs in a window of each channel.",
        pictures=[
            Picture(
                figure=figures.pattern_grid(
                    [what for _, what in drawn],
                    codes.channels,
                    [f"{figures.name_of(one.key)}\nlog-odds {one.log_odds:.2f}" for one, _ in drawn],
                ),
                alt="Mean spectrum and scalp map of each of the most telling patterns",
                caption="Coloured: mean spectrum of the pattern; grey: usual one at these frequencies. In standard deviations "
                "of a channel's spectrum, around its mean.",
            )
        ],
        tables=[
            Table(
                header=("codes", "log-odds", "at least", contrast.name, "the rest", "band", "peak (Hz)", "channels"),
                rows=[
                    (
                        figures.name_of(one.key),
                        f"{one.log_odds:.2f}",
                        f"{one.at_least:.2f}",
                        one.inside,
                        one.outside,
                        figures.band_of(what),
                        f"{what.peak_hz:.2f}",
                        ", ".join(codes.channels.name[i] for i in np.argsort(-what.rate)[:3]),
                    )
                    for one, what in zip(telling, patterns, strict=True)
                ],
                caption="In order of the lower end of the 95 % interval of the log-odds (third column), so that what was seen "
                "once does not come first. The two columns after it: occurrences.",
            )
        ],
    )


def _order(codes: CodeSequences) -> npt.NDArray[np.int64]:
    """Codes in use, by the mean frequency of their patches."""
    middle = np.broadcast_to(codes.hz.mean(axis=1), codes.codes.shape)
    real = codes.codes >= 0
    total = np.bincount(codes.codes[real], weights=middle[real], minlength=codes.n_codes)
    counts = codes.counts()
    used = np.flatnonzero(counts)
    return used[np.argsort(total[used] / counts[used], kind="stable")]


def _over_time(codes: CodeSequences, contrast: Contrast) -> Section:
    return Section(
        title="Codes over time",
        text="Each row is one code of the book.",
        pictures=[
            Picture(
                figure=figures.codes_over_time(codes.codes, codes.times, contrast.inside, _order(codes)),
                alt="How often each code occurs in each window, relative to its mean",
                caption=f"Orange on top: {_windows(contrast)}. Codes are ordered by the frequency where they occur.",
            )
        ],
    )


def _codebook(codes: CodeSequences) -> Section:
    use, maps = usage(codes), code_maps(codes)
    most = [int(code) for code in np.argsort(-use.counts, kind="stable")[:CODES] if use.counts[code]]
    described = {int(code): pattern(codes, [int(code)]) for code in np.flatnonzero(use.counts)}
    dead = ", ".join(map(str, use.dead)) or "none"
    return Section(
        title="The codebook",
        text=f"Perplexity {use.perplexity:.1f} of {codes.n_codes} ({100 * use.share:.0f} %). Codes that never occur in this "
        f"recording: {len(use.dead)} ({dead}).",
        pictures=[
            Picture(
                figure=figures.code_usage(use.counts, use.perplexity),
                alt=f"Share of patches of each of {codes.n_codes} codes, most frequent first",
            ),
            Picture(
                figure=figures.pattern_grid(
                    [described[code] for code in most],
                    codes.channels,
                    [f"code {code}\n{100 * use.counts[code] / use.counts.sum():.1f} % of patches" for code in most],
                ),
                alt="Mean spectrum and scalp map of the most frequent codes",
                caption="The most frequent codes: mean spectrum (coloured) beside the usual one (grey) at the place where the "
                "code stands most often, and its scalp map.",
            ),
        ],
        tables=[
            Table(
                header=("code", "occurrences", "band", "peak (Hz)", "channels"),
                rows=[
                    (
                        str(code),
                        what.count,
                        figures.band_of(what),
                        f"{what.peak_hz:.2f}",
                        ", ".join(codes.channels.name[i] for i in np.argsort(-maps[code])[:3]),
                    )
                    for code, what in described.items()
                ],
                caption="Every code of this recording",
                folded=True,
            )
        ],
    )


def _anomalies(model: EEGFormer, codes: CodeSequences, contrast: Contrast, labelled: bool) -> Section:
    seen = model.seen.cpu().numpy()
    scores = window_scores(codes, seen)
    tables = []
    if labelled:
        tables.append(
            Table(
                header=("score", "AUROC", "AUPRC", "AUPRC by chance"),
                rows=[
                    (name, f"{found.auroc:.3f}", f"{found.auprc:.3f}", f"{found.prevalence:.3f}")
                    for name, found in detections(scores, contrast.inside).items()
                ],
                caption=f"How well each score finds the {_windows(contrast)}. No label was used to make the scores.",
            )
        )
    return Section(
        title="How unusual",
        text="Scores that need no labels, mean over channels: error of the spectrum that the codes stand for; distance of the "
        "encoder's vectors to the codes; how rare the codes were while the model learned. Higher is more unusual to the model; "
        "what is rhythmic may have frequent codes and so a low third score.",
        pictures=[
            Picture(
                figure=figures.anomaly_courses(scores, codes.times, contrast.inside),
                alt="Three anomaly scores over time",
                caption=f"Shaded: {_windows(contrast)}.",
            )
        ],
        tables=tables,
    )
