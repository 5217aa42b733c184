"""Distribution functions and their inverses, in plain Python: SciPy takes over a second to import."""
