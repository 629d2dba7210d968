"""What tests of the toolkit and of its plugins are built from."""

from neurokit_fm.testing.fake import fake_recording

__all__ = ["fake_recording"]
