"""Tensors a model takes: one stream a signal, padded, with masks that are True where data are real. torch starts here."""
