"""Every built-in plugin against the conformance suite, the same that third parties run."""

import pytest

from neurokit_fm.plugins import BUILT_IN
from neurokit_fm.registry import KINDS, weights
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


DOWNLOADED = "these weights are downloaded when they are asked for"
NOT_HERE = (
    "cannot be opened without a network: the data set qsimeon/celegans_neural_data@main is not in the local cache"
)

SKIPPED = {
    "is not fitted": [
        "model:biot/fit",
        "model:brainomni/fit",
        "model:braintokenizer/fit",
        "model:cbramod/fit",
        "model:code-prediction/fit",
        "model:eegformer-vq/fit",
        "model:eegpt/fit",
        "model:labram/fit",
        "model:mae/fit",
        "model:reve/fit",
        "model:signal-jepa/fit",
        "model:worm-persistence/fit",
        "model:worm-rnn/fit",
        "model:worm-transformer/fit",
        "model:worm-wired/fit",
    ],
    "has no loss": [
        "model:biot/loss_padding",
        "model:biot/repeatable_loss",
        "model:eegpt/loss_padding",
        "model:eegpt/repeatable_loss",
        "model:labram/loss_padding",
        "model:labram/repeatable_loss",
        "model:reve/loss_padding",
        "model:reve/repeatable_loss",
        "model:signal-jepa/loss_padding",
        "model:signal-jepa/repeatable_loss",
    ],
    "declared order-aware": [
        "model:biot/permutation",
        "model:cbramod/permutation",
        "model:glm-hmm/permutation",
    ],
    "has no parameter that is trained by gradients": [
        "model:glm-hmm/gradients",
        "model:worm-linear/gradients",
        "model:worm-persistence/gradients",
    ],
    "only sampled signals have a shortest length": [
        "model:glm-hmm/shortest",
        "model:glm-hmm/too_short",
    ],
    "offers no decode": [
        "tokenizer:braintokenizer/decode",
        "tokenizer:conv-patch/decode",
        "tokenizer:patch/decode",
        "tokenizer:spectral-vq/decode",
        "tokenizer:spectral/decode",
    ],
    "these weights come with the plugin, in our own format": [
        "weights:nkfm-tiny/converter",
        "weights:nkfm-tiny/converts",
        "weights:nkfm-tiny/every_key",
    ],
    NOT_HERE: ["dataset:celegans/finite", "dataset:celegans/first_recording"],
    DOWNLOADED: [f"weights:{name}/shipped" for name in weights if name != "nkfm-tiny"],
}
"""What is skipped where every package is installed, by reason: a suite that skips everything passes too."""

REASON = {key: reason for reason, keys in SKIPPED.items() for key in keys}
USERS_OWN = {"bids", "epochs-files", "labelled-files", "moabb", "nwb", "zarr-windows"}
"""Data sets that need to be told which, of files of the user's own or of MOABB: every check is skipped."""

EVERY = [parametrize_checks(plugin, xfail=XFAIL.get(plugin, {})).args[1] for plugin in BUILT_IN]


@pytest.mark.parametrize("check", [param for params in EVERY for param in params])
def test_conformance(check) -> None:
    skipped = None
    try:
        check()
    except CheckSkipped as err:
        skipped = err
    if skipped is None:
        assert check.key not in REASON, "it is not skipped any more"
        return
    if check.kind not in ("reader", "plugin"):  # those depend on what is installed
        of_files = check.kind == "dataset" and check.entry in USERS_OWN
        assert (OWN if of_files else REASON.get(check.key, "not listed")) in str(skipped)
    raise skipped


def test_every_built_in_entry_is_checked() -> None:
    checks = checks_for()
    assert {check.entry for check in checks if check.name == "unique"} >= {n for kind in KINDS.values() for n in kind}
    assert set(REASON) <= {check.key for check in checks}
