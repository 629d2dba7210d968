"""Each bad entry is caught by the check meant for it and by no other; the honest ones beside it pass."""

import pytest

from neurokit_fm.errors import NkfmError
from neurokit_fm.testing import checks_for
from neurokit_fm.testing.checks import CheckFailed, CheckSkipped

CAUGHT = {
    "tokenizer:honest": "",
    "tokenizer:spikes-honest": "",
    "tokenizer:images-honest": "",
    "tokenizer:nodes-honest": "",
    "tokenizer:wrong-mask": "mask",
    "tokenizer:missing-tokens": "mask",
    "tokenizer:time-major": "order",
    "tokenizer:lying-index": "mask permutation",
    "tokenizer:reads-padding": "padding",
    "tokenizer:loses-dtype": "dtype",
    "tokenizer:invents-positions": "coords",
    "tokenizer:other-positions": "coords",
    "tokenizer:prefers-first": "permutation",
    "tokenizer:on-the-cpu": "meta_device",
    "tokenizer:bare-error": "too_short",
    "tokenizer:lossy-decode": "decode",
    "tokenizer:lost-setting": "config",
    "tokenizer:No_Hyphens": "name",
    "tokenizer:full-stop": "summary",
    "tokenizer:distribution-name": "requires",
    "tokenizer:not-there": "imports",
    "tokenizer:no-paper": "paper",
    "tokenizer:not-a-class": "builds",
    "tokenizer:absent-package": "",
    "tokenizer:twice": "unique unique",
    "encoding:honest": "",
    "encoding:nan": "unknown",
    "encoding:counts-places": "shuffle",
    "encoding:half": "autocast",
    "encoding:unused": "gradients",
    "encoding:on-the-cpu": "meta_device",
    "encoding:narrow": "shapes",
    "model:honest": "",
    "model:leaks-across-batch": "independence",
    "model:random": "deterministic",
    "model:ignores-mask": "padding",
    "model:crosses-segments": "packing",
    "model:counts-padding": "packing",
    "model:order-aware": "permutation",
    "model:declared-order-aware": "",
    "model:needs-positions": "unknown_positions",
    "model:unused-parameter": "gradients",
    "model:global-noise": "repeatable_loss",
    "model:overflows": "autocast",
    "model:loss-reads-padding": "loss_padding",
    "model:on-the-cpu": "meta_device",
    "model:forgets": "save_load",
    "model:bare-error": "too_short",
    "model:one-channel-nan": "shortest",
    "model:wrong-name": "builds",
    "model:large": "builds",
    "model:fitted": "",
    "model:fitted-anyhow": "fit",
    "model:images": "",
    "dataset:honest-data": "",
    "dataset:one-subject": "",
    "dataset:to-download": "",
    "dataset:subject-leak": "split_leaks_nothing",
    "dataset:recording-leak": "split_leaks_nothing",
    "dataset:no-licence": "licence",
    "dataset:unstated": "builds",
    "dataset:other-licence": "terms",
    "dataset:no-subjects": "table",
    "dataset:not-finite": "finite",
    "dataset:other-subject": "first_recording",
    "dataset:phones-home": "offline",
    "reader:honest": "",
    "reader:unguarded": "garbage",
    "reader:anything": "garbage",
    "reader:millivolts": "round_trip",
    "reader:nameless": "garbage",
    "reader:upper-case": "suffixes",
    "weights:honest": "",
    "weights:forgets": "converts",
    "weights:careless": "every_key",
    "weights:nowhere": "converter",
    "weights:empty": "describes",
    "modality:smell": "",
    "modality:upside-down": "kinds",
    "modality:another-name": "value",
    "command:sniff": "",
    "command:no-command": "command",
    "plugin:nkfm-bad": "",
    "plugin:nkfm-heavy": "light",
    "plugin:nkfm-absent": "loads",
}


def failures(entry: str) -> dict[str, list[str]]:
    """Messages of the checks of an entry that fail, by name."""
    kind, _, name = entry.partition(":")
    of = name if kind == "plugin" else "nkfm-bad"
    found: dict[str, list[str]] = {}
    for check in checks_for(of):
        if (check.kind, check.entry) == (kind, name):
            try:
                check()
            except CheckSkipped:
                continue
            except CheckFailed as err:
                found.setdefault(check.name, []).append(str(err))
    return found


@pytest.mark.usefixtures("bad_plugins")
@pytest.mark.parametrize(("entry", "rules"), CAUGHT.items())
def test_a_fault_is_caught_by_the_check_meant_for_it_alone(entry: str, rules: str) -> None:
    found = failures(entry)
    assert " ".join(name for name, each in found.items() for _ in each) == rules, found


@pytest.mark.usefixtures("bad_plugins")
def test_every_bad_entry_is_in_the_table() -> None:
    made = {f"{c.kind}:{c.entry}" for plugin in ("nkfm-bad", "nkfm-absent") for c in checks_for(plugin)}
    assert made | {"plugin:nkfm-heavy"} == set(CAUGHT)


MESSAGES = {
    "tokenizer:wrong-mask": r"differ in \(row, step\).*\n  mend:  combine channel_mask and time_mask",
    "tokenizer:time-major": r"\(row, step\) \[\(0, 0\), \(1, 0\)",
    "tokenizer:loses-dtype": r"torch.bfloat16 in, raw values torch.float32",
    "tokenizer:bare-error": r"ValueError: too short\n  mend:  raise DataError.*the minimum is 20 samples \(0.1 s\)",
    "model:leaks-across-batch": r"with another neighbour it changes by 0\.\d+",
    "model:crosses-segments": r"a sample of 3 channels and 0.4 s differs by",
    "model:unused-parameter": r"none for spare.weight, spare.bias \(2 of 8\)",
    "model:global-noise": r"the global state of torch was drawn from",
    "model:large": r"4,600,000 parameters.*\n  mend:  .*1,000,000",
    "dataset:subject-leak": r"in several parts: a \(a, b\)",
    "dataset:phones-home": r"the network is blocked",
    "weights:careless": r"superfluous, and no error|missing, and no error",
    "plugin:nkfm-heavy": r"nkfm_heavy.plugin loads numpy",
    "plugin:nkfm-absent": r"No module named 'nkfm_absent'",
}


@pytest.mark.usefixtures("bad_plugins")
@pytest.mark.parametrize(("entry", "words"), MESSAGES.items())
def test_a_failure_says_which_rule_what_was_found_and_how_to_mend_it(entry: str, words: str) -> None:
    ((name, (message,)),) = failures(entry).items()
    assert message.startswith(f"{entry}/{name}: ")
    assert f"\n  rule:  docs/write-a-plugin.md#rules-for-{entry.partition(':')[0].removesuffix('s')}s" in message
    with pytest.raises(NkfmError, match=words):
        raise CheckFailed(message)
