import json

import click
import pytest

import neurokit_fm
import neurokit_fm.cli.main
from neurokit_fm.cli.main import COMMANDS, main
from neurokit_fm.errors import DataError
from neurokit_fm.hooks import Entry

ADDED: dict[str, object] = {}


class Commands(dict):
    """Stands in for the registry of plugin commands."""

    def entries(self) -> list[Entry]:
        return list(self.values())

    def load(self, name: str) -> object:
        return ADDED[name]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run a line; returns exit code, stdout and stderr."""

    def call(*line: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(line)
        return left.value.code, *capsys.readouterr()

    return call


@pytest.fixture
def plugin_command(monkeypatch: pytest.MonkeyPatch):
    """Let a made-up plugin offer a command."""

    def offer(name: str, command: object) -> None:
        entry = Entry(name=name, target="somewhere:x", summary=f"Does {name}", plugin="nkfm-made-up")
        monkeypatch.setitem(ADDED, name, command)
        monkeypatch.setattr(neurokit_fm.cli.main, "commands", Commands({name: entry}))

    return offer


def raising(error: BaseException) -> click.Command:
    def body() -> None:
        raise error

    return click.Command("boom", callback=body)


def test_version(run) -> None:
    assert run("--version") == (0, f"nkfm, version {neurokit_fm.__version__}\n", "")


@pytest.mark.parametrize("line", [["--help"], ["-h"]])
def test_help_lists_every_command_with_its_summary(run, line) -> None:
    code, out, _ = run(*line)
    assert code == 0
    for entry in COMMANDS.values():
        assert entry.summary in " ".join(out.split())


@pytest.mark.parametrize("name", ["doctor", "info", "list"])
def test_each_command_has_its_own_help(run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"Usage: nkfm {name}" in out


def test_a_plugin_adds_a_command(run, plugin_command) -> None:
    plugin_command("hello", click.Command("hello", callback=lambda: click.echo("hello")))
    assert run("hello") == (0, "hello\n", "")
    assert "Does hello" in run("--help")[1]


def test_a_command_that_is_none_names_the_plugin(run, plugin_command) -> None:
    plugin_command("odd", print)
    code, _, err = run("odd")
    assert code == 1
    assert "nkfm-made-up: command 'odd' must be a click command" in err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("a.edf: not an EDF file"), 1, "nkfm: a.edf: not an EDF file\n"),
        (FileNotFoundError("no such file: a.edf"), 1, "nkfm: no such file: a.edf\n"),
        (KeyboardInterrupt(), 130, "nkfm: interrupted\n"),
        (click.ClickException("wrong"), 1, "Error: wrong\n"),
        (click.exceptions.Exit(3), 3, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_one_clean_message_and_an_exit_code(run, plugin_command, error, code, message) -> None:
    plugin_command("boom", raising(error))
    left, out, err = run("boom")
    assert (left, out, err.lstrip("\n")) == (code, "", message)


def test_a_bug_keeps_its_traceback(plugin_command) -> None:
    plugin_command("boom", raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["boom"])


@pytest.mark.parametrize("line", [["lst"], ["list", "modells"], ["list", "--no-such-option"], ["info"]])
def test_wrong_usage_exits_2(run, line: list[str]) -> None:
    code, out, err = run(*line)
    assert (code, out) == (2, "")
    assert "Usage: nkfm" in err


def test_an_unknown_command_offers_the_closest(run) -> None:
    assert "no command called 'lst'. Did you mean 'list'?" in run("lst")[2]


def test_output_for_machines_is_json(run) -> None:
    assert json.loads(run("list", "modalities", "--json")[1])["modalities"][0]["plugin"] == "nkfm_modalities"
