"""Get samples from files, official datasets, generators or a user's own function."""
