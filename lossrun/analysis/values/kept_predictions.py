"""Read the predictions that runs have kept, and what they decide."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lossrun.catalog import Task, find
from lossrun.catalog.declaration import Loss
from lossrun.errors import RunError
from lossrun.files import is_there
from lossrun.records import predictions
from lossrun.records.files.digests import DAMAGED
from lossrun.records.predictions import RecordedPredictions
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


def kept_predictions(members: Sequence[RecordedRun]) -> tuple[RecordedPredictions | None, list[str]]:
    """Combine the predictions of all members as if one run had made them; also return what could not be read."""
    found: RecordedPredictions | None = None
    problems = []
    for run in members:
        path = RunDirectory(run.path).predictions_path
        if run.finished is None or not is_there(path):
            problems.append(f"{run.name} has no predictions.npz; a run with held-out data writes it at the end")
            continue
        try:
            read = predictions.read(path, run.finished.get("predictions"))
        except RunError as error:
            problems.append(str(error))
            continue
        if misfit := _misfit(run.environment.get("task"), read):
            problems.append(f"{path}: {misfit}; {DAMAGED}")
            continue
        if found is None:
            found = read
        elif np.array_equal(read.ids, found.ids) and read.part == found.part:
            shares = {
                metric: {**each, **read.shares[metric]}
                for metric, each in found.shares.items()
                if metric in read.shares
            }
            found = replace(found, outputs={**found.outputs, **read.outputs}, shares=shares)
        else:
            problems.append(f"the predictions of {run.name} are for different samples and are left out")
    return found, problems


def _misfit(task: Any, found: RecordedPredictions) -> str:
    """Return why these cannot be targets and outputs of a task; "" if they may be."""
    targets = found.targets
    for outputs in found.outputs.values():
        classes = outputs.shape[1] if outputs.ndim == 2 else 0
        if task == "multiclass":
            fits = targets.dtype.kind in "iu" and targets.ndim == 1 and classes > 0
            most = classes - 1
        else:
            fits = targets.ndim == 2 and outputs.ndim == 2 and (task == "regression" or classes == targets.shape[1])
            most = 1
        if fits and task != "regression" and targets.size:
            fits = bool(targets.min() >= 0 and targets.max() <= most)  # NaN is neither
        if not fits:
            return f"{task}: targets {list(targets.shape)} of {targets.dtype} do not fit outputs {list(outputs.shape)}"
    return ""


def has_probabilities(config: Mapping[str, Any]) -> bool:
    """Return whether a classifier with this config predicts probabilities.

    It does if its model ends in softmax or sigmoid, or if its loss turns the outputs into probabilities. The user's own
    loss is assumed to do so.
    """
    return config["model"].get("output", "none") != "none" or read_as(config) == "probabilities"


def read_as(config: Mapping[str, Any]) -> str | None:
    """Return what the outputs mean to the loss of this config; "probabilities" for the user's own loss."""
    name = config["loss"]["name"]
    declared = find("loss", name)
    if ":" in name or declared is None or not isinstance(declared.component, Loss):
        return "probabilities"
    return declared.component.prediction


def decided(config: Mapping[str, Any], task: Task, outputs: np.ndarray) -> np.ndarray:
    """Return the classes that (S, N, ...) outputs predict: int (S, N), or bool (S, N, K) for labels."""
    if task == "multiclass":
        classes: np.ndarray = outputs.argmax(axis=-1)
        return classes
    # The threshold is 0.5 for probabilities and for outputs trained towards 0 and 1, and 0 for margins.
    middle = 0.5 if has_probabilities(config) or read_as(config) == "mean" else 0.0
    yes: np.ndarray = outputs > middle
    return yes[..., 0].astype(int) if task == "binary" else yes
