import json

import pytest
from click.testing import CliRunner

import neurokit_fm
import neurokit_fm.cli.doctor as module
from neurokit_fm.cli.doctor import doctor, examine
from neurokit_fm.hooks import Entry
from neurokit_fm.plugins import Plugins, _new_manager
from neurokit_fm.registry import Registry


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Pretend that some plugins are broken and that models are offered as given."""

    def pretend(broken: dict[str, str] | None = None, models: tuple[Entry, ...] = ()) -> None:
        found = Plugins(_new_manager(), broken or {})
        registry = Registry("models")
        offers: dict[str, list[Entry]] = {}
        for entry in models:
            offers.setdefault(entry.name, []).append(entry)
        registry.__dict__["_offers"] = offers
        monkeypatch.setattr(module, "plugins", lambda: found)
        monkeypatch.setattr(module, "KINDS", {"models": registry})

    return pretend


def model(plugin: str, *requires: str) -> Entry:
    return Entry(name="x", target="a:b", summary="made up", plugin=plugin, requires=requires)


def run(*line: str) -> tuple[int, str]:
    result = CliRunner().invoke(doctor, line, catch_exceptions=False)
    return result.exit_code, result.stdout


def test_a_sound_install_has_no_problem(install) -> None:
    install(models=(model("one", "json"),))
    code, out = run()
    assert code == 0
    assert out.rstrip().endswith("no problem found")
    assert f"neurokit_fm  {neurokit_fm.__version__}" in out


def test_a_broken_plugin_is_named_with_its_reason_and_exits_1(install) -> None:
    install(broken={"nkfm_lost": "ImportError: gone"})
    code, out = run()
    assert code == 1
    assert "BROKEN       nkfm_lost: ImportError: gone" in out
    assert "no problem" not in out


def test_a_name_offered_twice_names_both_and_exits_1(install) -> None:
    install(models=(model("one"), model("two")))
    code, out = run()
    assert code == 1
    assert "TWICE        models: x is offered by one and two" in out


def test_a_missing_optional_package_comes_with_its_install_line(install) -> None:
    install(models=(model("one", "not_installed_here"),))
    code, out = run()
    assert code == 0
    assert "missing      not_installed_here, for models: x" in out
    assert "pip install not_installed_here" in out


def test_json_holds_the_same_findings(install) -> None:
    install(broken={"nkfm_lost": "ImportError: gone"})
    code, out = run("--json")
    assert code == 1
    found = json.loads(out)
    assert found["broken"] == {"nkfm_lost": "ImportError: gone"}
    assert {"python", "packages", "plugins", "missing", "extras", "install_hints", "cache"} <= set(found)
    assert found["packages"]["torch"].startswith("2.")
    assert found["cache"]["megabytes"] >= 0


class Installed:
    """Stands in for one installed copy of the distribution."""

    def __init__(self, folder: str, version: str = neurokit_fm.__version__, editable: str = ""):
        self.folder, self.version, self.editable = folder, version, editable

    def locate_file(self, _: str) -> str:
        return self.folder

    def read_text(self, _: str) -> str | None:
        return json.dumps({"url": f"file://{self.editable}", "dir_info": {"editable": True}}) if self.editable else None


@pytest.mark.parametrize(
    ("installs", "hint"),
    [
        ([], "but not installed; run: pip install -e"),
        ([Installed("/a"), Installed("/b")], "installed 2 times (/a, /b); run: pip uninstall neurokit-fm"),
        ([Installed("/a", version="0.0.1")], "says version 0.0.1, the imported code"),
        ([Installed("/a", editable="/some%20where")], "the editable install points at /some where, but"),
    ],
    ids=["not installed", "twice", "stale", "another folder"],
)
def test_a_stale_or_doubled_install_is_pointed_out(install, monkeypatch, installs: list, hint: str) -> None:
    install()
    monkeypatch.setattr(module.importlib.metadata, "distributions", lambda name: installs)
    assert any(hint in line for line in examine()["install_hints"])
    assert run()[0] == 0, "a hint is no failure"


def test_one_install_of_this_version_needs_no_hint(install, monkeypatch) -> None:
    install()
    monkeypatch.setattr(module.importlib.metadata, "distributions", lambda name: [Installed("/a"), Installed("/a")])
    assert examine()["install_hints"] == []
