"""BIOT: amplitude spectra of short frames through a transformer with linear attention (arXiv:2305.10351)."""
