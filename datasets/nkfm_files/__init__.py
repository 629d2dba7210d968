"""Data sets that people bring as files: recordings with a table of labels, MNE Epochs, and windows in Zarr folders."""
