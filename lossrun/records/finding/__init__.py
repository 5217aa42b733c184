"""Find the runs and sweeps that a user names, or that were started from a config."""
