"""Things outside the process; no maths."""
