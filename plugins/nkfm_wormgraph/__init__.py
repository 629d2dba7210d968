"""Models of a worm's neurons: what happens next, given what happened and who is wired to whom."""
