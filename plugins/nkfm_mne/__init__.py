"""Recordings of every format MNE-Python reads, and where standard electrodes sit."""
