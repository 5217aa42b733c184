"""What `auto` stands for, once the task and the shapes of the data are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from lossrun.catalog import DataFacts, find, get
from lossrun.catalog.declaration import Loss, Metric, Prediction
from lossrun.config.config import Choice, Config
from lossrun.errors import UsageError

# The activation that makes the numbers a loss wants out of pre-activations.
_PROBABILITIES: Final = {"multiclass": "softmax", "binary": "sigmoid", "multilabel": "sigmoid", "regression": "none"}
_FORMS: Final = {
    "none": "logits",
    "softmax": "probabilities",
    "sigmoid": "probabilities",
    "log_softmax": "log_probabilities",
}


def resolve(config: Config, facts: DataFacts) -> Config:
    """The config with every `auto` that does not depend on the machine replaced by what it means for these data."""
    output = model_output(config, facts)
    loss = config.loss
    if "inputs" in loss.parameters and loss["inputs"] == "auto":
        loss = loss.replace(inputs=_FORMS[output])
    watched = "val_loss" if facts.validation else "train_loss"
    return replace(
        config,
        name=config.run_name,
        model=config.model.replace(output=output),
        loss=loss,
        schedule=_watching(config.schedule, watched),
        best=_chosen(config.best, watched),
        early_stopping=config.early_stopping and _chosen(config.early_stopping, watched),
    )


def model_output(config: Config, facts: DataFacts) -> str:
    """The last layer's activation: as configured, or what the loss, then the task, want.

    A loss that says which form it takes decides; losses that prefer logits get them; others (`mse`, `mae`) get
    probabilities on classes and plain values in regression. A user's own model or loss is taken to mean plain outputs.
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
        # Of a sigmoid there is no logarithm to end a model in: the linter then says what is missing.
        return "none" if declared.sigmoid else "log_softmax"
    return "none" if form == "logits" else probabilities


def outputs_read_as(config: Config, facts: DataFacts) -> tuple[str, Prediction | None]:
    """How outputs become a prediction: the activation between the model's pre-activations and what is judged, and what
    the loss makes of that. `config` is resolved.

    It is the model's own activation, or the sigmoid that a loss of logits applies, also to exclusive classes and
    to numbers. What a user's own loss makes of outputs is probabilities of classes and means of numbers.
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
    """What the catalogue says of the loss; None for a user's own."""
    if loss.is_plugin:
        return None
    declared = get("loss", loss.name)
    assert isinstance(declared, Loss)
    return declared


def ignored_label(loss: Choice) -> str | float | None:
    """The label whose samples do not count in the loss, as the data write it; None where all count."""
    return None if loss.is_plugin else loss.parameters.get("ignore_index")


def ignored_class(loss: Choice, facts: DataFacts) -> int | None:
    """The place of the class whose samples do not count; None where there is no such class: all count, or those that
    do not are no class and left out of the data."""
    label = ignored_label(loss)
    return None if label is None else facts.class_of(label)


def class_weights(loss: Choice, facts: DataFacts) -> list[float] | Literal["balanced"] | None:
    """The weights in the order of the classes; "balanced" where the data decide. Labels that the data do not have are
    the linter's to tell."""
    weights = None if loss.is_plugin else loss.parameters.get("class_weights")
    if not isinstance(weights, Mapping):
        return weights
    listed = [1.0] * (2 if facts.task == "binary" else facts.target_size)
    for label, weight in weights.items():
        if (place := facts.class_of(label)) is not None:
            listed[place] = float(weight)
    return listed


def balanced_weights(counts: Sequence[float], ignored: int | None = None) -> list[float]:
    """Return samples / (classes * samples of the class) for each class; the ignored one has no part in it.

    counts: the training samples of each class (binary: of no and of yes; multilabel: with each label), or the sums of
    their weights. Raises UsageError for a class without a sample.
    """
    counted = {place: count for place, count in enumerate(counts) if place != ignored}
    empty = next((place for place, count in counted.items() if count <= 0), None)
    if empty is not None:
        raise UsageError(
            f"loss.class_weights: balanced: class {empty} has no training sample, so its weight would be infinite; "
            "list the weights, or keep samples of every class in the training part"
        )
    total = sum(counted.values())
    return [total / (len(counted) * counted[place]) if place in counted else 0.0 for place in range(len(counts))]


def output_size(config: Config, facts: DataFacts) -> int:
    """How many numbers the model must give per sample."""
    declared = loss_declaration(config.loss)
    return facts.target_size * (declared.outputs_per_target if declared else 1)


def goal(metric: str) -> str:
    """`min` or `max`: which way `val_accuracy` and the like are better."""
    name = metric.partition("_")[2]
    found = find("metric", name) or find("loss", name)
    return found.component.goal if found and isinstance(found.component, (Metric, Loss)) else "min"


def watched_names(config: Config) -> frozenset[str]:
    """The plain names of the metrics that a config chooses, stops, reduces or compares by."""
    watched = [config.best.metric, config.early_stopping.metric if config.early_stopping else ""]
    watched.append(str(config.schedule.parameters.get("metric", "")))
    return frozenset({metric.partition("_")[2] for metric in watched} | {config.compare_on or ""}) - {""}


def _chosen(group: Any, watched: str) -> Any:
    metric = watched if group.metric == "auto" else group.metric
    return replace(group, metric=metric, mode=goal(metric) if group.mode == "auto" else group.mode)


def _watching(schedule: Choice, watched: str) -> Choice:
    if "metric" not in schedule.parameters:
        return schedule
    metric = watched if schedule["metric"] == "auto" else schedule["metric"]
    return schedule.replace(metric=metric, mode=goal(metric) if schedule["mode"] == "auto" else schedule["mode"])
