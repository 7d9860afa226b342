"""Rows from rows."""
