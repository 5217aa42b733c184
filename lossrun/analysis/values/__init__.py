"""Read what was measured of a run: values for each seed, their spread, and their statistics."""
