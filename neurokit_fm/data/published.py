"""PublishedScore: what others report for a data set, to be shown beside what is measured here."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """Accuracy that others report for the given split of a data set, by its source; nothing of it was run here.

    Attributes
    ----------
    method : str
        With what tells it from its kin: number of neighbours, mean of how many runs.
    accuracy : float
        Share of the test trials, 0 to 1.
    n_test : int
        Test trials.
    source : str
        Who reports it and where the number stands, so that it can be looked up.
    """

    method: str
    accuracy: float
    n_test: int
    source: str

    def __post_init__(self) -> None:
        if not self.source or not 0 <= self.accuracy <= 1 or self.n_test < 1:
            raise DataError(f"a published score needs a source, a share of right trials and their number; got {self}")
