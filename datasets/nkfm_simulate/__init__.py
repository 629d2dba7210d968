"""Physics-based EEG and MEG of known sources: as much honest test material as one likes, without a network."""
