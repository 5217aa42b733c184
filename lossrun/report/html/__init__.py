"""The self-contained page of a comparison."""
