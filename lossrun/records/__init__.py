"""Write what a run leaves on disk, and read it again."""
