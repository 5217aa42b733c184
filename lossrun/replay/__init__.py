"""Record a step once and replay it: an engine behind `Step`. Without it everything works, only slower.

Begin with `recorded_step.py`, then `recording.py`.
"""
