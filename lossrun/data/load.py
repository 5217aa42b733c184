"""Load a dataset, by its name and parameters, as numbers to train on."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lossrun.data.samples import scaling
from lossrun.data.samples.balance import class_notes
from lossrun.data.samples.corruption import corrupt
from lossrun.data.samples.dataset import Data, Part, Scaling, UnsplitData
from lossrun.data.samples.dividing import divide
from lossrun.data.samples.hashing import part_digest
from lossrun.data.samples.input_scale import input_scale
from lossrun.data.samples.leaks import leaking_columns
from lossrun.data.samples.repeated import repeated_samples
from lossrun.data.samples.sample_weights import weight_notes
from lossrun.data.samples.splits import Resample
from lossrun.data.samples.target_scale import target_scale
from lossrun.data.samples.targets import VOID
from lossrun.data.samples.task import ANY_LOSS, LossTasks
from lossrun.data.sources.images import IMAGE_SETS
from lossrun.data.sources.reading import read
from lossrun.data.sources.request import DataRequest
from lossrun.data.sources.separate_parts import HELD_OUT, repeated_notes
from lossrun.data.tables.inputs import GREATEST, blocks, narrowed
from lossrun.errors import DataError


def load(
    name: str,
    parameters: Mapping[str, Any],
    *,
    config_dir: Path,
    data_dir: Path,
    seed: int = 0,
    resample: Resample | None = None,
    precision: str = "float32",
    ignored: str | float | None = None,
    loss: LossTasks = ANY_LOSS,
    most: int | None = None,
) -> Data:
    """Read, split, fill, corrupt, check, scale and hash a dataset, in this order.

    Args:
        name: Its name, or `module:attribute`.
        parameters: Validated, with all defaults.
        config_dir: The folder that paths and a user's own modules are searched in.
        data_dir: The folder of downloads.
        seed: The seed of the run, used only with split_seed: seed.
        resample: Which of several splits or folds.
        precision: The precision of the model, in which different numbers may become equal.
        ignored: The label whose samples the loss ignores; they are left out if it is not a class.
        loss: The tasks that are possible for the loss, which decides where the config and the targets do not.
        most: How many samples to train on at most, so that all splits train on equally many; the others are left out.

    Raises:
        DataError: If the data are missing, damaged, or do not fit the parameters.
        UsageError: If a `module:attribute` cannot be loaded.
    """
    source, void = without_void(read(DataRequest(name, parameters, config_dir, data_dir, ignored, loss)))
    # The split changes the order of the training arrays.
    notes = [*source.notes, *repeated_notes(source, [part for part in HELD_OUT if parameters[part]])]
    split_seed = seed if parameters["split_seed"] == "seed" else parameters["split_seed"]
    if resample and resample.way == "splits":
        split_seed = resample.seed
    official = name in IMAGE_SETS
    parts, drawn, surplus = divide(
        source, parameters, split_seed, resample, is_own=":" in name, is_official=official, most=most
    )
    notes += [*drawn, *_void_notes(void, ignored)]
    weighed = weight_notes(parts, source.weighted_by, standardized=any(parameters["standardize"].values()))
    done = [*source.done, *weighed]
    means: np.ndarray | None = None
    if source.fill_missing:
        parts, means, filled = _fill_missing(parts, source.columns)
        notes += filled
    for part_name, part in parts.items():
        _check_finite(part_name, part, source.columns)
    regression = source.task == "regression"
    everything = list(parts.values())
    scale = target_scale([p.targets for p in everything], [p.inputs for p in everything]) if regression else None
    train = parts["train"]
    leaks = leaking_columns(train.inputs, train.targets, source.columns, source.task)
    if parameters["corrupt"]:
        targets, corrupted = corrupt(train.targets, source.task, source.target_size, parameters["corrupt"])
        train = parts["train"] = replace(train, targets=targets)
        done += corrupted
        _check_finite("train", train, ())
    notes += class_notes(parts, source.task, source.target_size, source.classes)
    standardize = parameters["standardize"]
    if standardize["targets"] and not regression:
        raise DataError(
            f"dataset.standardize: the targets of a {source.task} task are classes, and only regression targets can be "
            "standardized; set it to false for targets"
        )
    input_scaling = scaling.fit(train.inputs) if standardize["inputs"] else source.input_scaling or Scaling.identity()
    target_scaling = scaling.fit(train.targets) if standardize["targets"] else Scaling.identity()
    if train.inputs.ndim == 2:
        notes += scaling.constant_notes(train.inputs, source.columns, standardized=standardize["inputs"])
    if regression:
        notes += _constant_targets(parts)
    scaled = {"inputs": (train.inputs, input_scaling, source.columns)}
    if regression:
        scaled["targets"] = (train.targets, target_scaling, source.layout.targets)
    for what, each in scaled.items() if precision != "float64" else ():
        notes += scaling.coarse_notes(*each, what=what, standardized=standardize[what])
    return Data(
        name=name,
        task=source.task,
        train=train,
        validation=parts.get("validation"),
        test=parts.get("test"),
        input_shape=train.inputs.shape[1:],
        target_size=source.target_size,
        classes=source.classes,
        input_scaling=input_scaling,
        target_scaling=target_scaling,
        hashes={part_name: part_digest(part) for part_name, part in parts.items()},
        notes=tuple(notes),
        layout=source.layout,
        means=means,
        guessed_from=source.guessed_from,
        given=source.given,
        brought=tuple(
            name for name in ("validation", "test") if name in parts and parts[name].ids is _ids(source, name)
        ),
        target_scale=scale,
        numbered=source.numbered,
        void=void,
        surplus=surplus,
        input_scale=input_scale(train.inputs, input_scaling, source.columns),
        repeated=repeated_samples(train, {name: part for name, part in parts.items() if name != "train"}),
        leaks=leaks,
        done=tuple(done),
        task_decided=source.task_decided,
    )


def without_void(source: UnsplitData) -> tuple[UnsplitData, int]:
    """Return the source without samples whose label is ignored and no class (`targets.VOID`), and their number."""
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    if source.task != "multiclass":
        return source, 0
    kept = {name: part.targets != VOID for name, part in parts.items() if part is not None}
    count = sum(int((~each).sum()) for each in kept.values())
    if not count:
        return source, 0
    left = {name: part.rows(kept[name]) for name, part in parts.items() if part is not None}
    given = source.given
    if given is not None:
        rows, place = np.flatnonzero(kept["train"]), given.place
        given = replace(given, values=given.values[rows], place=lambda row: place(int(rows[row])))
    for name, part in left.items():
        if not len(part):
            raise DataError(
                f"every {name} sample has the ignored label, so no sample counts; expected some with other labels"
            )
    validation, test = left.get("validation"), left.get("test")
    return replace(source, train=left["train"], validation=validation, test=test, given=given), count


def _constant_targets(parts: Mapping[str, Part]) -> Iterator[str]:
    """Yield a note for each part of a regression whose targets are all the same."""
    for name, part in parts.items():
        targets = part.targets if name == "train" else part.counted
        if len(targets) and (targets == targets[0]).all():
            meaning = ": there is nothing to learn" if name == "train" else ", so r2 is NaN there"
            yield f"all {'training' if name == 'train' else name} targets are {_row(targets[0])}{meaning}"


def _void_notes(count: int, ignored: str | float | None) -> list[str]:
    samples = "1 sample" if count == 1 else f"{count} samples"
    return [f"{samples} left out: the label {ignored} is ignored and is not a class"] if count else []


def _fill_missing(parts: Mapping[str, Part], columns: tuple[str, ...]) -> tuple[dict[str, Part], np.ndarray, list[str]]:
    """Replace NaN among the inputs by the training mean of the column. Return the parts, the means, and a note."""
    train = parts["train"].inputs
    empty = np.isnan(train).all(axis=0)
    if empty.any():
        raise DataError(
            f"column {columns[empty.argmax()]} is empty in the whole training part, so it has no mean; leave it out "
            "with drop"
        )
    means = np.asarray(np.nanmean(train, axis=0, dtype=np.float64))
    count = sum(int(np.isnan(part.inputs).sum()) for part in parts.values())
    filled = {
        name: replace(part, inputs=narrowed(np.where(np.isnan(part.inputs), means, part.inputs)))
        for name, part in parts.items()
    }
    told = f"{count} empty {'cell' if count == 1 else 'cells'} filled with the training mean of the column"
    return filled, means, [told] if count else []


def _check_finite(name: str, part: Part, columns: tuple[str, ...]) -> None:
    """Raise DataError with the first place of a NaN, an infinity or a number beyond float32."""
    for what, array in (("inputs", part.inputs), ("targets", part.targets)):
        if array.dtype.kind != "f" or all((np.abs(block) <= GREATEST).all() for _, block in blocks(array)):
            continue
        row, *rest = np.argwhere(~(np.abs(array) <= GREATEST))[0]
        column = columns[rest[0]] if what == "inputs" and columns else ", ".join(map(str, rest))
        raise DataError(
            f"{name} {what}: {array[row, *rest]} at row {part.ids[row]} of the source, column {column}; "
            "expected finite numbers of at most 3.4e38"
        )


def _ids(source: UnsplitData, name: str) -> np.ndarray | None:
    part = source.validation if name == "validation" else source.test
    return part.ids if part else None


def _row(values: np.ndarray) -> str:
    """Return a row of targets as text: the number, or `[1, 2]`."""
    return f"{values[0]:g}" if len(values) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"
