"""A plugin whose entries each break one rule, beside honest ones that break none: tests of the suite itself."""
