"""Small real recordings that come with the package, one of each kind: for a first look, for the demo and for tests."""
