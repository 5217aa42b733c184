"""Record where a run's data and code came from, and keep copies of what the run needs after it is moved."""
