"""Write what the cells of a sweep change, in short."""

from collections.abc import Mapping, Sequence
from typing import Any


def words(changes: Mapping[str, Any]) -> str:
    """Write what a cell changes: `loss=mse optimizer=sgd`."""
    return " ".join(f"{key}={word(value)}" for key, value in changes.items())


def apart(changes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what tells several cells or pairs apart: their changes without the keys that all of them change alike.

    All keys are kept where nothing would be left.
    """
    same = {
        key
        for first in changes[:1]
        for key in first
        if len({word(one[key]) if key in one else None for one in changes}) == 1
    }
    kept: list[Mapping[str, Any]] = [{key: value for key, value in one.items() if key not in same} for one in changes]
    return kept if any(kept) else [*changes]


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
    return words(_dataset([pair]))


def parts_words(parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Write which data the pairs of each part have, and what tells the parts apart: `dataset=moons`.

    A part may have several datasets that share their held-out samples: `dataset.validation=0.1 dataset.noise=0,0.5`.
    """
    return [words(one) or "other data" for one in apart([_dataset(pairs) for pairs in parts])]


def _dataset(pairs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return {key of the dataset: its alternatives}."""
    found: dict[str, dict[str, None]] = {}
    for pair in pairs:
        for key, value in pair.items():
            if key.partition(".")[0] == "dataset":
                found.setdefault(key, {})[word(value)] = None
    return {key: ",".join(values) for key, values in found.items()}
