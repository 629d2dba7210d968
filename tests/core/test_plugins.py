"""One bad plugin must be named and must break nobody else."""

import re
from collections.abc import Callable
from types import ModuleType

import pytest

import neurokit_fm.plugins
from neurokit_fm.hooks import Entry, hookimpl, hookspec
from neurokit_fm.plugins import Plugins, _load_supported, _new_manager, unsupported


def module(name: str, **functions: Callable[..., object]) -> ModuleType:
    made = ModuleType(name)
    for label, function in functions.items():
        function.__name__ = label
        setattr(made, label, hookimpl(function))
    return made


def entry(name: str = "thing") -> Entry:
    return Entry(name=name, target="json:loads", summary="made up")


def good() -> ModuleType:
    return module("good", register_models=lambda: [entry("good-model")])


def found(*others: tuple[str, Callable[[], object]]) -> Plugins:
    """Two good plugins around the others."""
    made = Plugins(_new_manager())
    made.add("first", good)
    for name, load in others:
        made.add(name, load)
    made.add("last", lambda: module("last", register_models=lambda: [entry("last-model")]))
    return made


def names(made: Plugins) -> set[str]:
    return {e.name for e in made.collect("register_models")}


def explode() -> ModuleType:
    raise SyntaxError("unexpected end of file")


def leave() -> ModuleType:
    raise SystemExit("needs a licence key")


def test_good_plugins_are_stamped_with_their_name() -> None:
    made = found()
    assert {(e.name, e.plugin) for e in made.collect("register_models")} == {
        ("good-model", "first"),
        ("last-model", "last"),
    }
    assert not made.broken
    assert made.hint() == ""


def test_the_plugin_registered_last_is_collected_first() -> None:
    assert [e.plugin for e in found().collect("register_models")] == ["last", "first"]


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (explode, "SyntaxError: unexpected end of file"),
        (leave, "SystemExit: needs a licence key"),
        (
            lambda: module("x", register_modles=lambda: [entry()]),
            "unknown hook 'register_modles'. Did you mean 'register_models'",
        ),
        (lambda: module("x", register_models=lambda everything: []), r"hook 'register_models'(?s:.*)everything"),
    ],
    ids=["import fails", "import exits", "misspelt hook", "unknown hook argument"],
)
def test_a_plugin_that_cannot_be_registered_is_named_and_breaks_nobody(load: Callable, reason: str) -> None:
    made = found(("bad", load))
    assert names(made) == {"good-model", "last-model"}
    assert list(made.broken) == ["bad"]
    assert re.search(reason, made.broken["bad"])
    assert made.hint() == " Broken plugins: bad (see `nkfm doctor`)."


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (lambda: None, "register_models: TypeError: 'NoneType' object is not iterable"),
        (lambda: ["reve"], "register_models: PluginError: register_models must return Entry values; found str"),
        (lambda: 1 / 0, "register_models: ZeroDivisionError: division by zero"),
    ],
    ids=["None", "not entries", "raises"],
)
def test_a_hook_that_returns_the_wrong_thing_is_named_and_breaks_nobody(returns: Callable, reason: str) -> None:
    made = found(("bad", lambda: module("bad", register_models=lambda: returns())))
    assert names(made) == {"good-model", "last-model"}
    assert made.broken == {"bad": reason}


def test_a_hook_that_breaks_does_not_lose_the_plugins_other_hooks() -> None:
    half = module("half", register_models=lambda: 1 / 0, register_readers=lambda: [entry("half-reader")])
    made = found(("half", lambda: half))
    assert names(made) == {"good-model", "last-model"}
    assert [e.name for e in made.collect("register_readers")] == ["half-reader"]


def test_the_same_plugin_twice_is_registered_once_and_reported() -> None:
    same = good()
    made = Plugins(_new_manager())
    made.add("once", lambda: same)
    made.add("twice", lambda: same)
    assert [e.plugin for e in made.collect("register_models")] == ["once"]
    assert "registered twice" in made.broken["twice"]


def test_two_plugins_of_one_name_keep_the_first() -> None:
    made = Plugins(_new_manager())
    made.add("same", good)
    made.add("same", lambda: module("other", register_models=lambda: [entry("other-model")]))
    assert names(made) == {"good-model"}
    assert "registered twice" in made.broken["same"]


