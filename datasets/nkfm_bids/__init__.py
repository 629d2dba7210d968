"""BIDS trees as data sets: participants, sessions, runs and events as their tables say; and any data set as a BIDS tree."""
