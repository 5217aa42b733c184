"""Lines drawn in the terminal and as image files."""
