"""The runs and sweeps that a user names, or that a config has begun already."""
