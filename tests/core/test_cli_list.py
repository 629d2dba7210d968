import json

import pytest
from click.testing import CliRunner

from neurokit_fm.cli.list import HEADER, list_names
from neurokit_fm.registry import KINDS


def run(*line: str) -> str:
    result = CliRunner().invoke(list_names, line, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_one_kind_is_a_table_of_all_its_entries() -> None:
    header, *rows = run("modalities").splitlines()
    assert header.split() == ["name", "summary", "plugin"]
    assert [row.split()[0] for row in rows] == list(KINDS["modalities"])
    assert "Magnetoencephalography" in run("modalities")


def test_everything_is_listed_by_kind() -> None:
    out = run()
    offered = [kind for kind, registry in KINDS.items() if len(registry)]
    assert [kind for kind in KINDS if kind.upper() in out.splitlines()] == offered


def test_markdown_is_a_table() -> None:
    lines = run("modalities", "--markdown").splitlines()
    assert lines[0] == "| name | summary | plugin |"
    assert lines[1] == "|---|---|---|"
    assert len(lines) == 2 + len(KINDS["modalities"])


def test_json_holds_every_field_of_every_entry() -> None:
    found = json.loads(run("--json"))
    assert list(found) == list(KINDS)
    assert [entry["name"] for entry in found["modalities"]] == list(KINDS["modalities"])
    assert set(HEADER) < set(found["modalities"][0])


def test_a_kind_nobody_offers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS["commands"].__dict__, "_offers", {})
    assert run("commands") == "No plugin offers commands.\n"


def test_the_commercial_filter_keeps_what_the_licence_allows() -> None:
    found = json.loads(run("--commercial", "--json"))
    assert set(found) == {"datasets", "weights"}
    assert "finger-movements" in [entry["name"] for entry in found["datasets"]]
    assert all(entry["commercial"] for entries in found.values() for entry in entries)
    header, *rows = run("weights").splitlines()
    assert "gated" in header.split()
    gated = [row.split()[0] for row in rows if " yes" in row]
    assert {"reve-base", "reve-large"} <= set(gated)
    assert "reve-base" not in run("weights", "--commercial")
    assert CliRunner().invoke(list_names, ["models", "--commercial"]).exit_code == 2


def test_two_formats_at_once_are_wrong_usage() -> None:
    assert CliRunner().invoke(list_names, ["--json", "--markdown"]).exit_code == 2
