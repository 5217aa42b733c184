"""Find out what is wrong with a run in progress. Begin with `examine.py`."""
