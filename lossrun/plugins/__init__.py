"""Find, load and check the user's own components, without torch."""
