"""Compare what was trained again with what was recorded, and name what differs."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from lossrun.analysis.verification import Mismatch
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files import strict_json

# Keys that may differ between two trainings of the same steps: wall times, the paths of the run and its history, and
# which checkpoints were saved on the way, which a stack decides by the clock.
_NOT_COMPARED: Final = frozenset(
    {"seconds", "epoch_seconds", "history_length", "history", "run", "config", "format_version", "tensors", "good_step"}
)
_NAMED: Final = 3  # differences in a message


def differing_state(recorded: Checkpoint, found: Checkpoint) -> list[str]:
    """Return the names of all tensors and keys that are not the same, bit for bit."""
    names = [
        name
        for name in sorted({*recorded.tensors, *found.tensors})  # safetensors returns them in any order
        if not equal(recorded.tensors.get(name), found.tensors.get(name))
    ]
    keys = [key for key in recorded.metadata if key not in _NOT_COMPARED]
    if recorded.metadata.get("format_version", 1) < 2:  # the best weights were in files of their own
        names = [name for name in names if name in recorded.tensors]
        keys.remove("replicas")
    ours, theirs = (_without_advice(one.metadata) for one in (found, recorded))
    return names + [key for key in keys if not is_within(theirs[key], ours.get(key))]


def _without_advice(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out which diagnoses each seed has been told: it changes no number, and versions differ in what they see."""
    replicas = [
        {**one, "health": {name: value for name, value in one["health"].items() if name != "named"}}
        for one in metadata["replicas"]
    ]
    return {**metadata, "replicas": replicas}


def equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Return whether two arrays have the same type, shape and bits."""
    if one is None or other is None or (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return one.tobytes() == other.tobytes()


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON, where NaN equals NaN."""
    texts = (strict_json.dumps(one), strict_json.dumps(other))
    return bool(strict_json.loads_plain(texts[0]) == strict_json.loads_plain(texts[1]))


def is_within(recorded: Any, found: Any) -> bool:
    """Return whether everything that was recorded is found again; newer versions may compute more."""
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        return all(key in found and is_within(value, found[key]) for key, value in recorded.items())
    if isinstance(recorded, list) and isinstance(found, list):
        return len(recorded) == len(found) and all(map(is_within, recorded, found))
    return same(recorded, found)


def sentences(differences: Sequence[Mismatch]) -> list[str]:
    """Say what differs, in order; of rows of the history and of scores only the first ones."""
    found = []
    for part, group in groupby(differences, lambda one: one.part):
        first, *others = group
        later = f", and {len(others)} later row{'s' * (len(others) != 1)}" if others and part == "history" else ""
        more = f", and of {len(others)} other seed{'s' * (len(others) != 1)}" if others and part == "scores" else ""
        few = "differs" if len(first.names) == 1 and not others else "differ"
        found.append(f"{_PLACES[part].format(first)}{_listed(first.names)}{later}{more} {few}")
    return found


# Where numbers that differ are, as the beginning of a sentence.
_PLACES: Final[Mapping[str, str]] = {
    "history": "history of epoch {0.epoch}, seed {0.seed}: ",
    "checkpoint": "",
    "scores": "scores on the held-out data, seed {0.seed}: ",
    "predictions": "predictions: ",
    "best_weights": "best weights: ",
}


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
