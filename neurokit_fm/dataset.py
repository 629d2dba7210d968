"""Dataset: recordings with a table of who and what, under a licence, with a citation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from neurokit_fm.data.published import PublishedScore
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A sequence of recordings, opened one at a time.

    Attributes
    ----------
    name : str
    table : sequence of mapping
        One row a recording, JSON-able: ``subject``, ``session`` and whatever else describes it; ``part`` (``"train"``,
        ``"test"``) where a split is given.
    open : callable
        Row number to Recording.
    licence, citation, summary : str
    label_of : mapping of str to str
        Event label to class name, for labelled trials; empty for unlabelled data.
    target : str
        With `label_of`: column of the events that holds what is to be predicted of each trial, in place of its class name.
        Without: column of `table` that holds what is to be predicted of each whole recording. A text is a class, a number
        a quantity, a list of texts are labels that occur together.
    published : sequence of PublishedScore
        What others report for the given split of exactly these data; shown beside what is measured here.
    """

    name: str
    table: Sequence[Mapping[str, object]]
    open: Callable[[int], Recording]
    licence: str
    citation: str
    summary: str = ""
    label_of: Mapping[str, str] | None = None
    target: str = ""
    published: Sequence[PublishedScore] = ()

    def __post_init__(self) -> None:
        if not self.licence or not self.citation:
            raise DataError(f"dataset {self.name!r} must state its licence and its citation")

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> Recording:
        if not -len(self) <= row < len(self):
            raise IndexError(f"dataset {self.name!r} has {len(self)} recordings; asked for number {row}")
        return self.open(row % len(self))

    def __iter__(self) -> Iterator[Recording]:
        return (self.open(row) for row in range(len(self)))

    def take(self, rows: Sequence[int]) -> Dataset:
        """Return the dataset of some rows; what others report was measured on all of them and is left out."""
        rows, source = list(rows), self.open
        return replace(self, table=[self.table[row] for row in rows], open=lambda i: source(rows[i]), published=())