def asked(**plugins: Callable[..., object]) -> Plugins:
    made = Plugins(_new_manager())
    for name, answer in plugins.items():
        made.add(name, lambda name=name, answer=answer: module(name, find_positions=answer))
    return made


QUESTION = {"modality": "eeg", "frame": "head"}


def test_the_plugin_registered_last_is_asked_first() -> None:
    made = asked(built_in=lambda names: "built-in", external=lambda names: "external" if names == ("Fz",) else None)
    assert made.ask("find_positions", names=("Fz",), **QUESTION) == "external"
    assert made.ask("find_positions", names=("Cz",), **QUESTION) == "built-in"


def test_a_plugin_that_fails_when_asked_is_named_and_the_next_one_answers() -> None:
    made = asked(built_in=lambda names: "built-in", external=lambda names: 1 / 0)
    assert made.ask("find_positions", names=("Fz",), **QUESTION) == "built-in"
    assert made.broken == {"external": "find_positions: ZeroDivisionError: division by zero"}
    assert asked().ask("find_positions", names=("Fz",), **QUESTION) is None


def test_hook_arguments_can_grow_without_breaking_older_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """`first` knows the first signature of find_positions in full, `partly` two of its arguments; then one is added."""

    def find_positions(names: tuple, modality: str, frame: str, subject: str) -> None:
        """As specified in a version to come."""

    monkeypatch.setattr(neurokit_fm.plugins.hooks, "find_positions", hookspec(firstresult=True)(find_positions))
    made = asked(
        first=lambda names, modality, frame: f"{frame} of {modality}",
        partly=lambda frame, names: "partly" if names == ("Fz",) else None,
        new=lambda names, subject: subject if names == ("Oz",) else None,
    )
    assert not made.broken
    for name, answer in (("Cz", "head of eeg"), ("Fz", "partly"), ("Oz", "sub-01")):
        assert made.ask("find_positions", names=(name,), subject="sub-01", **QUESTION) == answer
        assert made.manager.hook.find_positions(names=(name,), subject="sub-01", **QUESTION) == answer


class Point:
    """Stands in for an entry point of a distribution with such requirements."""

    name = "nkfm_made_up"

    def __init__(self, *requires: str):
        self.dist = ModuleType("distribution")
        self.dist.requires = list(requires) or None

    def load(self) -> ModuleType:
        return good()


@pytest.mark.parametrize(
    ("line", "bounds"),
    [
        ("neurokit-fm>=0.1,<0.3", ""),
        ("neurokit_fm (>=0.1)", ""),
        ("neurokit-fm", ""),
        ("Neurokit.FM<0.2", "<0.2"),
        ("neurokit-fm>=0.3", ">=0.3"),
        ("neurokit-fm>=0.9; extra == 'future'", ""),
        ("neurokit-fm>=0.9; python_version < '3'", ""),
        ("neurokit-fm-more>=0.9", ""),
        ("numpy<1", ""),
    ],
)
def test_the_bounds_a_plugin_sets_on_the_core_are_read_from_its_requirements(line: str, bounds: str) -> None:
    assert unsupported([line], version="0.2.1") == bounds
    assert unsupported(["numpy", line, "scipy"], version="0.2.1") == bounds


def test_a_pre_release_counts_as_a_version() -> None:
    assert unsupported(["neurokit-fm>=0.1"], version="0.2.0.dev1") == ""


@pytest.mark.parametrize("line", ["neurokit-fm<0.1", "neurokit-fm>=99", "neurokit-fm>=99.1,<100"])
def test_a_plugin_for_other_versions_of_the_core_is_not_loaded_and_named(line: str) -> None:
    made = found(("nkfm_made_up", lambda: _load_supported(Point(line))))
    assert names(made) == {"good-model", "last-model"}
    assert re.search(r"made for neurokit-fm \S+, and this is \d.*; upgrade nkfm_made_up", made.broken["nkfm_made_up"])
    assert "nkfm_made_up" in made.hint()


def test_a_plugin_for_this_version_or_without_bounds_is_loaded() -> None:
    for point in (Point("neurokit-fm>=0.1"), Point("numpy"), Point()):
        assert _load_supported(point).__name__ == "good"


def test_requirements_that_make_no_sense_are_the_plugins_problem_alone() -> None:
    made = found(("nkfm_made_up", lambda: _load_supported(Point("neurokit-fm==>1"))))
    assert names(made) == {"good-model", "last-model"}
    assert "InvalidRequirement" in made.broken["nkfm_made_up"]
