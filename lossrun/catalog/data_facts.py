"""What is known about a dataset, in the words that catalog, lint and reports share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lossrun.catalog.declaration import Task


@dataclass(frozen=True, slots=True)
class TargetScale:
    """The scale of regression targets, over all parts of a dataset before any corruption.

    It is the same for every split of the dataset, and so for every run on it.

    Attributes:
        low, high: The lowest and the highest target.
        least, mean: The lowest and the mean absolute value.
        whole: Whether all targets are whole numbers.
        counts: How often each whole number from `low` to `high` occurs in the only column; () where they are not whole,
            or range over more than `MOST_COUNTED` numbers.
        labels: Whether they are about equally frequent whole numbers whose order means nothing to the inputs.
        spreads: The lowest and the highest standard deviation of a column; columns that do not vary are left out.
        sizes: The lowest and the highest root mean square of a column.
    """

    low: float
    high: float
    least: float
    mean: float
    whole: bool
    spreads: tuple[float, float]
    sizes: tuple[float, float]
    counts: tuple[int, ...] = ()
    labels: bool = False


# The most whole numbers that are counted one by one.
MOST_COUNTED: Final = 20
# The number of standard deviations from 0 at which the mean of a column is far from 0 for the column's width.
FAR: Final = 10.0


@dataclass(frozen=True, slots=True)
class InputScale:
    """The scale of the training inputs as the model gets them. Images count as one column of all their pixels.

    Attributes:
        low, high: The lowest and the highest number.
        narrowest, widest: The smallest and the largest range of a column; constant columns are left out.
        offset: The mean divided by the standard deviation, of the column that lies farthest from 0 for its width; 0 for
            columns within [-1, 1], unless all columns lie far from 0.
        column: The name of that column.
        reach: Its lowest and highest number.
    """

    low: float
    high: float
    narrowest: float
    widest: float
    offset: float = 0.0
    column: str = ""
    reach: tuple[float, float] = (0.0, 0.0)

    @property
    def largest(self) -> float:
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The facts about a dataset that the rest of lossrun needs, without its arrays.

    Facts about targets are None if nobody has looked at the targets yet, or if the task has no such fact.

    Attributes:
        target_size: The number of classes for multiclass, otherwise the columns of the target.
        train, validation, test: The number of samples of each part.
        target_range: The lowest and the highest training target.
        least_magnitude: The absolute value of the training target nearest to 0.
        class_counts: The training samples of each class (binary: of class 0 and class 1; multilabel: with each label),
            not counting samples of weight 0.
        held_out_range, held_out_magnitude: The same as `target_range` and `least_magnitude`, for the validation and
            test targets of a regression.
        target_scale: The scale of the targets of all parts.
        weights: The lowest, the highest and the sum of the training samples' weights; None if all weigh the same.
        classes: The names of the classes; () if they have no names.
        numbered: Whether a label is the index of its class, even if the classes have names.
        void: The samples left out because their label is ignored and belongs to no class.
        held_out_counts: The same as `class_counts` for "validation" and "test", for the parts that have samples.
        counted: For each part, the number of samples whose weight is not 0.
        inputs: The scale of the training inputs; None if nobody has looked at them yet.
        unvaried: The parts of a regression in which a target column holds only one value.
        exclusive: Whether each multilabel sample has exactly one label.
        repeated: For each held-out part, the number of samples that are training samples too, if there are too many
            for chance.
        leaks: The input columns that give the target away; see `leaking_columns`.
        sorted_classes: Whether the training samples come class by class.
        task_decided: Whether the loss decided on the task, because the config and the data leave it open.
        brought: Those of "validation" and "test" that the data brought; the others are drawn from the training part.
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
    inputs: InputScale | None = field(default=None, compare=False)
    unvaried: tuple[str, ...] = field(default=(), compare=False)
    exclusive: bool = field(default=False, compare=False)
    repeated: Mapping[str, int] = field(default_factory=dict, compare=False)
    leaks: tuple[str, ...] = field(default=(), compare=False)
    sorted_classes: bool = field(default=False, compare=False)
    brought: tuple[str, ...] = ()
    task_decided: bool = field(default=False, compare=False)

    def label_of(self, place: int) -> str:
        """Return the label of a class as in the data; its index if classes have no names."""
        return self.classes[place] if place < len(self.classes) else str(place)

    def class_of(self, label: str | float) -> int | None:
        """Return the index of the class with this label, written as in the data; None if no class has it.

        1, 1.0 and "1" are the same label.
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
    """Return a label as a number; None for a word."""
    try:
        return float(label)
    except ValueError:
        return None
