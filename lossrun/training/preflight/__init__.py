"""Try a config on one batch before a run starts."""
