"""The usual modalities of neuroscience, as labels over the four layouts."""
