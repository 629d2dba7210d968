"""Masked autoencoding over any tokenizer and positional encoding."""
