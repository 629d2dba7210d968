"""Where training windows come from: stretches of signals, drawn at random, collated into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.collate import collate_series
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.model import Model


@dataclass(frozen=True, eq=False)
class Cut:
    """Samples [first, last) of a signal.

    Attributes
    ----------
    series : TimeSeries
    first, last : int
    """

    series: TimeSeries
    first: int
    last: int

    @property
    def shape(self) -> tuple[int, int]:
        """(C, T)."""
        return len(self.series.channels), self.last - self.first

    def read(self) -> TimeSeries:
        """Return the samples as a signal of its own."""
        data = self.series.read(self.first, self.last)
        return replace(self.series, data=data, start=self.series.start + self.first / self.series.sfreq, breaks=())


def stretches(series: TimeSeries, shortest: int, first: int = 0, last: int | None = None) -> list[Cut]:
    """Connected stretches of at least `shortest` samples within [first, last)."""
    last = series.n_samples if last is None else last
    clipped = ((max(a, first), min(b, last)) for a, b in series.runs())
    return [Cut(series, a, b) for a, b in clipped if b - a >= shortest]


def tile(stretch: Cut, length: int) -> list[Cut]:
    """Windows side by side; a stretch shorter than one window is one itself."""
    if stretch.last - stretch.first < length:
        return [stretch]
    starts = range(stretch.first, stretch.last - length + 1, length)
    return [Cut(stretch.series, a, a + length) for a in starts]


class Sampler:
    """Draws windows uniformly over the time of all stretches.

    A stretch is chosen with a chance in proportion to its duration and weight, then the start within it; a stretch
    shorter than one window is taken whole.

    Parameters
    ----------
    pool : sequence of Cut
    length : int
        Samples of a window.
    rng : numpy.random.Generator
    weights : sequence of float, optional
        One a stretch; default: all the same.
    """

    def __init__(
        self, pool: Sequence[Cut], length: int, rng: np.random.Generator, weights: Sequence[float] | None = None
    ):
        self.pool, self.length, self.rng = pool, length, rng
        mass = np.array([cut.last - cut.first for cut in pool]) * (1.0 if weights is None else np.array(weights))
        self.ends = np.cumsum(mass / mass.sum())

    def __iter__(self) -> Iterator[Cut]:
        while True:
            yield self.draw()

    def draw(self) -> Cut:
        """Return a window."""
        row = int(np.searchsorted(self.ends, self.rng.random(), side="right"))
        chosen = self.pool[min(row, len(self.pool) - 1)]  # the last end may be just below 1
        spare = chosen.last - chosen.first - self.length
        if spare <= 0:
            return chosen
        start = chosen.first + int(self.rng.integers(spare + 1))
        return Cut(chosen.series, start, start + self.length)


class Budget:
    """Batches of windows with at most so many tokens, for one model.

    How many tokens a window has is asked of the model, once for each number of channels and samples. Where it depends
    on what the samples hold (one token a heartbeat, say), the first window of that size stands for the others.

    Parameters
    ----------
    model : Model
    modality : str
        Name of the only stream of a batch.
    limit : int
        Tokens of a batch at most; one window always fits.

    Attributes
    ----------
    device : torch.device
        Of the model.
    """

    def __init__(self, model: Model, modality: str, limit: int):
        self.model, self.modality, self.limit = model, modality, limit
        self.device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._known: dict[tuple[int, int], int] = {}

    def batch(self, cuts: Sequence[Cut]) -> Batch:
        """Read windows into one padded batch, on the model's device."""
        return Batch(streams={self.modality: collate_series([cut.read() for cut in cuts])}).to(self.device)

    def tokens(self, cut: Cut) -> int:
        """Return how many tokens a window has."""
        if cut.shape not in self._known:
            self._known[cut.shape] = self._ask(self.batch([cut]))
        return self._known[cut.shape]

    def tokens_of(self, n_channels: int, n_samples: int) -> int:
        """Return how many tokens a window of a shape has, whatever it holds."""
        shape = (n_channels, n_samples)
        if shape not in self._known:
            contract = self.model.contract
            assert isinstance(contract, SeriesContract)  # batches of series only
            blank = SeriesStream.from_arrays(
                torch.zeros((1, *shape)),
                sfreq=contract.sfreq,
                positions=torch.rand((n_channels, 3), generator=torch.Generator().manual_seed(0)) * 0.1,
                names=tuple(f"S{i}" for i in range(n_channels)),
                frame=contract.frame or "unknown",
            )
            self._known[shape] = self._ask(Batch(streams={self.modality: blank}))
        return self._known[shape]

    def count(self, batch: Batch) -> int:
        """Return how many tokens a padded batch has."""
        stream = batch.the(SeriesStream)
        shapes = zip(stream.channel_mask.sum(1).tolist(), stream.time_mask.sum(1).tolist(), strict=True)
        return sum(self.tokens_of(c, t) for c, t in shapes)

    def _ask(self, batch: Batch) -> int:
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            tokens = max(1, int(self.model(batch.to(self.device)).mask.sum()))
        self.model.train(was_training)
        return tokens

    def split(self, cuts: Iterable[Cut]) -> Iterator[list[Cut]]:
        """Group windows, possibly without end, into batches, in order."""
        batch: list[Cut] = []
        room = self.limit
        for cut in cuts:
            if batch and self.tokens(cut) > room:
                yield batch
                batch, room = [], self.limit
            batch.append(cut)
            room -= self.tokens(cut)
        if batch:
            yield batch
