"""The types of this room: what a user's function returns, and what training gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np

from lossrun.catalog.data_facts import DataFacts, InputScale, TargetScale
from lossrun.catalog.declaration import Task
from lossrun.data.tables.table_inputs import UNNAMED, Layout

BLOCK: Final = 16_384  # samples moved at a time


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a user's own dataset function returns.

    Each part is (inputs, targets) or, as in Keras, (inputs, targets, weights): arrays, CPU tensors or lists, with one
    row per sample. Weights are at least 0 and weight the samples in the loss and in every metric. A part that is left
    out is split off from `train`, as for any dataset.

    Attributes:
        classes: The names of the classes; integer labels are then indices into it.
    """

    train: tuple[Any, ...]
    validation: tuple[Any, ...] | None = None
    test: tuple[Any, ...] | None = None
    task: Task | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """scaled = (raw - mean) / std; both float64 and broadcastable to one sample."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def identity(cls) -> "Scaling":
        return cls.divide_by(1.0)

    @classmethod
    def divide_by(cls, divisor: float) -> "Scaling":
        return cls(np.array(0.0), np.array(divisor))

    def apply(self, raw: np.ndarray, precision: Any = np.float32) -> np.ndarray:
        """Return numbers in original units, (N, ...), scaled and then rounded to `precision`, or `raw` itself."""
        if not np.any(self.mean) and np.all(self.std == 1):
            return raw.astype(precision, copy=False)
        # float32 is enough for bytes, and halves the memory of a large image set.
        work = np.float32 if raw.dtype == np.uint8 else np.float64
        scaled = np.empty(raw.shape, precision)
        for start in range(0, len(raw), BLOCK):
            block: np.ndarray = np.subtract(raw[start : start + BLOCK], self.mean, dtype=work)
            np.divide(block, self.std, out=block, casting="same_kind")
            scaled[start : start + BLOCK] = block
        return scaled


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Samples in original units. Arrays may be read-only memory maps.

    Attributes:
        inputs: (N, *input_shape): uint8 for pixels, float32 if it holds each number exactly, otherwise float64.
        targets: For multiclass int64, (N,); for binary float32, (N, 1), of 0 and 1; for multilabel float32, (N, K), of
            0 and 1; for regression float32 or float64, (N, K), as for inputs.
        ids: int64, (N,), ascending: the row in the source; a separate test set has its own rows.
        weights: float64, (N,); None if all samples count the same.
    """

    inputs: np.ndarray
    targets: np.ndarray
    ids: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counted(self) -> np.ndarray:
        """The targets, without those of samples of weight 0."""
        return self.targets if self.weights is None else self.targets[self.weights > 0]

    def rows(self, index: np.ndarray | slice) -> "Part":
        weights = None if self.weights is None else self.weights[index]
        return Part(self.inputs[index], self.targets[index], self.ids[index], weights)

    def sorted_into(self, indices: Sequence[np.ndarray]) -> "list[Part]":
        """Divide the samples into several parts, by ascending indices, so that every sample is in one part.

        The parts use the memory of this one, which must not be used afterwards, because a copy of a large dataset would
        double the memory of a run. The samples of all parts but the first are copied for a moment, so the first should
        be the largest.
        """
        first, *others = indices
        for array in (self.inputs, self.targets, self.ids, *(() if self.weights is None else (self.weights,))):
            held_out = [array[index] for index in others]
            # In ascending order, no sample is overwritten before it is read.
            for start in range(0, len(first), BLOCK):
                block = first[start : start + BLOCK]
                array[start : start + len(block)] = array[block]
            place = len(first)
            for part in held_out:
                array[place : place + len(part)] = part
                place += len(part)
        return [self.rows(slice(*bounds)) for bounds in pairwise(accumulate(map(len, indices), initial=0))]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A dataset, ready to train on.

    Attributes:
        target_size: The number of classes for multiclass, otherwise of columns of the target.
        classes: The names of the classes; () if not known.
        input_scaling, target_scaling: Fitted on the training part, or fixed (pixels are divided by 255).
        hashes: {part: SHA-256 (hex) of dtype, shape and bytes of its inputs and targets as used, after corruption}.
        notes: What the config does not say, such as "3 rows with empty cells dropped".
        done: What was done because the config or the file says so, such as "10 % of the training labels replaced".
        layout: Where the inputs are in a file.
        means: float64, (D,), the numbers that replaced missing ones; None if no number may be missing.
        guessed_from: A word among the targets, if the config does not say that words are classes.
        given: What a file says about the parts of its rows.
        brought: The parts that the source has separately from the training part.
        target_scale: For a regression, the scale of the targets of all parts, before any corruption.
        numbered: Whether a label is the index of its class, even if classes have names.
        void: The samples left out because their label is ignored and belongs to no class.
        surplus: The samples left out of the training part because another split has fewer.
        input_scale: The scale of the inputs for the model.
        repeated: As in `DataFacts`.
        leaks: As in `DataFacts`.
        task_decided: As in `DataFacts`.
    """

    name: str
    task: Task
    train: Part
    validation: Part | None
    test: Part | None
    input_shape: tuple[int, ...]
    target_size: int
    classes: tuple[str, ...]
    input_scaling: Scaling
    target_scaling: Scaling
    hashes: dict[str, str]
    notes: tuple[str, ...]
    layout: Layout = UNNAMED
    means: np.ndarray | None = None
    guessed_from: str | None = None
    given: "SplitColumn | None" = None
    brought: tuple[str, ...] = ()
    target_scale: TargetScale | None = None
    numbered: bool = True
    void: int = 0
    surplus: int = 0
    input_scale: InputScale | None = None
    repeated: Mapping[str, int] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    task_decided: bool = False

    def _names_of_columns(self) -> tuple[str, ...]:
        """Return what the file calls several target columns that are a class or a label each."""
        columns = self.layout.targets if self.task in ("multiclass", "multilabel") else ()
        return columns if len(columns) == self.target_size > 1 else ()

    @property
    def facts(self) -> DataFacts:
        regression = self.task == "regression"
        held_out = [part.targets for part in (self.validation, self.test) if part and regression]
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        counted = {name: part.counted for name, part in parts.items() if part is not None}
        counts = {
            name: tuple(class_counts(targets, self.task, self.target_size).tolist())
            for name, targets in counted.items()
            if not regression
        }
        return DataFacts(
            task=self.task,
            input_shape=self.input_shape,
            target_size=self.target_size,
            train=len(self.train),
            validation=len(self.validation) if self.validation else 0,
            test=len(self.test) if self.test else 0,
            target_range=(float(self.train.targets.min()), float(self.train.targets.max())),
            least_magnitude=float(np.abs(self.train.targets).min()),
            class_counts=counts.get("train"),
            held_out_range=(min(float(p.min()) for p in held_out), max(float(p.max()) for p in held_out))
            if held_out
            else None,
            held_out_magnitude=min((float(np.abs(p).min()) for p in held_out), default=None),
            target_scale=self.target_scale,
            classes=self.classes or self._names_of_columns(),
            numbered=self.numbered,
            void=self.void,
            weights=None if self.train.weights is None else summary_of(self.train.weights),
            held_out_counts={name: each for name, each in counts.items() if name != "train"},
            counted={name: len(targets) for name, targets in counted.items()},
            brought=self.brought,
            inputs=self.input_scale,
            unvaried=tuple(name for name, targets in counted.items() if regression and _is_unvaried(targets)),
            exclusive=self.task == "multilabel" and bool((self.train.targets.sum(axis=1) == 1).all()),
            repeated=self.repeated,
            leaks=self.leaks,
            task_decided=self.task_decided,
            sorted_classes=self.task in ("binary", "multiclass") and comes_class_by_class(self.train.targets),
        )


def _is_unvaried(targets: np.ndarray) -> bool:
    """Return whether a column of targets, (N, K), holds only one value."""
    return bool((targets == targets[:1]).all(axis=0).any())


def comes_class_by_class(targets: np.ndarray) -> bool:
    """Return whether all samples of a class follow each other, for several classes of several samples each."""
    labels = targets.ravel()
    changes = int(np.count_nonzero(labels[1:] != labels[:-1]))
    return 0 < changes < len(labels) // 2 and changes == len(np.unique(labels)) - 1


def summary_of(weights: np.ndarray) -> tuple[float, float, float]:
    """Return the lowest, the highest and the sum."""
    return float(weights.min()), float(weights.max()), float(weights.sum())


def class_counts(targets: np.ndarray, task: Task, target_size: int) -> np.ndarray:
    """Return the number of samples of each class (binary: of class 0 and class 1; multilabel: with each label)."""
    if task == "multilabel":
        positive: np.ndarray = targets.sum(axis=0, dtype=np.int64)
        return positive
    return np.bincount(targets.ravel().astype(np.int64), minlength=max(target_size, 2))


def class_amounts(part: Part, task: Task, target_size: int) -> tuple[list[float], float]:
    """Return the number of samples, or the sum of their weights, for each class and for all."""
    if part.weights is None:
        return class_counts(part.targets, task, target_size).tolist(), len(part)
    if task == "multilabel":
        amounts = (part.targets * part.weights[:, np.newaxis]).sum(axis=0, dtype=np.float64)
        return amounts.tolist(), float(part.weights.sum())
    classes = part.targets.ravel().astype(np.int64)
    weighed = np.bincount(classes, weights=part.weights, minlength=max(target_size, 2))
    return weighed.tolist(), float(part.weights.sum())


@dataclass(frozen=True, slots=True, eq=False)
class SplitColumn:
    """The values that decide the part of each sample of the training source.

    Attributes:
        by: "column" (the values name parts), "groups" (no value is in two parts) or "order" (the last are held out).
        name: The name of the column or array.
        values: Words or numbers, (N,).
        place: Returns what messages call the cell of a row.
    """

    by: str
    name: str
    values: np.ndarray
    place: Callable[[int], str]


@dataclass(frozen=True, slots=True, eq=False)
class UnsplitData:
    """What a reader returns: encoded samples, not yet split.

    Attributes:
        validation, test: Only if the source has such parts itself.
        input_scaling: A fixed scaling; None for the identity.
        columns: The names of the input columns, for messages; () if they have no names.
        layout: Where the inputs are in a file.
        guessed_from: As in `Data`.
        given: What a file says about which rows are held out; None if they are drawn.
        numbered: As in `Data`.
        weighted_by: What the weights of the samples are called; "" without weights.
        fill_missing: Whether NaN among the inputs means a missing number, to be replaced by the training mean.
        done: As in `Data`.
        task_decided: As in `DataFacts`.
    """

    task: Task
    train: Part
    target_size: int
    validation: Part | None = None
    test: Part | None = None
    classes: tuple[str, ...] = ()
    input_scaling: Scaling | None = None
    columns: tuple[str, ...] = ()
    layout: Layout = UNNAMED
    guessed_from: str | None = None
    given: SplitColumn | None = None
    numbered: bool = True
    weighted_by: str = ""
    fill_missing: bool = False
    notes: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    task_decided: bool = False
