"""Replace `auto` by what it means, once the task and the shapes of the data are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Loss, Prediction, Task
from lossrun.catalog.metric_names import bare, goal
from lossrun.config.config import Choice, Config
from lossrun.errors import UsageError

# The activation that turns pre-activations into probabilities.
_PROBABILITIES: Final = {"multiclass": "softmax", "binary": "sigmoid", "multilabel": "sigmoid", "regression": "none"}
_FORMS: Final = {
    "none": "logits",
    "softmax": "probabilities",
    "sigmoid": "probabilities",
    "log_softmax": "log_probabilities",
}

_SQUASHED: Final = ("sigmoid", "softmax", "log_softmax")


def resolve(config: Config, facts: DataFacts) -> Config:
    """Return the config with every `auto` that does not depend on the machine replaced, for these data."""
    output = model_output(config, facts)
    loss = config.loss
    if "inputs" in loss.parameters and loss["inputs"] == "auto":
        loss = loss.replace(inputs=_FORMS[output])
    watched = "val_loss" if facts.validation else "train_loss"
    return replace(
        config,
        name=config.run_name,
        dataset=config.dataset.replace(task=facts.task) if _leaves_open(config.dataset, facts) else config.dataset,
        model=config.model.replace(output=output),
        loss=loss,
        schedule=_watching(config.schedule, watched),
        best=_chosen(config.best, watched),
        early_stopping=config.early_stopping and _chosen(config.early_stopping, watched),
    )


def model_output(config: Config, facts: DataFacts) -> str:
    """Return the last layer's activation: as configured, or as the loss and then the task need it.

    A loss with a configured form of inputs decides. Losses that prefer logits get logits. Others (`mse`, `mae`) get
    probabilities for classes and raw values for a regression. The user's own model or loss is assumed to use raw
    outputs.
    """
    stated = str(config.model["output"])
    if stated != "auto":
        return "none" if stated == "logits" else stated
    probabilities = _PROBABILITIES[facts.task]
    declared = loss_declaration(config.loss)
    if declared is None or (config.model.is_plugin and config.loss.parameters.get("inputs") != "probabilities"):
        return "none"
    if declared.sigmoid:
        probabilities = "sigmoid"
    form = config.loss.parameters.get("inputs", declared.accepts[0])
    if form == "auto":
        form = declared.accepts[0]
    if form == "log_probabilities":
        # There is no log-sigmoid layer, so the linter reports what is missing.
        return "none" if declared.sigmoid else "log_softmax"
    return "none" if form == "logits" else probabilities


def outputs_read_as(config: Config, facts: DataFacts) -> tuple[str, Prediction | None]:
    """Return how outputs become a prediction: the last activation, and what the loss makes of its result.

    The activation is the model's own, or the sigmoid that a loss applies to logits, also for exclusive classes and for
    numbers. The user's own loss is assumed to make probabilities for classes and means for numbers.

    Args:
        config: A resolved config.
    """
    output, declared = str(config.model["output"]), loss_declaration(config.loss)
    if declared is None:
        return output, "mean" if facts.task == "regression" else "probabilities"
    if output == "none" and declared.sigmoid and config.loss.parameters.get("inputs", "logits") == "logits":
        output = "sigmoid"
    if declared.prediction == "log_mean" and not config.loss["log_input"]:
        return output, "mean"
    return output, declared.prediction


def loss_declaration(loss: Choice) -> Loss | None:
    """Return the declaration of the loss; None for the user's own loss."""
    if loss.is_plugin:
        return None
    declared = get("loss", loss.name)
    assert isinstance(declared, Loss)
    return declared


def loss_tasks(config: Config) -> tuple[tuple[Task, ...], str]:
    """Return the tasks that are possible for the loss, the usual one first, and what says so, as in a config.

    A model whose outputs are probabilities is for classes, if its loss is for any task. All is possible for the user's
    own loss: ().
    """
    declared = loss_declaration(config.loss)
    if declared is None:
        return (), ""
    said, output = f"loss: {declared.name}", str(config.model["output"])
    if output in _SQUASHED and "regression" in declared.tasks[:1] and len(declared.tasks) > 1:
        classes = tuple(task for task in declared.tasks if task != "regression")
        return classes, f"{said} with model.output: {output}"
    return declared.tasks, said


def ignored_label(loss: Choice) -> str | float | None:
    """Return the label whose samples do not count in the loss, as the data write it; None if all count."""
    return None if loss.is_plugin else loss.parameters.get("ignore_index")


def ignored_class(loss: Choice, facts: DataFacts) -> int | None:
    """Return the place of the class whose samples do not count, or None.

    There is none if all samples count, or if the ignored samples have no class and are left out of the data.
    """
    label = ignored_label(loss)
    return None if label is None else facts.class_of(label)


def class_weights(loss: Choice, facts: DataFacts) -> list[float] | Literal["balanced"] | None:
    """Return the weights in the order of the classes, or "balanced" if the data decide.

    The linter reports labels that the data do not have.
    """
    weights = None if loss.is_plugin else loss.parameters.get("class_weights")
    if not isinstance(weights, Mapping):
        return weights
    listed = [1.0] * (2 if facts.task == "binary" else facts.target_size)
    for label, weight in weights.items():
        if (place := facts.class_of(label)) is not None:
            listed[place] = float(weight)
    return listed


def balanced_weights(counts: Sequence[float], ignored: int | None, facts: DataFacts) -> list[float]:
    """Return samples / (classes * samples of the class) for each class; 0 for the ignored one.

    Args:
        counts: The training samples of each class (binary: of class 0 and class 1; multilabel: of each label), or the
            sums of their weights.
        ignored: The index of the class that is ignored.

    Raises:
        UsageError: For a class without a sample.
    """
    counted = {place: count for place, count in enumerate(counts) if place != ignored}
    empty = next((place for place, count in counted.items() if count <= 0), None)
    if empty is not None:
        raise UsageError(
            f"loss.class_weights: balanced: class {facts.label_of(empty)} has no training samples, so its weight would "
            "be infinite; list the weights, or keep samples of every class in the training data"
        )
    total = sum(counted.values())
    return [total / (len(counted) * counted[place]) if place in counted else 0.0 for place in range(len(counts))]


def output_size(config: Config, facts: DataFacts) -> int:
    """Return how many numbers the model has to output for each sample."""
    declared = loss_declaration(config.loss)
    return facts.target_size * (declared.outputs_per_target if declared else 1)


def watched_names(config: Config) -> frozenset[str]:
    """Return the plain names of the metrics that choose, stop, lower the learning rate, or compare."""
    watched = [config.best.metric, config.early_stopping.metric if config.early_stopping else ""]
    watched.append(str(config.schedule.parameters.get("metric", "")))
    return frozenset({bare(metric) for metric in watched} | {config.compare_on or ""}) - {""}


def _leaves_open(dataset: Choice, facts: DataFacts) -> bool:
    """Return whether the config states no task and the loss decided on it, so that the config may state it now."""
    return facts.task_decided and "task" in dataset.parameters and dataset["task"] is None


def _chosen(group: Any, watched: str) -> Any:
    metric = watched if group.metric == "auto" else group.metric
    return replace(group, metric=metric, mode=_mode(group.mode, metric))


def _watching(schedule: Choice, watched: str) -> Choice:
    if "metric" not in schedule.parameters:
        return schedule
    metric = watched if schedule["metric"] == "auto" else schedule["metric"]
    return schedule.replace(metric=metric, mode=_mode(schedule["mode"], metric))


def _mode(mode: str, metric: str) -> str:
    return (goal(metric) or "min") if mode == "auto" else mode
