"""Estimates of a regression's losses: against the losses of raw rows, and on NannyML's published windows."""
