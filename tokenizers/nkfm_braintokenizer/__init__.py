"""BrainTokenizer: EEG and MEG of any montage as codes of a few latent sources."""
