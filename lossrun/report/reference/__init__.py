"""Explain what the catalogue holds: lists, single topics, pictures of losses and schedules."""
