"""The process that trains: its environment, threads, memory, signals and clock, and the world it keeps from others."""
