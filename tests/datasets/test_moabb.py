"""MOABB: its data sets as ours, our models in its evaluations, and the same scores either way. Nothing is downloaded."""

import json
import os
import pickle
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import neurokit_fm as nkfm
from neurokit_fm.cli.main import main
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, DataError, UnknownName
from neurokit_fm.evaluation import folds
from neurokit_fm.probing import Prediction, Protocol, evaluate, raw_trials
from neurokit_fm.probing.methods import Frozen, Memo

moabb = pytest.importorskip("moabb")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Montage name 'standard_1005' is deprecated:FutureWarning"),  # MOABB's fake data
    pytest.mark.filterwarnings("ignore:Creating a dataset without passing data or dtype"),  # MOABB's table of results
]

FAKE = {
    "event_list": ["left_hand", "right_hand"],
    "n_subjects": 3,
    "n_runs": 2,
    "duration": 20,
    "n_events": 8,
    "seed": 1,
}
NAMES = ("C3", "Cz", "C4")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home and a temporary folder of its own; MOABB's fake data sets leave variables and folders behind."""
    with mock.patch.dict(os.environ, {"HOME": str(tmp_path), "_MNE_FAKE_HOME_DIR": str(tmp_path)}):
        for key in [key for key in os.environ if key.startswith(("MNE_DATA", "MOABB_"))]:
            del os.environ[key]
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        yield tmp_path


def load(dataset: Any = "FakeDataset", **settings: Any) -> nkfm.Dataset:
    if dataset == "FakeDataset":
        settings["dataset_settings"] = {**FAKE, **settings.get("dataset_settings", {})}
    made: nkfm.Dataset = nkfm.datasets.load("moabb")(dataset, **settings)
    return made


def fake(**settings: Any) -> Any:
    from moabb.datasets.fake import FakeDataset

    return FakeDataset(**{**FAKE, **settings})


