"""A step recorded once and replayed: an engine behind `Step`, without which everything works, only slower.

Begin with `recorded_step.py`, then `recording.py`.
"""
