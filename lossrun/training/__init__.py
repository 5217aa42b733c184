"""Train an experiment, epoch by epoch. Begin with `loop.py`, the main path; `starting/` leads to it."""
