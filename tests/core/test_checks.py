"""The conformance suite's own behaviour: finding plugins, expected failures, skipping, the command, the written rules."""

import json
import re
import unittest
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from neurokit_fm.cli.check import check as command
from neurokit_fm.errors import ConfigError, MissingDependency, UnknownName
from neurokit_fm.hooks import Entry
from neurokit_fm.testing import checks_for, parametrize_checks
from neurokit_fm.testing.checks import Check, CheckFailed, CheckSkipped, rules
from neurokit_fm.testing.checks.check import Broken, Case, expect

PAGE = Path(__file__).parents[2] / "docs" / "write-a-plugin.md"


def made(run) -> Check:
    return Check(kind="tokenizer", entry="patch", name="mask", rule="Masks are true.", section="tokenizers", run=run)


def broken() -> None:
    raise Broken("3 of 8 are false", "turn them round")


def skipped() -> None:
    raise CheckSkipped("offers no decode")


def raises(error: Exception):
    def run() -> None:
        raise error

    return run


def test_a_failure_is_an_assertion_with_rule_finding_remedy_and_link() -> None:
    with pytest.raises(AssertionError) as caught:
        made(broken)()
    assert str(caught.value).splitlines() == [
        "tokenizer:patch/mask: Masks are true.",
        "  found: 3 of 8 are false",
        "  mend:  turn them round",
        "  rule:  docs/write-a-plugin.md#rules-for-tokenizers",
    ]


def test_an_error_of_the_plugin_is_a_failure_that_says_where_it_was_raised() -> None:
    with pytest.raises(CheckFailed, match=r"found: KeyError: 'x' \(raised in .*test_checks.py, line \d+\)"):
        made(raises(KeyError("x")))()


def test_a_missing_package_and_a_rule_that_does_not_apply_are_skipped_tests() -> None:
    with pytest.raises(unittest.SkipTest, match="needs neo"):
        made(raises(MissingDependency("needs neo")))()
    with pytest.raises(CheckSkipped, match="offers no decode"):
        made(skipped)()


def test_a_check_that_rests_on_a_broken_one_is_skipped_and_says_so() -> None:
    calls = []

    def mask(case: Case) -> None:
        calls.append(case)
        expect(False, "wrong", "mend")

    case = Case("tokenizers", Entry(name="patch", target="", summary=""))
    for _ in range(2):
        with pytest.raises(CheckSkipped, match="rests on `mask`, which fails"):
            case.rests_on(mask)
    assert calls == [case], "judged once"


def test_an_unknown_plugin_is_an_error_with_the_closest_name() -> None:
    with pytest.raises(UnknownName, match=r"no plugin called 'nkfm_pach'. Did you mean 'nkfm_patch'\?"):
        checks_for("nkfm_pach")


def test_hyphens_and_underscores_are_the_same_in_a_plugins_name() -> None:
    assert [c.key for c in checks_for("nkfm-patch")] == [c.key for c in checks_for("nkfm_patch")]


def test_listing_checks_runs_none_and_keys_are_unique() -> None:
    keys = [c.key for c in checks_for()]
    assert len(set(keys)) == len(keys)
    assert {"plugin:nkfm_patch/light", "tokenizer:patch/mask", "weights:reve-base/every_key"} <= set(keys)


def params(**options: object) -> list:
    return parametrize_checks("nkfm_patch", **options).args[1]


def test_parametrize_gives_one_test_a_check_named_by_its_key() -> None:
    assert [param.id for param in params()] == [c.key for c in checks_for("nkfm_patch")]
    assert not any(param.marks for param in params())


def test_an_expected_failure_is_strict_and_carries_its_reason() -> None:
    key = "tokenizer:patch/meta_device"
    ((mark,),) = [p.marks for p in params(xfail={key: "needs a fitted codebook"}) if p.id == key]
    assert mark.name == "xfail"
    assert mark.kwargs == {"strict": True, "raises": CheckFailed, "reason": "needs a fitted codebook"}


