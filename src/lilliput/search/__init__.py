"""Searches: hyper-parameter studies and ablations."""
