"""Evaluate the recorded predictions: calibration, confusion of classes, and the worst examples.

The seeds of a run are taken together: their predictions are counted together, and the badness of an example is its mean
over the seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from lossrun.analysis.values import readings
from lossrun.analysis.values.kept_predictions import decided, has_probabilities, kept_predictions, read_as
from lossrun.analysis.values.shared_seeds import listed
from lossrun.catalog import Task
from lossrun.records.predictions import RecordedPredictions
from lossrun.records.recorded import RecordedRun

BINS: Final = 15  # the same as in the metric expected_calibration_error
MOST_CLASSES: Final = 30  # a larger confusion matrix could not be read
WORST: Final = 12  # examples


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions whose probability is in (low, high]; the first bin includes 0.

    Attributes:
        count: How many there are; the sum of the samples' weights, if they have any.
        predicted: The mean of their probabilities; None in an empty bin.
        observed: The share of them that came true; None in an empty bin.
    """

    low: float
    high: float
    count: float
    predicted: float | None
    observed: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often predictions of a probability come true.

    Attributes:
        of: What the probability is for, in words.
        bins: The bins, over all seeds together.
        error: The expected calibration error: the mean over the seeds of sum(count |predicted - observed|) /
            sum(count).
    """

    of: str
    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix.

    Attributes:
        counts: `counts[i][j]` is the number of samples of class i that are predicted as class j; the sum of the
            samples' weights, if they have any.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class HeldOutSample:
    """A held-out sample and how wrong its prediction is.

    Attributes:
        id: The row in the data source.
        truth: The names of the true classes, or the target values.
        guess: The names of the predicted classes, or the predicted values.
        badness: How wrong the prediction is, as `HeldOut.measure` describes.
        wrong: How many seeds predict the wrong class; None for a regression.
    """

    id: int
    truth: tuple[str, ...] | tuple[float, ...]
    guess: tuple[str, ...] | tuple[float, ...]
    badness: float
    wrong: int | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The evaluation of a run's recorded predictions.

    Attributes:
        part: "validation" or "test".
        samples: How many samples were kept, of `total`.
        seeds: The seeds whose outputs are evaluated.
        measure: What the badness of an example measures, in words.
        problem: Why something is missing, or "".
    """

    part: str
    samples: int
    total: int
    seeds: tuple[int, ...]
    calibration: Calibration | None
    confusion: Confusion | None
    measure: str
    worst: tuple[HeldOutSample, ...]
    problem: str


def held_out(members: Sequence[RecordedRun], classes: Sequence[str] = ()) -> HeldOut:
    """Evaluate the predictions that the best weights made for the held-out samples.

    Args:
        members: Runs that differ only in their seeds; usually one.
        classes: The names of the classes; () if unknown.

    Returns:
        The evaluation; without readable predictions it is empty and its `problem` says why.
    """
    run, task = members[0], readings.task(members[0])
    found, problems = kept_predictions(members)
    if found is None:
        return _nothing(problems[0])
    finite = {seed: np.asarray(one, np.float64) for seed, one in found.outputs.items() if np.isfinite(one).all()}
    if found.weights is not None:
        counting = np.flatnonzero(found.weights)
        finite = {seed: one[counting] for seed, one in finite.items()}
        found = replace(
            found, ids=found.ids[counting], targets=found.targets[counting], weights=found.weights[counting]
        )
    if task is None or not finite or not len(found.ids):
        return _nothing(
            "its predictions contain NaN or infinity" if task and found.outputs else "it has no predictions"
        )
    if left_out := sorted(set(found.outputs) - set(finite)):
        problems.append(f"the outputs of {listed(left_out)} contain NaN or infinity and are left out")
    outputs = np.stack(list(finite.values()))
    targets = np.asarray(found.targets)
    probabilities = has_probabilities(run.config)
    names = _names(task, outputs, classes)
    measure, badness = _badness(run.config, task, outputs, targets)
    return HeldOut(
        part=found.part,
        samples=len(found.ids),
        total=found.total,
        seeds=tuple(finite),
        calibration=_calibration(task, outputs, targets, found.weights)
        if probabilities and task != "regression"
        else None,
        confusion=_confusion(run.config, task, outputs, targets, names, found.weights),
        measure=measure,
        worst=_worst(run.config, task, found, outputs, badness, names),
        problem="; ".join(problems),
    )


def _nothing(problem: str) -> HeldOut:
    return HeldOut("", 0, 0, (), None, None, "", (), problem)


def _names(task: Task, outputs: np.ndarray, classes: Sequence[str]) -> tuple[str, ...]:
    count = 2 if task == "binary" else outputs.shape[-1]
    return tuple(classes) if len(classes) == count else tuple(map(str, range(count)))


