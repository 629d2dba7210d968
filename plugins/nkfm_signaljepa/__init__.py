"""Signal-JEPA: convolutions along each channel, then a transformer over channels and seconds (arXiv:2403.11772)."""
