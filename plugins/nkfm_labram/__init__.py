"""LaBraM: EEG patches with an embedding for each electrode name (arXiv:2405.18765)."""
