"""Torch parts that models share: attention for padded and packed tokens, norms, blocks, pooling, the token encoder."""
