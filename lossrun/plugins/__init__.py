"""The user's own components: finding, loading and checking them, without torch."""
