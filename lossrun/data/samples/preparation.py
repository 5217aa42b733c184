"""Keep how training prepared its data, so that new samples can be prepared in the same way without that data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Data, Part, Scaling
from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.table import Table
from lossrun.data.tables.table_inputs import InputColumn, Layout, read_inputs

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """Everything that a model needs to know about its data to predict; `to_json` loses no digit.

    Attributes:
        columns: The columns of a table with named columns, in the order of the inputs; () if inputs have no names.
        means: float64, (D,), the numbers that replace missing ones; None if a missing number is an error.
        form, delimiter, header: How the cells of the table were written.
        width: The number of all columns of the table; 0 if it is not known.
        arrays: The names of the inputs in an archive; () for other datasets.
        targets: The names of the targets; () if they have no names.
        dtype: The type of the inputs in original units: "uint8", "float32" or "float64".
        reach: The lowest and the highest input.
    """

    task: Task
    input_shape: tuple[int, ...]
    target_size: int
    classes: tuple[str, ...]
    input_scaling: Scaling
    target_scaling: Scaling
    columns: tuple[InputColumn, ...]
    means: np.ndarray | None
    form: CellForm
    delimiter: str
    header: bool
    arrays: tuple[str, ...]
    targets: tuple[str, ...]
    width: int
    dtype: str
    reach: tuple[float, float]

    @property
    def input_names(self) -> tuple[str, ...]:
        """A name for each input of a table with named columns; a word has `column=word`."""
        return tuple(name for column in self.columns for name in column.input_names)

    def inputs_of(self, table: Table) -> np.ndarray:
        """Return the inputs in a table's named columns, float64, (N, D); the table may have other columns too.

        Raises:
            DataError: For what is missing, is no number, or is a word that did not occur in training, with its place.
        """
        return read_inputs(table, self.columns, means=self.means)

    def without_samples(self, name: str) -> Data:
        """Return the data as far as they are known, with a training part without samples."""
        target = {"multiclass": ((0,), np.int64), "regression": ((0, self.target_size), np.float64)}
        shape, kind = target.get(self.task, ((0, self.target_size), np.float32))
        inputs: np.ndarray = np.empty((0, *self.input_shape), self.dtype)
        return Data(
            name=name,
            task=self.task,
            train=Part(inputs, np.empty(shape, kind), np.empty(0, np.int64)),
            validation=None,
            test=None,
            input_shape=self.input_shape,
            target_size=self.target_size,
            classes=self.classes,
            input_scaling=self.input_scaling,
            target_scaling=self.target_scaling,
            hashes={},
            notes=(),
            layout=Layout(
                columns=self.columns,
                form=self.form,
                delimiter=self.delimiter,
                header=self.header,
                arrays=self.arrays,
                targets=self.targets,
                width=self.width,
            ),
            means=self.means,
        )

    def to_json(self) -> dict[str, Any]:
        """Return lists, strings and numbers only."""
        return {
            "format": FORMAT,
            "task": self.task,
            "input_shape": list(self.input_shape),
            "target_size": self.target_size,
            "classes": list(self.classes),
            "input_scaling": _scaling_to_json(self.input_scaling),
            "target_scaling": _scaling_to_json(self.target_scaling),
            "columns": [column.to_json() for column in self.columns],
            "means": None if self.means is None else self.means.tolist(),
            "cells": {
                "decimal": self.form.decimal,
                "thousands": self.form.thousands,
                "missing_values": sorted(self.form.missing),
            },
            "delimiter": self.delimiter,
            "header": self.header,
            "arrays": list(self.arrays),
            "targets": list(self.targets),
            "width": self.width,
            "dtype": self.dtype,
            "reach": list(self.reach),
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "Preparation":
        """Read what `to_json` returned, once its schema has been checked."""
        cells, means = tree["cells"], tree["means"]
        return cls(
            task=tree["task"],
            input_shape=tuple(tree["input_shape"]),
            target_size=tree["target_size"],
            classes=tuple(tree["classes"]),
            input_scaling=_scaling_from_json(tree["input_scaling"]),
            target_scaling=_scaling_from_json(tree["target_scaling"]),
            columns=tuple(map(InputColumn.from_json, tree["columns"])),
            means=None if means is None else np.array(means, np.float64),
            form=CellForm(
                cells["decimal"],
                frozenset(cells["missing_values"]),
                cells.get("thousands", ""),  # missing in runs of earlier versions
            ),
            delimiter=tree["delimiter"],
            header=tree["header"],
            arrays=tuple(tree["arrays"]),
            targets=tuple(tree["targets"]),
            width=tree.get("width", 0),
            dtype=tree["dtype"],
            reach=(float(tree["reach"][0]), float(tree["reach"][1])),
        )


def preparation_of(data: Data) -> Preparation:
    """Return how the data were prepared for training."""
    inputs = data.train.inputs
    return Preparation(
        task=data.task,
        input_shape=tuple(data.input_shape),
        target_size=data.target_size,
        classes=data.classes,
        input_scaling=data.input_scaling,
        target_scaling=data.target_scaling,
        columns=data.layout.columns,
        means=data.means,
        form=data.layout.form,
        delimiter=data.layout.delimiter,
        header=data.layout.header,
        arrays=data.layout.arrays,
        targets=data.layout.targets,
        width=data.layout.width,
        dtype=inputs.dtype.name,
        reach=(float(inputs.min()), float(inputs.max())),
    )


def _scaling_to_json(scaling: Scaling) -> dict[str, Any]:
    return {"mean": scaling.mean.tolist(), "std": scaling.std.tolist()}


def _scaling_from_json(tree: Mapping[str, float | Sequence[float]]) -> Scaling:
    return Scaling(np.array(tree["mean"], np.float64), np.array(tree["std"], np.float64))
