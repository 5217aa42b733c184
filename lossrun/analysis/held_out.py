"""What predictions.npz says beyond the metrics: calibration, confusion of classes, and the worst examples.

The seeds of a run are taken together: their predictions are counted side by side, and an example is as bad as it is on
average over the seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from lossrun.analysis.values import readings
from lossrun.catalog import Task, find
from lossrun.catalog.declaration import Loss
from lossrun.errors import RunError
from lossrun.records import predictions
from lossrun.records.predictions import RecordedPredictions
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

BINS: Final = 15  # as many as the metric expected_calibration_error has
MOST_CLASSES: Final = 30  # of a confusion matrix that can still be read
WORST: Final = 12  # examples


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions whose probability lies in (low, high], the first bin with 0. `predicted`: their mean probability;
    `observed`: how often it was true; both None where `count` is 0. By the samples' weights, if they have any."""

    low: float
    high: float
    count: float
    predicted: float | None
    observed: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """`of`: whose probability it is. `bins`: of all seeds together. `error`: sum of count |predicted - observed| over
    a seed's bins, divided by all, mean over the seeds: the metric expected_calibration_error."""

    of: str
    bins: tuple[Bin, ...]
    error: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]`: predictions of class j for samples of class i; sums of weights where samples have any."""

    classes: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class HeldOutSample:
    """`id`: row in the source. `truth`, `guess`: class names, or numbers. `badness`: as `HeldOut.measure` says.
    `wrong`: seeds that decide wrongly, None where nothing is decided."""

    id: int
    truth: tuple[str, ...] | tuple[float, ...]
    guess: tuple[str, ...] | tuple[float, ...]
    badness: float
    wrong: int | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """`part`: "validation" or "test". `samples` of `total` were kept. `seeds`: whose outputs are looked at. `measure`:
    what the badness of an example is, in words. `problem`: why there is less to show, or nothing."""

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
    """What the best weights say of the held-out samples, of runs that differ in their seeds alone; mostly of one.

    `classes`: their names, () where unknown. Without readable predictions it is empty and says why.
    """
    run, task = members[0], readings.task(members[0])
    found, problems = _together(members)
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
        return _nothing("its predictions are not finite" if task and found.outputs else "it has no predictions")
    if left_out := sorted(set(found.outputs) - set(finite)):
        problems.append(f"the outputs of seed {', '.join(map(str, left_out))} are not finite and left out")
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


def has_probabilities(config: dict[str, Any]) -> bool:
    """Whether what a classifier of this config predicts is probabilities: its model ends in them, or its loss makes
    them of the outputs, as a user's own loss is taken to."""
    return config["model"].get("output", "none") != "none" or _read_as(config) == "probabilities"


def _together(members: Sequence[RecordedRun]) -> tuple[RecordedPredictions | None, list[str]]:
    """The predictions of all members as if one run had made them, and what could not be read."""
    found: RecordedPredictions | None = None
    problems = []
    for run in members:
        path = RunDirectory(run.path).predictions_path
        if not path.is_file():
            problems.append(f"{run.name} has no predictions.npz, which a run with held-out data writes at its end")
            continue
        try:
            read = predictions.read(path, (run.finished or {}).get("predictions"))
        except RunError as error:
            problems.append(str(error))
            continue
        if found is None:
            found = read
        elif np.array_equal(read.ids, found.ids) and read.part == found.part:
            found = replace(found, outputs={**found.outputs, **read.outputs})
        else:
            problems.append(f"the predictions of {run.name} are of other samples and left out")
    return found, problems


def _read_as(config: dict[str, Any]) -> str | None:
    name = config["loss"]["name"]
    declared = find("loss", name)
    if ":" in name or declared is None or not isinstance(declared.component, Loss):
        return "probabilities"
    return declared.component.prediction


def _nothing(problem: str) -> HeldOut:
    return HeldOut("", 0, 0, (), None, None, "", (), problem)


def _names(task: Task, outputs: np.ndarray, classes: Sequence[str]) -> tuple[str, ...]:
    count = 2 if task == "binary" else outputs.shape[-1]
    return tuple(classes) if len(classes) == count else tuple(map(str, range(count)))


def _decided(config: dict[str, Any], task: Task, outputs: np.ndarray) -> np.ndarray:
    """The classes that (S, N, ...) outputs decide for: int (S, N), of labels bool (S, N, K)."""
    if task == "multiclass":
        classes: np.ndarray = outputs.argmax(axis=-1)
        return classes
    # Of probabilities, and of outputs trained towards 0 and 1, the middle decides; of margins the sign.
    middle = 0.5 if has_probabilities(config) or _read_as(config) == "mean" else 0.0
    yes: np.ndarray = outputs > middle
    return yes[..., 0].astype(int) if task == "binary" else yes


def _calibration(task: Task, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> Calibration:
    if task == "multiclass":
        of, stated = "the likeliest class", outputs.max(axis=-1)
        true = outputs.argmax(axis=-1) == targets
    else:
        of = "class 1" if task == "binary" else "each label"
        stated, true = outputs, np.broadcast_to(targets, outputs.shape)
    # One histogram per seed: their sum is drawn, and the error is each seed's own, as the metric has it.
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
    guesses = _decided(config, task, outputs)
    truths = np.broadcast_to(targets.reshape(len(targets)).astype(int), guesses.shape)
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (truths, guesses), np.broadcast_to(1.0 if weights is None else weights, guesses.shape))
    return Confusion(names, tuple(tuple(map(_whole, row)) for row in counts.tolist()))


def _column(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weights (N,) beside values (S, N) or (S, N, K)."""
    return weights if values.ndim == 2 else weights[:, np.newaxis]


def _whole(count: float) -> float:
    """A count as an integer, where it is one: weights need not be."""
    return int(count) if count == int(count) else float(count)


def _badness(config: dict[str, Any], task: Task, outputs: np.ndarray, targets: np.ndarray) -> tuple[str, np.ndarray]:
    """A measure in words, and its mean over the seeds, (N,): the more the worse."""
    if task == "regression":
        errors = np.sqrt(np.square(outputs - targets).mean(axis=-1))
        several = outputs.shape[-1] > 1
        return "root mean squared error over the targets" if several else "absolute error", errors.mean(axis=0)
    probabilities = has_probabilities(config)
    if task == "multiclass":
        index = np.broadcast_to(targets, outputs.shape[:2])[..., np.newaxis]
        of_truth = np.take_along_axis(outputs, index, axis=-1)[..., 0]
        if probabilities:
            return "probability denied to the true class", (1 - of_truth).mean(axis=0)
        others = outputs.copy()
        np.put_along_axis(others, index, -np.inf, axis=-1)
        return "lead of the strongest wrong class over the true one", (others.max(axis=-1) - of_truth).mean(axis=0)
    if probabilities or _read_as(config) == "mean":
        what = "probability denied to the truth" if probabilities else "distance from the true 0 or 1"
        what += ", mean over the labels" if task == "multilabel" else ""
        return what, np.abs(outputs - targets).mean(axis=(0, -1))
    what = "output on the wrong side" + (", mean over the labels" if task == "multilabel" else "")
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
    each = _decided(config, task, outputs)
    wrong = (each != truths).any(axis=-1).sum(axis=0) if task == "multilabel" else (each != truths).sum(axis=0)
    return tuple(
        HeldOutSample(
            int(found.ids[row]), _classes(truth, names), _classes(guess, names), float(badness[row]), int(seeds)
        )
        for row, truth, guess, seeds in zip(first, truths, _decided(config, task, mean)[0], wrong, strict=True)
    )


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).ravel().tolist())


def _classes(value: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """The class' name, or those of all labels that are true."""
    if np.ndim(value) == 0:
        return (names[int(value)],)
    return tuple(name for name, true in zip(names, value, strict=True) if true)
