"""What is known of a dataset, in the words that catalog, lint and reports share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossrun.catalog.declaration import Task


@dataclass(frozen=True, slots=True)
class TargetScale:
    """The regression targets of all parts of a dataset before any corruption, so that each split of it and each run on
    it has the same.

    low, high: least and greatest. least, mean: of their absolute values. whole: all are whole numbers. spreads: the
    smallest and the largest standard deviation of a column that varies. sizes: the smallest and the largest root mean
    square of a column.
    """

    low: float
    high: float
    least: float
    mean: float
    whole: bool
    spreads: tuple[float, float]
    sizes: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the rest of lossrun needs to know of a dataset before it sees a number of it.

    `target_size`: classes for multiclass, otherwise columns of the target. `train`, `validation`, `test`: samples.
    Of the training targets, None where they have not been looked at: `target_range`, least and greatest;
    `least_magnitude`, the target nearest to 0; `class_counts`, samples of each class that do not weigh 0 (binary: of no
    and of yes; multilabel: with each label); `weights`, least, greatest and sum of the samples' weights (None also
    where all count alike).
    Of a regression's validation and test targets: `held_out_range`, `held_out_magnitude`. `target_scale`: of all parts.
    `held_out_counts`: as `class_counts`, of "validation" and "test", where there are such samples. `counted`: of each
    part, the samples that do not weigh 0.
    `classes`: their names, () where they have none. `numbered`: a label is the place of its class, also where that has
    a name. `void`: samples left out because their label is ignored and no class.
    """

    task: Task
    input_shape: tuple[int, ...]
    target_size: int
    train: int
    validation: int
    test: int
    target_range: tuple[float, float] | None = None
    least_magnitude: float | None = None
    class_counts: tuple[int, ...] | None = None
    held_out_range: tuple[float, float] | None = None
    held_out_magnitude: float | None = None
    target_scale: TargetScale | None = None
    weights: tuple[float, float, float] | None = None
    classes: tuple[str, ...] = ()
    numbered: bool = True
    void: int = 0
    held_out_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict, compare=False)

    def class_of(self, label: str | float) -> int | None:
        """The place of the class with that label, as the data write it; None where no class has it.

        1, 1.0 and "1" are one label.
        """
        if str(label) in self.classes:
            return self.classes.index(str(label))
        if (number := as_number(label)) is None:
            return None
        if self.classes and not self.numbered:
            return next((place for place, name in enumerate(self.classes) if as_number(name) == number), None)
        count = 2 if self.task == "binary" else self.target_size
        return int(number) if number in range(count) else None


def as_number(label: str | float) -> float | None:
    """The number that a label is; None for a word."""
    try:
        return float(label)
    except ValueError:
        return None