def test_an_expected_failure_needs_a_reason_and_a_check() -> None:
    with pytest.raises(ConfigError, match="'tokenizer:patch/meta_device' needs a reason"):
        params(xfail={"tokenizer:patch/meta_device": " "})
    with pytest.raises(
        UnknownName, match="no check 'tokenizer:patch/metadevice'.*Did you mean 'tokenizer:patch/meta_d"
    ):
        params(xfail={"tokenizer:patch/metadevice": "why not"})


def test_pytest_is_needed_only_for_the_decorator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pytest", None)
    assert checks_for("nkfm_patch")
    with pytest.raises(MissingDependency, match=r"parametrize_checks needs pytest"):
        parametrize_checks("nkfm_patch")


def invoke(*line: str) -> Result:
    return CliRunner().invoke(command, line)


def test_the_command_prints_a_line_an_entry_and_exits_0() -> None:
    result = invoke("nkfm_patch")
    assert result.exit_code == 0
    plugin, tokenizer = result.stdout.splitlines()
    assert plugin.split() == ["plugin", "nkfm_patch", "loads", "light", "2", "passed"]
    assert re.match(r"tokenizer patch +name  unique .*  mask .*   18 passed, 1 skipped$", tokenizer)


def test_the_command_shows_failures_below_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [made(broken), made(skipped), made(lambda: None)]
    monkeypatch.setattr("neurokit_fm.testing.checks.checks_for", lambda plugin: checks)
    result = invoke("any")
    assert result.exit_code == 1
    line, _, rest = result.stdout.partition("\n")
    assert line == "tokenizer patch               mask FAILED  mask   1 passed, 1 failed, 1 skipped"
    assert rest.lstrip().startswith("tokenizer:patch/mask: Masks are true.\n  found: 3 of 8 are false")


def test_the_command_prints_json_of_chosen_checks() -> None:
    result = invoke("nkfm_patch", "--json", "--only", "tokenizer:*/dec*")
    (outcome,) = json.loads(result.stdout)
    assert outcome.pop("seconds") >= 0
    assert outcome == {
        "kind": "tokenizer", "entry": "patch", "name": "decode", "status": "skipped", "message": "offers no decode",
    }  # fmt: skip
    assert [o["name"] for o in json.loads(invoke("nkfm_patch", "--json", "--only", "mask").stdout)] == ["mask"]


def test_the_command_takes_all_plugins() -> None:
    names = {o["entry"] for o in json.loads(invoke("--all", "--json", "--only", "/loads").stdout)}
    assert {"nkfm_mae", "nkfm_patch", "nkfm_store"} <= names


@pytest.mark.parametrize("line", [(), ("nkfm_patch", "--all")])
def test_the_command_wants_one_plugin_or_all(line: tuple[str, ...]) -> None:
    result = invoke(*line)
    assert result.exit_code == 2
    assert "name one plugin, or give --all" in result.output


def test_the_command_says_when_nothing_is_like_the_pattern() -> None:
    result = invoke("nkfm_patch", "--only", "nothing")
    assert isinstance(result.exception, UnknownName)
    assert "no check of nkfm_patch is like 'nothing'" in str(result.exception)


def test_the_page_holds_every_rule_in_the_words_of_its_docstring() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for section, each in rules().items():
        rows = "".join(f"| `{name}` | {words} |\n" for name, words in each)
        assert f"### Rules for {section}\n\n| check | rule |\n|---|---|\n{rows}" in text


def test_every_rule_says_something_and_no_section_has_a_name_twice() -> None:
    for section, each in rules().items():
        assert all(words.endswith(".") for _, words in each), section
        assert len({name for name, _ in each}) == len(each), section


def test_a_broken_target_skips_what_rests_on_it() -> None:
    case = Case("tokenizers", Entry(name="patch", target="", summary=""))
    case.registry = SimpleNamespace(load=lambda name: raises(SyntaxError("bad"))())
    with pytest.raises(CheckSkipped, match="rests on `imports`"):
        case.target  # noqa: B018 - the access is the test
