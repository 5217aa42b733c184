"""What Python code puts into a config, as the plain values that a file would hold."""

import os
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """The value with paths as text, tuples and ranges as lists, and numpy's or torch's numbers and arrays as Python's.

    Anything else stays as it is, for the validation to refuse.
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
