"""EEGPT: a few summary vectors of all electrodes for each quarter of a second (NeurIPS 2024)."""
