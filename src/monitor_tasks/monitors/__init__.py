"""Judgements; no files, no clocks, unaware of each other."""
