"""One bad plugin must be named and must break nobody else."""

import re
from collections.abc import Callable
from types import ModuleType

import pytest

from neurokit_fm.hooks import Entry, hookimpl
from neurokit_fm.plugins import Plugins, _new_manager


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
        (lambda: module("x", register_modles=lambda: [entry()]), "unknown hook 'register_modles'"),
        (lambda: module("x", register_models=lambda everything: []), r"hook 'register_models'(?s:.*)everything"),
    ],
    ids=["import fails", "misspelt hook", "unknown hook argument"],
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


def test_the_plugin_registered_last_is_asked_first() -> None:
    made = Plugins(_new_manager())
    made.add("built-in", lambda: module("a", find_positions=lambda names: "built-in"))
    made.add("external", lambda: module("b", find_positions=lambda names: "external" if names == ("Fz",) else None))
    ask = made.manager.hook.find_positions
    assert ask(names=("Fz",), modality="eeg", frame="head") == "external"
    assert ask(names=("Cz",), modality="eeg", frame="head") == "built-in"
