"""Artifacts to HTML and SVG; decides nothing."""
