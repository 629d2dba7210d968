"""Heartbeats as tokens."""
