"""An experiment becomes epochs. Begin with `loop.py`, the main path; `starting/` leads to it."""
