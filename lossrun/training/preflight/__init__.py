"""What is tried on one batch before a run starts."""
