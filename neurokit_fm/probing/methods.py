"""Method: anything that learns from the training part of a fold and predicts the test part; and `evaluate`, which runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import DataError, NkfmError
from neurokit_fm.evaluation.outcome import Outcome, Prediction, joined
from neurokit_fm.evaluation.protocols import Fold, Piece, Protocol, folds
from neurokit_fm.evaluation.report import ProbeReport, Score, score
from neurokit_fm.model import Model
from neurokit_fm.probing.cache import FeatureCache
from neurokit_fm.probing.classify import Head, fit_predict
from neurokit_fm.probing.leaks import refuse_leaks
from neurokit_fm.probing.trials import Summary, Trials, trial_features


@dataclass(frozen=True, eq=False)
class Run:
    """What a method did with one fold.

    Attributes
    ----------
    outcome : Outcome
    n_train : int
        Trials.
    words : str
        What was done.
    """

    outcome: Outcome
    n_train: int
    words: str


class Method(ABC):
    """Something with a name that can be evaluated."""

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def run(self, fold: Fold, seed: int) -> Run:
        """Learn from the training part, predict the test part."""


class Memo:
    """Trials of the pieces of a data set, each made once.

    Parameters
    ----------
    make : callable
        Data set to Trials.
    """

    def __init__(self, make: Callable[[Dataset], Trials]):
        self.make = make
        self.dataset: Dataset | None = None
        self.known: dict[Piece, Trials] = {}

    def __call__(self, fold: Fold, pieces: Sequence[Piece]) -> Trials:
        """Return the trials of some pieces together."""
        if fold.dataset is not self.dataset:
            self.dataset, self.known = fold.dataset, {}
        for piece in pieces:
            if piece not in self.known:
                self.known[piece] = self.make(fold.take([piece]))
        return Trials.join([self.known[piece] for piece in pieces])


class Frozen(Method):
    """Fixed features and a head that is fitted to them.

    Parameters
    ----------
    name : str
    memo : Memo
        May be shared between methods with the same features.
    predict : callable
        (training trials, test trials, seed) to a prediction and what was done.
    """

    def __init__(self, name: str, memo: Memo, predict: Callable[[Trials, Trials, int], tuple[Prediction, str]]):
        super().__init__(name)
        self.memo, self.predict = memo, predict

    def run(self, fold: Fold, seed: int) -> Run:
        """Fit the head to the trials of the training part."""
        return self.of(self.memo(fold, fold.train), self.memo(fold, fold.test), seed)

    def of(self, known: Trials, new: Trials, seed: int) -> Run:
        """Fit the head to trials."""
        known.must_match(new)
        predicted, words = self.predict(known, new, seed)
        return Run(Outcome.of(known.kind, new.y, predicted, new.groups, new.units), len(known.y), words)


def model_probe(
    model: Model,
    head: Head = "ridge",
    features: Summary = "channels",
    *,
    name: str = "",
    memo: Memo | None = None,
    cache: FeatureCache | None = None,
) -> Frozen:
    """Make the method of a head on a model's features.

    Parameters
    ----------
    model : Model
    head, features : str
        See `fit_predict` and `trial_features`.
    name : str
        Of the model; default: what it was loaded as.
    memo : Memo, optional
        Of another probe of the same model and features, whose features are used.
    cache : FeatureCache, optional
    """

    def predict(known: Trials, new: Trials, seed: int) -> tuple[Prediction, str]:
        said, words = fit_predict(head, known.x, known.y, known.inner_groups, new.x, seed, known.kind)
        return said, f"frozen features, {known.x.shape[1]} values, {words}"

    memo = memo or Memo(lambda dataset: trial_features(model, dataset, features=features, cache=cache))
    return Frozen(f"{name or model.reference}, {features}, {head}", memo, predict)


def scored(method: Frozen, known: Trials, new: Trials, seed: int) -> Score:
    """Score a method on trials that are already there."""
    run = method.of(known, new, seed)
    return score(method.name, run.outcome, n_train=run.n_train, protocol=run.words, seed=seed)


def evaluate(
    methods: Sequence[Method],
    dataset: Dataset,
    protocol: Protocol,
    *,
    plain: Sequence[Method] = (),
    modality: str = "eeg",
    seed: int = 0,
    check: bool = True,
    corpora: Sequence[str] = (),
    progress: bool = False,
) -> ProbeReport:
    """Run methods on the same folds and score their predictions of all test parts together.

    Parameters
    ----------
    methods : sequence of Method
    dataset : Dataset
        With labels. Where each recording has one target, trials are windows of it, and one prediction a recording is
        scored: the mean decision over its windows.
    protocol : Protocol
    plain : sequence of Method
        What the others have to beat.
    modality : str
        Signal that the leak check compares.
    seed : int
        Of folds, heads, bootstrap and permutations.
    check : bool
        Look for leaks first, see `find_leaks`.
    corpora : sequence of str
        Folders of corpora that a model was pre-trained on, for the same check.
    progress : bool
        Show a bar.

    Returns
    -------
    ProbeReport
        With what others report for the data set, where it is tested on their trials: all of the given test part.

    Raises
    ------
    DataError
        If the data set cannot be divided so, a test part leaks into its training part, or trials do not fit together.
    """
    parts = folds(dataset, protocol, seed=seed)
    leaks = refuse_leaks(parts, protocol.by, modality=modality, corpora=corpora) if check else []
    whole = not dataset.label_of
    scores: dict[str, Score] = {}
    with tqdm(total=len(parts) * (len(methods) + len(plain)), unit="fold", disable=not progress) as bar:
        for method in (*methods, *plain):
            if method.name in scores:
                raise DataError(f"two methods are called {method.name!r}; give them different names")
            runs = []
            for fold in parts:
                try:
                    runs.append(method.run(fold, seed))
                except NkfmError as err:
                    raise type(err)(f"{method.name}, {fold.name}: {err}") from err
                bar.update()
            outcome = joined([run.outcome for run in runs])
            outcome = outcome.per_recording() if whole else outcome
            words = [protocol.words, "one prediction a recording" if whole else "", runs[0].words]
            words += [f"the first of {len(parts)} folds"] if len(parts) > 1 else []
            n_train = round(sum(run.n_train for run in runs) / len(runs))
            scores[method.name] = score(
                method.name, outcome, n_train=n_train, protocol="; ".join(filter(None, words)), seed=seed
            )
    every = list(scores.values())
    return ProbeReport(
        scores=tuple(every[: len(methods)]),
        baselines=tuple(every[len(methods) :]),
        published=tuple(
            p for p in dataset.published if protocol.by == "given" and {p.n_test} == {s.n_test for s in every}
        ),
        warnings=tuple(leak.message for leak in leaks),
    )
