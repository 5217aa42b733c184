"""Complete the lines of an example to a whole config, so that it can be saved and trained as it is."""

from collections.abc import Mapping, Sequence
from math import floor, log10, sqrt
from pathlib import Path
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.declaration import Component, Loss, Optimizer, Task
from lossrun.catalog.lookup import find
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.config import from_mapping
from lossrun.config.key_paths import file_keys
from lossrun.config.reader import parse
from lossrun.data import known_facts
from lossrun.report.reference.examples import values_without_default

# Computed data, so that examples need no file and no download.
_DATA: Final[Mapping[Task, Any]] = {
    "regression": "synthetic_regression",
    "binary": {"name": "synthetic_classification", "kind": "moons"},
    "multiclass": "synthetic_classification",
    "multilabel": {"name": "synthetic_classification", "kind": "multilabel"},
}
_EPOCHS_OF_A_SCHEDULE: Final = 30  # long enough for its default lengths
_IMAGES: Final = "mnist"
_TAKES_IMAGES: Final = "cnn"


def whole_config(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines together with lines for all other required keys, with values that fit.

    If several lines set the same key, the last one is used.
    """
    given: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(" "):
            given[next(reversed(given))].append(line)  # the line continues the key above
        else:
            given[line.partition(":")[0]] = [line]
    known = parse("\n".join(line for block in given.values() for line in block), "example")[0] if given else {}
    filled = {**known, **_rest(known)}
    order = list(file_keys())
    return tuple(
        line for key in sorted(filled, key=order.index) for line in given.get(key, [f"{key}: {yaml_text(filled[key])}"])
    )


def _rest(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required keys that are not given, and other keys that the given ones need."""
    task = _task(given)
    found: dict[str, Any] = {"dataset": _data(task, given), "model": "mlp", "loss": USUAL_LOSSES[task]}
    found["optimizer"] = "adam"
    optimizer = _component("optimizer", given.get("optimizer", found["optimizer"]))
    assert isinstance(optimizer, Optimizer)
    found["learning_rate"] = _middle(*optimizer.usual_rates)
    if optimizer.full_batch:
        found["batch_size"] = "full"
    if "schedule" in given:
        found["epochs"] = _EPOCHS_OF_A_SCHEDULE
    return {key: value for key, value in found.items() if key not in given}


def _task(given: Mapping[str, Any]) -> Task:
    """Return the task of the data; without data the first task of the loss, or of the metric that decides."""
    if "dataset" in given:
        return _task_of_data(given["dataset"])
    if loss := _component("loss", given.get("loss")):
        return loss.tasks[0]
    if metric := _component("metric", given.get("compare_on")):
        return metric.tasks[0]
    return "multiclass" if _takes_images(given) else "regression"


def _task_of_data(dataset: Any) -> Task:
    rest = {"model": "mlp", "loss": "mse", "optimizer": "adam", "learning_rate": 0.1}
    chosen = from_mapping({"dataset": dataset, **rest}, Path()).config.dataset
    facts = known_facts(chosen.name, chosen.parameters)
    return facts.task if facts else chosen.parameters.get("task") or "regression"


def _data(task: Task, given: Mapping[str, Any]) -> Any:
    """Return data that suit the given loss; for a model of images, return images."""
    if _takes_images(given):
        return _IMAGES
    loss = _component("loss", given.get("loss"))
    if task != "regression" or not isinstance(loss, Loss):
        return _DATA[task]
    points = {"name": "inline", **values_without_default("inline")}
    if loss.least_targets > 1:
        return {**points, "targets": [[target, target + 1] for target in points["targets"]]}
    return points if loss.targets_at_least is not None or loss.divides_by_target else _DATA[task]


def _component(kind: str, value: Any) -> Component | None:
    """Return the component that a word, or a mapping with a name, means."""
    found = find(kind, _name(value)) if value else None
    return found.component if found else None


def _takes_images(given: Mapping[str, Any]) -> bool:
    return _name(given.get("model")) == _TAKES_IMAGES


def _name(value: Any) -> str:
    return str(value["name"] if isinstance(value, Mapping) else value)


def _middle(low: float, high: float) -> float:
    """Return a round number near the geometric mean of two numbers."""
    middle = sqrt(low * high)
    return round(middle, -floor(log10(middle)))
