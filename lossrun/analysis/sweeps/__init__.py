"""What a sweep has found: how each pair was tuned, and its final runs compared."""
