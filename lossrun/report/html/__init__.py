"""Write the self-contained page of a comparison."""
