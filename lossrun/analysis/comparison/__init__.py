"""Compare several runs: what may be compared, what differs, and the verdicts."""
