"""EEGFormer: brain signals as sequences of spectral codes that can be read."""
