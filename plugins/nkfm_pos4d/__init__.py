"""Positional encodings over sensor position and time."""
