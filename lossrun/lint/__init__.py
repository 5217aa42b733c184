"""Check a config for mistakes that don't raise an error, by rules over config, catalog, and data."""
