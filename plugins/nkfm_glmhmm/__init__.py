"""State-switching GLMs: hidden brain states, each with its own coupling between neurons or its own policy of choice."""
