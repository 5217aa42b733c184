"""Manage the process that trains: its environment, threads, memory, signals and clock, and torch's global state."""
