"""Recordings that neurokit_fm stored itself, read like any other format."""
