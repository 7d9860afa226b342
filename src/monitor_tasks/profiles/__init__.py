"""Sums from rows: small, serialisable, and profile(a) + profile(b) is the profile of both."""
