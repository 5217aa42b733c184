"""Train seeds together: replicas, seed groups, one training step, and evaluation. Begin with `step.py`."""
