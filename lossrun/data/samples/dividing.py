"""Divide samples into training, validation and test data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossrun.catalog.dataset_parameters import SPLIT_SEED, TEST, VALIDATION
from lossrun.data.samples.dataset import Part, UnsplitData
from lossrun.data.samples.given_split import parts_of
from lossrun.data.samples.splits import Resample, draw, drawn_sizes, fold_of, held_out
from lossrun.data.samples.streams import DataStream
from lossrun.errors import DataError


def divide(
    source: UnsplitData,
    parameters: Mapping[str, Any],
    seed: int,
    resample: Resample | None,
    *,
    is_own: bool,
    is_official: bool,
    most: int | None = None,
) -> tuple[dict[str, Part], list[str], int]:
    """Return the parts (train, and validation and test if there are any), notes, and how many samples are left out.

    Parts that the data have themselves are used unless the config says 0; an official test set only if the config names
    it.
    """
    given = source.given
    test = source.test if parameters["test"] == "official" or (parameters["test"] and not is_official) else None
    validation = source.validation if parameters["validation"] else None
    whole = source.train
    named = parts_of(given) if given and given.by == "column" else {}
    _check_split(source, parameters, named)
    for_test = named.get("test", np.zeros(len(whole), bool))
    for_validation = named.get("validation", np.zeros(len(whole), bool))
    for_training = ~for_test & ~for_validation
    if resample:
        _check_resampling(source, resample, has_test=test is not None or "test" in named)
    asked, in_fold = parameters, np.zeros(0, bool)
    if resample and resample.way == "folds":
        folds = fold_of(whole.targets[for_training], resample.count, source.task, seed)
        in_fold = folds == resample.index
        # Sized for the largest fold; what a smaller one tests less on, it validates more on, or leaves out: all folds
        # train on equally many, whichever of them a run has.
        largest = int(np.bincount(folds).max())
        asked = {**parameters, "test": largest}
    test_size, validation_size = drawn_sizes(
        asked,
        int(for_training.sum()),
        own_test=test is not None or "test" in named,
        own_validation=validation is not None or "validation" in named,
    )
    if len(in_fold):
        test_size, spare = int(in_fold.sum()), test_size - int(in_fold.sum())
        if validation_size:
            validation_size += spare
        else:
            most = min(len(folds) - largest, len(folds) if most is None else most)
    # Draw all parts first, so that no sample is copied twice.
    if len(in_fold):
        drawn = np.zeros(len(whole), bool)
        drawn[np.flatnonzero(for_training)[in_fold]] = True
    else:
        drawn = held_out(source, for_training, test_size, seed, DataStream.TEST_SPLIT)
    for_test, for_training = for_test | drawn, for_training & ~drawn
    drawn = held_out(source, for_training, validation_size, seed, DataStream.VALIDATION_SPLIT)
    for_validation, for_training = for_validation | drawn, for_training & ~drawn
    left_out: np.ndarray = np.zeros(len(whole), bool)
    surplus = 0 if most is None else max(0, int(for_training.sum()) - most)
    if surplus:
        rows = np.flatnonzero(for_training)
        left_out[rows[draw(whole.targets[rows], surplus, source.task, seed, DataStream.LEFT_OUT)]] = True
        for_training &= ~left_out
    train = whole
    if not for_training.all():
        indices = [np.flatnonzero(mask) for mask in (for_training, for_validation, for_test, left_out)]
        # A user's arrays may be wanted by the user, memory maps cannot be written to, and batches are taken from rows.
        arrays = (whole.inputs, whole.targets, whole.ids, *(() if whole.weights is None else (whole.weights,)))
        ours = not is_own and all(array.flags.writeable and array.flags.c_contiguous for array in arrays)
        train, *others = whole.sorted_into(indices) if ours else map(whole.rows, indices)
        validation = others[0] if len(others[0]) else validation
        test = others[1] if len(others[1]) else test
    parts = {"train": train, "validation": validation, "test": test}
    notes = [
        f"{name}: {size} sample{'s' * (size > 1)} drawn at random from the training part, since column {given.name} "
        "names none"
        for name, size in (("test", test_size), ("validation", validation_size))
        if size and given and given.by == "column"
    ]
    if surplus:
        notes.append(f"train: {surplus} sample{'s' * (surplus > 1)} left out, so that all splits train on equally many")
    return {name: part for name, part in parts.items() if part is not None}, notes, surplus


def _check_resampling(source: UnsplitData, resample: Resample, *, has_test: bool) -> None:
    """Raise DataError where there is nothing to draw the test data of several splits from."""
    way, by = resample.way, source.given.by if source.given else ""
    if has_test:
        other = "0 to divide" if way == "folds" else "a share to draw test data from"
        raise DataError(
            f"{way}: {resample.count}, but the data bring their own test set, which is the same for every split; leave "
            f"{way} out, or set dataset.test to {other} the training part"
        )
    if by == "order" or (by == "groups" and way == "folds"):
        other = "" if by == "order" else ", or use splits, which keeps groups together"
        raise DataError(f"{way}: {resample.count}, but dataset.split says what is tested; leave {way} out{other}")


def _check_split(source: UnsplitData, parameters: Mapping[str, Any], named: Mapping[str, np.ndarray]) -> None:
    """Raise DataError for keys that contradict a split that the data define."""
    split = parameters.get("split")
    if not split:
        return
    way = next((way for way in ("column", "groups", "order") if split[way] is not None), "")
    for part, default in (("validation", VALIDATION.default), ("test", TEST.default)):
        if parameters[part] != default and (part in named or split[part] is not None):
            by = (
                f"file {split[part]}"
                if split[part] is not None
                else f"column {source.given.name if source.given else ''}"
            )
            raise DataError(
                f"dataset.{part}: {parameters[part]}, but the {part} part is given by the {by}; keep one of the two"
            )
    if parameters["test"] == "official":
        return
    draws = way == "groups" or any(part not in named and split[part] is None for part in ("validation", "test"))
    if (way == "order" or not draws) and parameters["split_seed"] != SPLIT_SEED.default:
        raise DataError(
            f"dataset.split_seed: {parameters['split_seed']}, but nothing is drawn at random: dataset.split gives "
            f"the split; keep one of the two"
        )
