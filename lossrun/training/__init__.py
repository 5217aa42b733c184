"""An experiment becomes epochs. Begin with `loop.py`, the main path; `start.py` and `resume.py` lead to it."""
