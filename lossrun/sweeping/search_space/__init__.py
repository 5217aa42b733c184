"""Read what a sweep tries, from its block and `--over`, into alternatives and ranges."""
