"""Draw learning curves on the terminal and in image files."""
