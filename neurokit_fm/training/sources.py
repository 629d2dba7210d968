"""Where batches come from: a protocol, windows of recordings in memory, and a mixture of sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from neurokit_fm.batch.batch import Batch
from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import DataError
from neurokit_fm.training.sampling import Budget, Cut, Sampler, stretches, tile


class Source(Protocol):
    """Batches, with or without end, that go on where they were.

    A batch is valid until the next one is asked for.
    """

    def __iter__(self) -> Iterator[Batch]:
        """Go on from the current state; when the batches end, the next call starts the next epoch."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """Return JSON values that say which batch comes next."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from a state."""
        ...


class WindowSource:
    """Batches of random windows of recordings in memory, without end.

    All processes draw the same batches and each takes its turn, so that two processes see together what one sees in two
    steps.

    Parameters
    ----------
    sampler : Sampler
    budget : Budget
    rank, world : int
    """

    def __init__(self, sampler: Sampler, budget: Budget, rank: int = 0, world: int = 1):
        self.sampler, self.budget, self.rank, self.world = sampler, budget, rank, world

    def __iter__(self) -> Iterator[Batch]:
        while True:
            turns = [self._draw() for _ in range(self.world)]
            yield self.budget.batch(turns[self.rank])

    def _draw(self) -> list[Cut]:
        """Draw windows until the next does not fit, and forget that one was drawn."""
        cuts: list[Cut] = []
        room = self.budget.limit
        while True:
            before = self.sampler.rng.bit_generator.state
            cut = self.sampler.draw()
            if cuts and self.budget.tokens(cut) > room:
                self.sampler.rng.bit_generator.state = before
                return cuts
            cuts.append(cut)
            room -= self.budget.tokens(cut)

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state of the random numbers."""
        return self.sampler.rng.bit_generator.state

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from a state."""
        self.sampler.rng.bit_generator.state = state


class Mixture:
    """Whole batches of several sources, chosen at random in proportion to their weights.

    Parameters
    ----------
    sources : sequence of Source
    weights : sequence of float
    seed : int
        Which source comes when; batch n is the same in every process.
    """

    def __init__(self, sources: Sequence[Source], weights: Sequence[float], seed: int):
        self.sources, self.seed, self.number = sources, seed, 0
        self.shares = np.array(weights) / sum(weights)

    def __iter__(self) -> Iterator[Batch]:
        streams = [endless(source) for source in self.sources]
        while True:
            rng = np.random.default_rng((self.seed, self.number))
            self.number += 1
            yield next(streams[int(rng.choice(len(streams), p=self.shares))])

    def state_dict(self) -> Mapping[str, Any]:
        """Return the number of the next batch and the states of the sources."""
        return {"number": self.number, "sources": [dict(source.state_dict()) for source in self.sources]}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from a state."""
        self.number = state["number"]
        for source, mine in zip(self.sources, state["sources"], strict=True):
            source.load_state_dict(mine)


def endless(source: Source) -> Iterator[Batch]:
    """Yield the batches of a source, epoch after epoch.

    Raises
    ------
    DataError
        If an epoch has none.
    """
    while True:
        empty = True
        for batch in source:
            empty = False
            yield batch
        if empty:
            raise DataError("the data give no batch: is there less than one window, or less than one for each process?")


def pools(
    contract: SeriesContract, recordings: Sequence[Recording], window_s: float, held_out_s: float = 0.0
) -> tuple[list[Cut], list[Cut]]:
    """Return stretches to draw from, and held-out windows, of all recordings.

    Parameters
    ----------
    contract : SeriesContract
        Applied to each recording.
    recordings : sequence of Recording
    window_s : float, seconds
    held_out_s : float, seconds
        At the end of each recording.

    Raises
    ------
    DataError
        If a recording has nothing to train on or to hold out, or there is none.
    """
    length, shortest = round(window_s * contract.sfreq), round(contract.min_window_s * contract.sfreq)
    pool: list[Cut] = []
    held: list[Cut] = []
    for recording in recordings:
        _, series = contract.apply(recording).series(contract.modality)
        border = max(0, series.n_samples - round(held_out_s * contract.sfreq))
        mine, kept = stretches(series, shortest, 0, border), stretches(series, shortest, border)
        if not mine or (held_out_s and not kept):
            raise DataError(
                f"{recording.title}: {series.duration:g} s with held_out_s={held_out_s:g} s leave no stretch of "
                f"{contract.min_window_s:g} s to {'hold out' if mine else 'train on'}; hold out {'more' if mine else 'less'}"
            )
        pool += mine
        held += [window for stretch in kept for window in tile(stretch, length)]
    if not pool:
        raise DataError("there are no recordings to train on")
    return pool, held
