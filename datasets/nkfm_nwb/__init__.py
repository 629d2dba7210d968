"""Neurodata Without Borders: a reader of `.nwb` files, and folders of them as data sets."""
