"""Check which classes have samples. The lint rule `missing_class` reports a class that is missing in one part."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, class_counts
from lossrun.errors import DataError

# Names of classes in a note.
SHOWN: Final = 5


def class_notes(parts: Mapping[str, Part], task: Task, target_size: int, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return notes about classes without a sample.

    Args:
        classes: Their names; () if they have no names.

    Raises:
        DataError: If all training samples belong to one class.
    """
    if task == "regression":
        return ()
    counts = {name: class_counts(part.targets, task, target_size) for name, part in parts.items()}
    names = classes or tuple(map(str, range(len(counts["train"]))))
    present = np.flatnonzero(class_counts(parts["train"].counted, task, target_size))
    if task != "multilabel" and len(present) < 2:
        that_counts = " that counts" * (parts["train"].weights is not None)
        raise DataError(
            f"every training sample{that_counts} is of the class {names[present[0]]}; expected at least 2 classes to "
            "tell apart: hold out fewer samples, or add some of the others"
        )
    nowhere = np.flatnonzero(sum(counts.values()) == 0)
    return (f"{_listed(names, nowhere)} in no sample",) if len(nowhere) else ()


def _listed(names: tuple[str, ...], places: np.ndarray) -> str:
    shown = ", ".join(names[place] for place in places[:SHOWN]) + ", ..." * (len(places) > SHOWN)
    return f"the class {shown} occurs" if len(places) == 1 else f"the classes {shown} occur"
