"""Which classes the parts of a split hold: what was never seen in training cannot be got right."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.dataset import Part, class_counts
from lossrun.errors import DataError

# Of class names in a note.
SHOWN: Final = 5


def class_notes(parts: Mapping[str, Part], task: Task, target_size: int, classes: tuple[str, ...]) -> tuple[str, ...]:
    """What to know of classes without a training sample. `classes`: their names, () where they have none.

    Raises DataError where all training samples are of one class and there is nothing to tell apart.
    """
    if task == "regression":
        return ()
    counts = {name: class_counts(part.targets, task, target_size) for name, part in parts.items()}
    names = classes or tuple(map(str, range(len(counts["train"]))))
    present = np.flatnonzero(counts["train"])
    if task != "multilabel" and len(present) < 2:
        raise DataError(
            f"every training sample is of the class {names[present[0]]}; expected at least 2 classes to tell apart: "
            "hold out fewer samples, or add some of the others"
        )
    found = []
    for held_out in (name for name in parts if name != "train"):
        unseen = np.flatnonzero((counts["train"] == 0) & (counts[held_out] > 0))
        if len(unseen):
            samples = int(counts[held_out][unseen].sum())
            found.append(
                f"{_listed(names, unseen)} in {samples} {held_out} sample{'s' * (samples > 1)}, but in no training "
                "sample: no model can learn that"
            )
    nowhere = np.flatnonzero(sum(counts.values()) == 0)
    if len(nowhere):
        found.append(f"{_listed(names, nowhere)} in no sample at all")
    return tuple(found)


def _listed(names: tuple[str, ...], places: np.ndarray) -> str:
    shown = ", ".join(names[place] for place in places[:SHOWN]) + ", ..." * (len(places) > SHOWN)
    return f"the class {shown} occurs" if len(places) == 1 else f"the classes {shown} occur"
