"""MOABB's data sets through MOABB's paradigms as labelled trials."""
