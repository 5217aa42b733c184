"""Config -> epochs. The main path is `loop.py`."""
