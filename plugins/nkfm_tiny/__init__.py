"""nkfm-tiny: a small masked autoencoder for EEG and MEG whose weights come with the package."""
