"""Patches of raw signal as tokens."""
