"""Record where a run's data and code came from, and what it keeps of them so that it can be moved."""
