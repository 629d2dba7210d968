"""Corpora: recordings prepared after a contract, once, and read as batches of equal cost, again and again."""
