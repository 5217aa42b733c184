"""Read the measurements of a run: values for each seed, their spread, and their statistics."""
