"""What was measured of a run: values per seed, their spread and their statistics."""