def small() -> nkfm.Model:
    cls = nkfm.models.load("mae")
    encoder = {
        "tokenizer": {"name": "patch", "length_s": 0.5, "hop_s": 0.5},
        "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    }
    contract = nkfm.SeriesContract(
        sfreq=100.0, window_s=3.0, min_window_s=0.5, normalise="none", unit_scale=1e5, frame="template"
    )
    config = read_config(cls.config_class, {"encoder": encoder, "decoder": encoder["transformer"]})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nkfm.Model = cls(config, contract)
    return model.eval()


def test_a_recording_is_a_session_of_trials_as_moabb_cuts_them() -> None:
    from moabb.paradigms import LeftRightImagery

    data = load(paradigm="LeftRightImagery", paradigm_settings={"fmin": 4, "resample": 100}, subjects=[1, 3])
    assert data.table == [{"subject": s, "session": k} for s in "13" for k in "01"]
    assert data.label_of == {"left_hand": "left_hand", "right_hand": "right_hand"}
    x, y, about = LeftRightImagery(fmin=4, resample=100).get_data(fake(), [3])  # microvolts
    mine = data[3]
    _, series = mine.series("eeg")
    theirs = about["session"] == "1"
    assert np.allclose(raw_trials(data.take([3])).x, 1e-6 * x[theirs], atol=1e-11)
    assert series.channels.name == NAMES
    assert series.channels.has_position.all()
    assert (series.sfreq, series.modality) == (100, "eeg")
    assert 1e-6 < series.read().std() < 1e-4  # volts
    assert mine.events.label == tuple(y[theirs])
    assert np.allclose(mine.events.duration, x.shape[2] / 100)
    assert list(mine.events.columns["run"]) == list(about["run"][theirs])
    assert (mine.info.subject, mine.info.session, mine.info.task) == ("3", "1", "imagery")
    assert "LeftRightImagery of MOABB: 4 to 32 Hz" in mine.info.steps
    assert len(series.breaks) == len(y[theirs]) - 1


def test_objects_are_taken_as_they_are_and_factors_to_microvolts_heeded() -> None:
    from moabb.paradigms import LeftRightImagery

    source, paradigm = fake(), LeftRightImagery(resample=100)
    one = raw_trials(load(source, paradigm=paradigm).take([0])).x
    source.unit_factor = 1.0  # as if its values were microvolts
    two = raw_trials(load(source, paradigm=paradigm).take([0])).x
    assert np.allclose(two, 1e-6 * one, atol=0, rtol=1e-5)
    with pytest.raises(
        ConfigError, match="dataset_settings are for what is given by name; FakeDataset is already made"
    ):
        load(source, dataset_settings={"seed": 2})
    with pytest.raises(ConfigError, match="paradigm_settings are for what is given by name"):
        load(source, paradigm=paradigm, paradigm_settings={"fmin": 4})


@pytest.mark.parametrize(
    ("kind", "events", "settings"),
    [
        ("imagery", ["feet", "rest", "tongue"], {"events": ["feet", "rest"], "n_classes": 2}),
        ("p300", ["Target", "NonTarget"], {}),
        ("ssvep", ["13", "17"], {}),
        ("cvep", ["1.0", "0.0"], {}),
        ("rstate", ["closed", "open"], {"tmin": 0, "tmax": 2}),
    ],
)
def test_labels_of_every_kind_are_those_of_moabb(kind: str, events: list[str], settings: dict[str, Any]) -> None:
    data = load(dataset_settings={"paradigm": kind, "event_list": events, "n_events": 9}, paradigm_settings=settings)
    wanted = events[:2]
    assert sorted(data.label_of or {}) == sorted(wanted)
    assert set(data[0].events.label) == set(wanted)


def test_sessions_are_declared_or_read() -> None:
    some = {"n_subjects": 2, "sessions": [1]}
    with pytest.raises(DataError, match=r"declares 2 sessions of each subject, but subject 1 has 1 with trials \(1\)"):
        load(dataset_settings=some)[0]
    read = load(dataset_settings=some, index="read")
    assert [tuple(row.values()) for row in read.table] == [("1", "1"), ("2", "1")]
    assert read[1].info.session == "1"
    with pytest.raises(ConfigError, match="index must be 'declared' or 'read'; got 'guessed'"):
        load(index="guessed")


def test_one_subject_is_read_at_a_time_and_none_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from moabb.datasets.fake import FakeDataset

    asked: list[int] = []
    read = FakeDataset._get_single_subject_data
    monkeypatch.setattr(
        FakeDataset, "_get_single_subject_data", lambda self, subject: asked.append(subject) or read(self, subject)
    )
    data = load()
    assert asked == []
    for recording in data:
        assert len(recording.events)
    assert asked == [1, 2, 3]


def test_wrong_names_and_settings_are_said() -> None:
    with pytest.raises(UnknownName, match="no data set 'BNCI2014_01'. Did you mean 'BNCI2014_001'"):
        load("BNCI2014_01")
    assert load("BNCI2014-001").name == load("BNCI2014_001").name == "BNCI2014-001"  # its code and its class
    with pytest.raises(UnknownName, match="no paradigm 'LeftRight'. Did you mean 'LeftRightImagery'"):
        load(paradigm="LeftRight")
    with pytest.raises(
        ConfigError, match="takes no setting 'fmn' .*Did you mean 'fmin'.* It takes n_classes, fmin, fmax"
    ):
        load(paradigm_settings={"fmn": 1})
    with pytest.raises(ConfigError, match="refuses its settings .*tmax must be greater than tmin"):
        load(paradigm_settings={"tmin": 2, "tmax": 1})
    with pytest.raises(DataError, match=r"P300 does not fit .*kind 'imagery' .*Those that fit: .*LeftRightImagery"):
        load(paradigm="P300")
    with pytest.raises(DataError, match="FilterBankMotorImagery gives each trial in 6 bands"):
        load(paradigm="FilterBankMotorImagery")
    with pytest.raises(DataError, match="has no subject 4, 5; it has 1, 2, 3"):
        load(subjects=[1, 4, 5])


def test_licence_and_citation_are_moabbs_or_not_stated() -> None:
    data = load("BNCI2014_001")
    assert data.licence == "CC-BY-ND-4.0"
    assert "Michael Tangermann et al. (2012), doi 10.3389/fnins.2012.00055" in data.citation
    assert "Mother of all BCI Benchmarks" in data.citation
    assert load().licence == "not stated by MOABB"
    assert "not stated by MOABB" in load().citation


@pytest.fixture
def remote() -> Any:
    """A data set with a file on another machine, and a mirror that MOABB asks before it looks at the file."""
    from moabb.datasets.download import data_dl
    from moabb.datasets.fake import FakeDataset

    class Remote(FakeDataset):
        nemar_id = "nm999999"

        def __init__(self) -> None:
            super().__init__(**FAKE, code="Remote")

        def _get_single_subject_data(self, subject: int) -> Any:
            assert Path(data_dl(f"https://example.org/data/s{subject}.mat", "REMOTE")).read_bytes() == b"there"
            return super()._get_single_subject_data(subject)

    made = Remote()
    del os.environ[f"MNE_DATASETS_{made.code.upper()}_PATH"]  # a folder of its own, as fake data sets have
    return made


def test_nothing_is_downloaded_without_being_asked(remote: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, before = home / "data", (socket.socket.connect, socket.getaddrinfo)
    data = load(remote, root=str(root))
    with pytest.raises(
        FileNotFoundError, match=rf"subject 1 is not in {root}, and nothing is downloaded .*\n.*download=True"
    ):
        data[0]
    assert not root.exists()
    root.mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"fetch it from example.org .*\n.*Remote\(\).download\(subject_list=\[1\]\)"
    ):
        data[0]
    assert not [path for path in home.rglob("*") if path.is_file()]  # no configuration either
    assert (socket.socket.connect, socket.getaddrinfo) == before

    def retrieve(url: str, known_hash: object, *, fname: str, path: str, **more: object) -> str:
        Path(path, fname).write_bytes(b"there")
        return str(Path(path, fname))

    with monkeypatch.context() as online:
        online.setattr("moabb.datasets.download.retrieve", retrieve)
        online.setattr("nemar.download", mock.Mock(side_effect=OSError))
        assert len(load(remote, root=str(root), download=True)[0].events) == 16
    assert len(data[0].events) == 16  # from the folder, without a connection
    with pytest.raises(FileNotFoundError, match="subject 2 is not in"):
        data[2]
    (root / "MNE-remote-data" / "data" / "s1.mat").write_bytes(b"broken")
    with pytest.raises(DataError, match="subject 1: MOABB cannot read it"):
        load(remote, root=str(root))[0]


class Log:
    """Logarithm of the variance of each channel: (N, C, T) to (N, C)."""

    def __call__(self, x: Any) -> Any:
        return np.log(np.asarray(x).var(-1))


def plain_pipeline() -> Any:
    return make_pipeline(FunctionTransformer(Log()), StandardScaler(), LogisticRegression(tol=1e-8))


def run_moabb(kind: str, pipeline: Any, source: Any, folder: Path, **more: Any) -> Any:
    import moabb.evaluations
    from moabb.paradigms import LeftRightImagery

    evaluation = getattr(moabb.evaluations, kind)(
        paradigm=LeftRightImagery(resample=128), datasets=[source], hdf5_path=str(folder), random_state=0, **more
    )
    return evaluation.process({"mine": pipeline})


def test_scores_and_folds_are_those_of_moabbs_evaluation_across_subjects(tmp_path: Path) -> None:
    source = fake(n_sessions=1)
    theirs = run_moabb("CrossSubjectEvaluation", plain_pipeline(), source, tmp_path)

    def predict(known: Any, new: Any, seed: int) -> tuple[Prediction, str]:
        fitted = plain_pipeline().fit(known.x.astype(float), known.y)
        return Prediction(names=tuple(fitted.classes_), decision=fitted.predict_proba(new.x.astype(float))), "plain"

    data = load(source, paradigm="LeftRightImagery", paradigm_settings={"resample": 128})
    protocol = Protocol(by="cross-subject", n_folds=0)
    method = Frozen("plain", Memo(raw_trials), predict)
    outcome = evaluate([method], data, protocol).scores[0].outcome
    for row in theirs.itertuples():
        mine = outcome.groups == row.subject
        score = roc_auc_score(outcome.truth[mine], outcome.decision[mine, 1])
        assert score == pytest.approx(row.score, abs=1e-6)
        fold = next(f for f in folds(data, protocol) if data.table[f.test[0].row]["subject"] == row.subject)
        trained = {data.table[piece.row]["subject"] for piece in fold.train}
        assert trained == {"1", "2", "3"} - {row.subject}
        assert sum(len(data[piece.row].events) for piece in fold.train) == row.samples
    assert len(theirs) == 3
    assert theirs["score"].nunique() > 1


def test_groups_of_sessions_are_those_of_moabbs_evaluations() -> None:
    from moabb.evaluations import CrossSessionSplitter
    from moabb.paradigms import LeftRightImagery

    data = load(paradigm="LeftRightImagery")
    _, y, about = LeftRightImagery().get_data(fake())
    by_session = {(str(s), k) for s, k in zip(about["subject"], about["session"], strict=True)}
    assert {(row["subject"], row["session"]) for row in data.table} == by_session
    within = folds(data, Protocol(by="within-session", n_folds=2))
    assert [fold.test[0].row for fold in within] == [row for row in range(len(data)) for _ in range(2)]

    def group(rows: Any) -> tuple[Any, ...]:
        return tuple(sorted({(row["subject"], row["session"]) for row in rows}))

    mine = {
        tuple(group(data.table[p.row] for p in side) for side in (f.train, f.test))
        for f in folds(data, Protocol(by="cross-session"))
    }
    named = about.astype({"subject": str})
    splits = CrossSessionSplitter().split(y, about)
    assert mine == {tuple(group(named.iloc[i].to_dict("records")) for i in (train, test)) for train, test in splits}


@pytest.mark.parametrize("kind", ["WithinSessionEvaluation", "CrossSessionEvaluation", "CrossSubjectEvaluation"])
def test_moabb_evaluates_an_embedder_on_arrays_and_on_epochs_alike(kind: str, tmp_path: Path) -> None:
    model = small()
    source = fake(n_subjects=2, n_runs=1, n_events=12, duration=40)
    arrays = make_pipeline(nkfm.Embedder(model, ch_names=NAMES, sfreq=128, unit="uV"), LogisticRegression())
    epochs = make_pipeline(nkfm.Embedder(model), LogisticRegression())
    one = run_moabb(kind, arrays, source, tmp_path / "arrays")
    two = run_moabb(kind, epochs, source, tmp_path / "epochs", return_epochs=True)
    assert len(one) == len(two) == 4  # subjects by sessions
    assert np.isfinite(one["score"]).all()
    assert np.allclose(one["score"], two["score"])
    assert len(list((tmp_path / "arrays").rglob("*.hdf5"))) == 1
    one.to_csv(tmp_path / "scores.csv", index=False)
    assert "mine" in (tmp_path / "scores.csv").read_text(encoding="utf-8")


def test_moabb_files_results_under_the_weights_not_under_a_place_in_memory() -> None:
    from moabb.analysis.results import get_digest
    from sklearn.base import clone

    def digest(model: Any, **more: Any) -> str:
        return str(get_digest(make_pipeline(nkfm.Embedder(model, ch_names=NAMES, **more), LogisticRegression())))

    one, two = small(), small()
    assert digest(one) == digest(two)
    with torch.no_grad():
        next(two.parameters()).add_(1e-3)
    assert digest(one) != digest(two)
    assert digest(one) != digest(one, features="channels")
    assert digest("nkfm-tiny") == digest("nkfm-tiny") != digest("other")
    embedder = nkfm.Embedder(one, ch_names=NAMES)
    assert clone(embedder).model is one
    assert repr(clone(embedder)) == repr(embedder) == repr(pickle.loads(pickle.dumps(embedder)))


def test_the_command_line_probes_whatever_moabb_offers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small().save_pretrained(tmp_path / "tiny")
    settings = {"dataset": "FakeDataset", "paradigm": "LeftRightImagery", "subjects": "[1, 2]"}
    settings |= {f"dataset_settings.{key}": json.dumps(value) for key, value in FAKE.items()}
    line = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with pytest.raises(SystemExit) as left:
        main(
            ["probe", str(tmp_path / "tiny"), "--data", "moabb", *line, "--by", "cross-subject", "--no-plain", "--json"]
        )
    said = SimpleNamespace(**json.loads(capsys.readouterr().out))
    assert left.value.code == 0
    assert said.licence == "not stated by MOABB"
    assert said.scores[0]["n_test"] == 2 * 2 * 16
    with pytest.raises(SystemExit) as left:
        main(["probe", "--data", "moabb", "--set", "dataset=BNCI2014_001", "--by", "cross-session"])
    assert left.value.code != 0
    assert "nothing is downloaded without being asked" in capsys.readouterr().err
