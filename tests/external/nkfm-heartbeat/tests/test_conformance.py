"""The rules every plugin keeps; `nkfm check nkfm_heartbeat` runs the same."""

from neurokit_fm.testing import parametrize_checks


@parametrize_checks("nkfm_heartbeat")
def test_conformance(check):
    check()
