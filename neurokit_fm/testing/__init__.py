"""What tests of the toolkit and of its plugins are built from."""

from neurokit_fm.testing.checks import checks_for, parametrize_checks
from neurokit_fm.testing.fake import fake_recording

__all__ = ["checks_for", "fake_recording", "parametrize_checks"]
