"""Collect what a sweep has found: how each pair was tuned, and the comparison of its final runs."""
