"""BrainOmni: a transformer over the latent sources of EEG and MEG."""
