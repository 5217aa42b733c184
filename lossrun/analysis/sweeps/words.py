"""Write what the cells of a sweep change, in short."""

from collections.abc import Mapping
from typing import Any


def words(changes: Mapping[str, Any]) -> str:
    """Write what a cell changes: `loss=mse optimizer=sgd`."""
    return " ".join(f"{key}={word(value)}" for key, value in changes.items())


def word(value: Any) -> str:
    """Write a value of a config as a short text."""
    if isinstance(value, Mapping):
        name = value.get("name")
        others = ",".join(f"{key}={word(one)}" for key, one in value.items() if key != "name")
        return f"{name}({others})" if name and others else str(name or f"({others})")
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(word, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    # Enough digits that two alternatives never look the same.
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def data_words(pair: Mapping[str, Any]) -> str:
    """Write which data a pair has: `dataset=moons`; "" if the sweep has a single dataset."""
    return words({key: value for key, value in pair.items() if key.partition(".")[0] == "dataset"})
