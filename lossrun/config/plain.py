"""Turn what Python code puts into a config into the plain values of a file."""

import os
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Convert paths to text, tuples and ranges to lists, and numbers and arrays of NumPy or torch to Python's.

    Anything else is not changed, so that validation refuses it.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    return value
