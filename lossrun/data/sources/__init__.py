"""Where samples come from: files, official datasets, generators, a user's own function."""
