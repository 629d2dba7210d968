"""REVE: an EEG foundation model for any electrode layout (arXiv:2510.21585)."""