def _calibration(task: Task, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> Calibration:
    if task == "multiclass":
        of, stated = "the likeliest class", outputs.max(axis=-1)
        true = outputs.argmax(axis=-1) == targets
    else:
        of = "class 1" if task == "binary" else "each label"
        stated, true = outputs, np.broadcast_to(targets, outputs.shape)
    # One histogram per seed: the sum is drawn, but the error is the mean of each seed's error, as in the metric.
    seeds = len(outputs)
    place = np.searchsorted(np.arange(1, BINS) / BINS, stated.reshape(seeds, -1)) + BINS * np.arange(seeds)[:, None]
    each = np.ones(stated.shape) if weights is None else np.broadcast_to(_column(weights, stated), stated.shape)
    of_seeds = [
        np.bincount(place.ravel(), (values * each).ravel(), BINS * seeds).reshape(seeds, BINS)
        for values in (np.ones(stated.shape), stated, true.astype(np.float64))
    ]
    error = np.abs(of_seeds[1] - of_seeds[2]).sum(axis=1) / of_seeds[0].sum(axis=1)
    counts, sums, hits = (one.sum(axis=0) for one in of_seeds)
    bins = tuple(
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=_whole(count),
            predicted=float(sums[index] / count) if count else None,
            observed=float(hits[index] / count) if count else None,
        )
        for index, count in enumerate(counts)
    )
    return Calibration(of, bins, float(error.mean()))


def _confusion(
    config: dict[str, Any],
    task: Task,
    outputs: np.ndarray,
    targets: np.ndarray,
    names: tuple[str, ...],
    weights: np.ndarray | None,
) -> Confusion | None:
    if task not in ("binary", "multiclass") or len(names) > MOST_CLASSES:
        return None
    guesses = decided(config, task, outputs)
    truths = np.broadcast_to(targets.reshape(len(targets)).astype(int), guesses.shape)
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (truths, guesses), np.broadcast_to(1.0 if weights is None else weights, guesses.shape))
    return Confusion(names, tuple(tuple(map(_whole, row)) for row in counts.tolist()))


def _column(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Shape weights (N,) for values (S, N) or (S, N, K)."""
    return weights if values.ndim == 2 else weights[:, np.newaxis]


def _whole(count: float) -> float:
    """Return a count as an integer if it is one; a sum of weights need not be."""
    return int(count) if count == int(count) else float(count)


def _badness(config: dict[str, Any], task: Task, outputs: np.ndarray, targets: np.ndarray) -> tuple[str, np.ndarray]:
    """Return a measure in words, and its mean over the seeds, (N,): higher is worse."""
    if task == "regression":
        errors = np.sqrt(np.square(outputs - targets).mean(axis=-1))
        several = outputs.shape[-1] > 1
        return "root mean squared error over the targets" if several else "absolute error", errors.mean(axis=0)
    probabilities = has_probabilities(config)
    if task == "multiclass":
        index = np.broadcast_to(targets, outputs.shape[:2])[..., np.newaxis]
        of_truth = np.take_along_axis(outputs, index, axis=-1)[..., 0]
        if probabilities:
            return "1 - probability of the true class", (1 - of_truth).mean(axis=0)
        others = outputs.copy()
        np.put_along_axis(others, index, -np.inf, axis=-1)
        return "highest output of a wrong class minus the output of the true class", (
            others.max(axis=-1) - of_truth
        ).mean(axis=0)
    if probabilities or read_as(config) == "mean":
        what = "1 - probability of the true label" if probabilities else "distance from the true 0 or 1"
        what += ", mean over the labels" if task == "multilabel" else ""
        return what, np.abs(outputs - targets).mean(axis=(0, -1))
    what = "how far the output is on the wrong side of 0" + (", mean over the labels" if task == "multilabel" else "")
    return what, (outputs * (1 - 2 * targets)).mean(axis=(0, -1))


def _worst(
    config: dict[str, Any],
    task: Task,
    found: RecordedPredictions,
    outputs: np.ndarray,
    badness: np.ndarray,
    names: tuple[str, ...],
) -> tuple[HeldOutSample, ...]:
    first = np.argsort(-badness, kind="stable")[:WORST]
    outputs, targets = outputs[:, first], np.asarray(found.targets)[first]
    mean = outputs.mean(axis=0, keepdims=True)
    if task == "regression":
        return tuple(
            HeldOutSample(int(found.ids[row]), _numbers(target), _numbers(guess), float(badness[row]), None)
            for row, target, guess in zip(first, targets, mean[0], strict=True)
        )
    truths = targets > 0.5 if task == "multilabel" else targets.reshape(len(first)).astype(int)
    each = decided(config, task, outputs)
    wrong = (each != truths).any(axis=-1).sum(axis=0) if task == "multilabel" else (each != truths).sum(axis=0)
    return tuple(
        HeldOutSample(
            int(found.ids[row]), _classes(truth, names), _classes(guess, names), float(badness[row]), int(seeds)
        )
        for row, truth, guess, seeds in zip(first, truths, decided(config, task, mean)[0], wrong, strict=True)
    )


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).ravel().tolist())


def _classes(value: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the name of the class, or the names of all labels that are true."""
    if np.ndim(value) == 0:
        return (names[int(value)],)
    return tuple(name for name, true in zip(names, value, strict=True) if true)
