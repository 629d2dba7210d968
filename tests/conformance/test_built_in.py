"""Every built-in plugin against the conformance suite, the same that third parties run."""

import pytest

from neurokit_fm.plugins import BUILT_IN
from neurokit_fm.testing import checks_for, parametrize_checks
from neurokit_fm.testing.checks import CheckSkipped
from neurokit_fm.testing.checks.datasets import OWN

XFAIL = {
    "nkfm_glmhmm": {
        "model:glm-hmm/meta_device": "bins are cut by the times themselves, of which the meta device has none",
    },
    "nkfm_mne": {
        "reader:eximia/garbage": "eXimia files have no header to recognise them by: any bytes are samples",
    },
}


def expected(plugin: str) -> dict[str, str]:
    return XFAIL.get(plugin, {})


EVERY = [parametrize_checks(plugin, xfail=expected(plugin)).args[1] for plugin in BUILT_IN]


@pytest.mark.parametrize("check", [param for params in EVERY for param in params])
def test_conformance(check) -> None:
    check()


def test_every_built_in_entry_is_checked() -> None:
    checked = {check.entry for check in checks_for() if check.name == "unique"}
    from neurokit_fm.registry import KINDS

    assert checked >= {name for registry in KINDS.values() for name in registry}


def test_few_rules_are_skipped_and_each_says_why() -> None:
    """A suite that skips everything passes too: what is skipped where every package is installed is listed here."""
    skipped, own = {}, set()
    for check in checks_for():
        if check.kind in ("reader", "plugin") or any(check.key in keys for keys in XFAIL.values()):
            continue
        try:
            check()
        except CheckSkipped as err:
            if OWN in str(err):
                own.add(check.entry)
            else:
                skipped[check.key] = str(err)
    assert own == {"bids", "epochs-files", "labelled-files", "zarr-windows"}
    elsewhere = (
        "cannot be opened without a network: the data set qsimeon/celegans_neural_data@main is not in the local cache"
    )
    for key in ("dataset:celegans/finite", "dataset:celegans/first_recording"):
        assert skipped.pop(key).startswith(elsewhere)
    assert skipped == {
        "model:biot/fit": "is not fitted",
        "model:biot/loss_padding": "has no loss",
        "model:biot/permutation": "declared order-aware",
        "model:biot/repeatable_loss": "has no loss",
        "model:brainomni/fit": "is not fitted",
        "model:braintokenizer/fit": "is not fitted",
        "model:cbramod/fit": "is not fitted",
        "model:cbramod/permutation": "declared order-aware",
        "model:code-prediction/fit": "is not fitted",
        "model:eegformer-vq/fit": "is not fitted",
        "model:eegpt/fit": "is not fitted",
        "model:eegpt/loss_padding": "has no loss",
        "model:eegpt/repeatable_loss": "has no loss",
        "model:glm-hmm/gradients": "has no parameter that is trained by gradients",
        "model:glm-hmm/permutation": "declared order-aware",
        "model:glm-hmm/shortest": "only sampled signals have a shortest length",
        "model:glm-hmm/too_short": "only sampled signals have a shortest length",
        "model:labram/fit": "is not fitted",
        "model:labram/loss_padding": "has no loss",
        "model:labram/repeatable_loss": "has no loss",
        "model:mae/fit": "is not fitted",
        "model:reve/fit": "is not fitted",
        "model:reve/loss_padding": "has no loss",
        "model:reve/repeatable_loss": "has no loss",
        "model:signal-jepa/fit": "is not fitted",
        "model:signal-jepa/loss_padding": "has no loss",
        "model:signal-jepa/repeatable_loss": "has no loss",
        "model:worm-linear/gradients": "has no parameter that is trained by gradients",
        "model:worm-persistence/fit": "is not fitted",
        "model:worm-persistence/gradients": "has no parameter that is trained by gradients",
        "model:worm-rnn/fit": "is not fitted",
        "model:worm-transformer/fit": "is not fitted",
        "model:worm-wired/fit": "is not fitted",
        "tokenizer:braintokenizer/decode": "offers no decode",
        "tokenizer:conv-patch/decode": "offers no decode",
        "tokenizer:patch/decode": "offers no decode",
        "tokenizer:spectral-vq/decode": "offers no decode",
        "tokenizer:spectral/decode": "offers no decode",
        "weights:biot-prest/shipped": "these weights are downloaded when they are asked for",
        "weights:biot-shhs-prest/shipped": "these weights are downloaded when they are asked for",
        "weights:biot-six-datasets/shipped": "these weights are downloaded when they are asked for",
        "weights:brainomni-base-braindecode/shipped": "these weights are downloaded when they are asked for",
        "weights:brainomni-base/shipped": "these weights are downloaded when they are asked for",
        "weights:brainomni-tiny-braindecode/shipped": "these weights are downloaded when they are asked for",
        "weights:brainomni-tiny/shipped": "these weights are downloaded when they are asked for",
        "weights:braintokenizer-braindecode/shipped": "these weights are downloaded when they are asked for",
        "weights:braintokenizer/shipped": "these weights are downloaded when they are asked for",
        "weights:cbramod-base/shipped": "these weights are downloaded when they are asked for",
        "weights:eegpt-large/shipped": "these weights are downloaded when they are asked for",
        "weights:labram-base/shipped": "these weights are downloaded when they are asked for",
        "weights:nkfm-tiny/converter": "these weights come with the plugin, in our own format",
        "weights:nkfm-tiny/converts": "these weights come with the plugin, in our own format",
        "weights:nkfm-tiny/every_key": "these weights come with the plugin, in our own format",
        "weights:reve-base/shipped": "these weights are downloaded when they are asked for",
        "weights:reve-large/shipped": "these weights are downloaded when they are asked for",
        "weights:signal-jepa-62/shipped": "these weights are downloaded when they are asked for",
        "weights:signal-jepa-anywhere/shipped": "these weights are downloaded when they are asked for",
    }
