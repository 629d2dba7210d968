"""CBraMod: EEG patches with criss-cross attention over channels and time (arXiv:2412.07236)."""
