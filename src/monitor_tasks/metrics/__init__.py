"""Numbers from profiles; no thresholds."""
