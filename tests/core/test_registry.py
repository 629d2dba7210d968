import sys
from types import ModuleType

import pytest

import neurokit_fm.registry
from neurokit_fm.errors import MissingDependency, PluginError, UnknownName
from neurokit_fm.hooks import Entry, hookimpl
from neurokit_fm.plugins import Plugins, _new_manager
from neurokit_fm.registry import KINDS, Registry


class Offers:
    """A plugin that offers some models."""

    def __init__(self, *entries: Entry):
        self.entries = entries

    @hookimpl
    def register_models(self) -> list[Entry]:
        return list(self.entries)


def entry(name: str, target: str = "json:loads", **more: object) -> Entry:
    return Entry(name=name, target=target, summary="made up", **more)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch):
    """Make a registry of models of some made-up plugins, each given as its entries."""

    def make(**plugins: list[Entry]) -> Registry:
        found = Plugins(_new_manager())
        for name, entries in plugins.items():
            found.add(name, lambda entries=entries: Offers(*entries))
        monkeypatch.setattr(neurokit_fm.registry, "plugins", lambda: found)
        return Registry("models")

    return make


def test_a_registry_is_a_sorted_collection_of_names(offered) -> None:
    models = offered(one=[entry("reve"), entry("mae")], two=[entry("glm-hmm")])
    assert list(models) == ["glm-hmm", "mae", "reve"]
    assert len(models) == 3
    assert "mae" in models
    assert "maze" not in models
    assert models["glm-hmm"].plugin == "two"
    assert repr(models) == "<models: glm-hmm, mae, reve>"


def test_an_empty_registry_says_so(offered) -> None:
    assert repr(offered()) == "<models: none>"


def test_loading_imports_the_target(offered) -> None:
    import json

    assert offered(one=[entry("x")]).load("x") is json.loads


def test_an_unknown_name_offers_the_closest_and_counts_the_known(offered) -> None:
    with pytest.raises(UnknownName) as caught:
        offered(one=[entry("reve"), entry("mae")])["revee"]
    assert str(caught.value) == ("no model called 'revee'. Did you mean 'reve'? Run `nkfm list models` to see all 2.")


def test_an_unknown_name_mentions_broken_plugins(offered, monkeypatch) -> None:
    models = offered(one=[entry("reve")])
    neurokit_fm.registry.plugins().broken["nkfm_lost"] = "ImportError: gone"
    with pytest.raises(UnknownName, match=r"Broken plugins: nkfm_lost \(see `nkfm doctor`\)"):
        models["mae"]


def test_a_name_offered_twice_names_both_plugins_and_harms_no_other_name(offered) -> None:
    models = offered(one=[entry("reve"), entry("mae")], two=[entry("reve")])
    with pytest.raises(PluginError, match="models: 'reve' is offered by two and one; uninstall one of them"):
        models["reve"]
    with pytest.raises(PluginError, match="two and one"):
        models.load("reve")
    assert models["mae"].plugin == "one"
    assert list(models) == ["mae", "reve"]
    assert [e.name for e in models.entries()] == ["mae", "reve", "reve"]


def test_a_missing_requirement_is_said_before_anything_is_imported(offered) -> None:
    models = offered(one=[entry("x", "no_such_module:x", requires=("json", "not_installed_here"))])
    with pytest.raises(MissingDependency, match="x needs not_installed_here.\n  pip install not_installed_here"):
        models.load("x")


@pytest.mark.parametrize("target", ["no_such_module:x", "json:no_such_attribute"])
def test_a_target_that_cannot_be_imported_names_its_plugin(offered, target: str) -> None:
    with pytest.raises(PluginError, match=f"one offers 'x' at {target}, which cannot be imported"):
        offered(one=[entry("x", target)]).load("x")


def test_a_target_that_lacks_an_optional_package_says_how_to_install_it(offered, monkeypatch) -> None:
    def lacking(name: str) -> None:
        raise MissingDependency("reading NWB files needs pynwb, which is not installed.\n  pip install pynwb")

    made = ModuleType("made_up_target")
    made.__getattr__ = lacking
    monkeypatch.setitem(sys.modules, "made_up_target", made)
    with pytest.raises(MissingDependency, match="pip install pynwb"):
        offered(one=[entry("x", "made_up_target:x")]).load("x")


def test_every_kind_has_its_hook_and_its_registry() -> None:
    from neurokit_fm import hooks

    registering = {name.removeprefix("register_") for name in vars(hooks) if name.startswith("register_")}
    assert set(KINDS) == registering
    assert all(registry.kind == kind for kind, registry in KINDS.items())


def test_real_entries_are_well_formed() -> None:
    for kind, registry in KINDS.items():
        for e in registry.entries():
            assert e.name == e.name.lower(), (kind, e)
            assert " " not in e.name, (kind, e)
            assert "_" not in e.name, (kind, e)
            assert e.target.count(":") == 1, (kind, e)
            assert e.summary, (kind, e)
            assert "\n" not in e.summary, (kind, e)
            assert not e.summary.endswith("."), (kind, e)
