"""What a sweep is to try: its block and `--over`, read into alternatives and ranges."""
