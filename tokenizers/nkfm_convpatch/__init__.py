"""Patches of a channel through a few convolutions."""
