"""Recorded runs -> findings. Nothing here prints."""
