"""Recordings as values: what the rows are, what was measured, what happened. numpy only, SI units, read on demand."""
