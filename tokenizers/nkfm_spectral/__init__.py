"""Spectral patches as tokens, plain or replaced by the entries of a learned codebook."""
