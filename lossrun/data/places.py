"""Where files lie: datasets to find or download, and the arrays made from them."""

import os
from pathlib import Path


def default_data_dir() -> Path:
    """`$LOSSRUN_DATA_DIR`, or the platform's cache folder for lossrun."""
    named = os.environ.get("LOSSRUN_DATA_DIR")
    return Path(named).expanduser() if named else _user_cache()


def array_cache_dir() -> Path:
    """Where decoded arrays are kept. Never the data folder itself, which may be shared or read-only."""
    return _user_cache() / "arrays"


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("lossrun", appauthor=False)
