"""The rules: each looks at a resolved config and the facts of its data, and yields what it finds.

A finding gives the place, the reason in one sentence, and the fix. `RULES` at the end names each rule, says how
serious it is, and whether a config that breaks it could be run at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lossrun.catalog import DataFacts, nearest
from lossrun.catalog.declaration import Model, Optimizer
from lossrun.catalog.lookup import COMPONENTS, get
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration, output_size
from lossrun.config.source import Path

Severity: TypeAlias = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class Found:
    path: Path
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Rule:
    """`runnable`: a config that breaks it can still be run, to show the mistake to a class."""

    check: Callable[[Config, DataFacts], Iterator[Found]]
    severity: Severity = "error"
    runnable: bool = True


def loss_task(config: Config, facts: DataFacts) -> Iterator[Found]:
    declared = loss_declaration(config.loss)
    if declared is None or facts.task in declared.tasks:
        return
    fitting = [loss.name for loss in COMPONENTS["loss"] if facts.task in loss.tasks]
    two_classes = declared.name == "cross_entropy" and facts.task == "binary"
    other_task = ", or set dataset.task: multiclass" if two_classes else ""
    yield Found(
        ("loss",),
        f"{declared.name} is made for {' and '.join(declared.tasks)} targets, but {config.dataset.name} has "
        f"{facts.task} ones",
        f"choose one of {', '.join(fitting)}{other_task}",
    )


def double_activation(config: Config, facts: DataFacts) -> Iterator[Found]:
    output = config.model["output"]
    if output in ("sigmoid", "softmax", "log_softmax") and config.loss.parameters.get("inputs") == "logits":
        yield Found(
            ("loss",),
            f"the model already ends in {output}, and {config.loss.name} with inputs: logits (from_logits: true) "
            "applies it a second time",
            "set model.output: logits (better), or loss.from_logits: false",
        )


def missing_activation(config: Config, facts: DataFacts) -> Iterator[Found]:
    wanted, output = config.loss.parameters.get("inputs"), config.model["output"]
    if wanted == "probabilities" and output in ("none", "log_softmax"):
        yield Found(
            ("loss",),
            f"{config.loss.name} is told to expect probabilities, but the model gives "
            f"{'logits' if output == 'none' else 'log-probabilities'}",
            "set loss.from_logits: true (better), or model.output: "
            + ("softmax" if config.loss.name == "cross_entropy" else "sigmoid"),
        )
    if wanted == "log_probabilities" and output != "log_softmax":
        yield Found(
            ("loss",),
            f"{config.loss.name} is told to expect log-probabilities, but the model ends in {output}",
            "set model.output: log_softmax, or leave loss.inputs out",
        )


def output_shape(config: Config, facts: DataFacts) -> Iterator[Found]:
    output, size = config.model["output"], output_size(config, facts)
    if output in ("softmax", "log_softmax") and size == 1:
        yield Found(("model",), "a softmax over one output is always 1", "set model.output: sigmoid, or logits")
    if output == "sigmoid" and config.loss.name == "cross_entropy":
        yield Found(
            ("model",),
            f"{size} classes that exclude each other want one softmax; {size} sigmoids do not add up to 1",
            "set model.output: logits (better) or softmax",
        )
    if output in ("sigmoid", "softmax", "log_softmax") and facts.task == "regression" and facts.target_range:
        low, high = facts.target_range
        if low < 0 or high > 1:
            yield Found(
                ("model",),
                f"{output} gives values in [0, 1], but the targets reach from {low:g} to {high:g}",
                "set model.output: none",
            )


def target_range(config: Config, facts: DataFacts) -> Iterator[Found]:
    if config.loss.name != "binary_cross_entropy" or facts.task != "regression" or facts.target_range is None:
        return
    low, high = facts.target_range
    if low < 0 or high > 1:
        yield Found(
            ("loss",),
            f"binary_cross_entropy wants targets in [0, 1], but these reach from {low:g} to {high:g}",
            "use mse, mae or huber",
        )


def class_weights(config: Config, facts: DataFacts) -> Iterator[Found]:
    weights = config.loss.parameters.get("class_weights")
    if not weights:
        return
    if facts.task == "regression":
        yield Found(("loss", "class_weights"), "regression targets have no classes", "remove class_weights")
    elif isinstance(weights, list):
        wanted = 2 if facts.task == "binary" else facts.target_size
        if len(weights) != wanted:
            yield Found(
                ("loss", "class_weights"),
                f"{len(weights)} weights for {wanted} classes",
                f"give {wanted} weights, in the order of the classes",
            )
        elif not any(weights):
            yield Found(("loss", "class_weights"), "every weight is 0", "give at least one class a weight above 0")


def watched_metric(config: Config, facts: DataFacts) -> Iterator[Found]:
    known = columns(facts)
    for path, metric in _watched(config):
        if metric not in known:
            near = nearest(metric, known)
            yield Found(
                path,
                f"there is no {metric} for a {facts.task} task" + (f"; did you mean {near}?" if near else ""),
                f"choose one of {', '.join(known)}",
            )


def compared_yardstick(config: Config, facts: DataFacts) -> Iterator[Found]:
    known = yardsticks(facts)
    if config.compare_on is not None and config.compare_on not in known:
        near = nearest(config.compare_on, known)
        yield Found(
            ("compare_on",),
            f"there is no yardstick {config.compare_on} for a {facts.task} task"
            + (f"; did you mean {near}?" if near else ""),
            f"choose one of {', '.join(known)}",
        )


def watched_validation(config: Config, facts: DataFacts) -> Iterator[Found]:
    for path, metric in _watched(config):
        if metric.startswith("val_") and facts.validation == 0:
            yield Found(
                path, f"{metric} needs validation data, and there are none", "set dataset.validation, or train_loss"
            )


def lone_last_batch(config: Config, facts: DataFacts) -> Iterator[Found]:
    size = facts.train if config.batch_size == "full" else config.batch_size
    if config.model.parameters.get("batch_norm") and not config.drop_last and (facts.train % size or size) == 1:
        yield Found(
            ("batch_size",),
            f"the last batch of {facts.train} samples in batches of {size} has one sample, which batch norm cannot "
            "normalise",
            "set drop_last: true, or another batch_size",
        )


def no_batch(config: Config, facts: DataFacts) -> Iterator[Found]:
    if config.drop_last and config.batch_size != "full" and config.batch_size > facts.train:
        yield Found(
            ("drop_last",),
            f"{facts.train} samples do not fill one batch of {config.batch_size}, and drop_last leaves it out",
            "set drop_last: false, or a smaller batch_size",
        )


def nesterov(config: Config, facts: DataFacts) -> Iterator[Found]:
    parameters = config.optimizer.parameters
    if parameters.get("nesterov") and not (parameters.get("momentum") and not parameters.get("dampening")):
        yield Found(
            ("optimizer", "nesterov"),
            "Nesterov momentum needs a momentum above 0 and a dampening of 0",
            "set optimizer.momentum: 0.9, or remove nesterov",
        )


def unusual_rate(config: Config, facts: DataFacts) -> Iterator[Found]:
    if config.optimizer.is_plugin:
        return
    optimizer = get("optimizer", config.optimizer.name)
    assert isinstance(optimizer, Optimizer)
    low, high = optimizer.usual_rates
    side = "below" if config.learning_rate < low else "above"
    if not low <= config.learning_rate <= high:
        yield Found(
            ("learning_rate",),
            f"{config.learning_rate:g} is far {side} what {optimizer.name} is usually given ({low:g} to {high:g})",
            "look at the first epochs: a loss that does not move, or that explodes, is the rate's doing",
        )


def long_warmup(config: Config, facts: DataFacts) -> Iterator[Found]:
    warmup = config.schedule.parameters.get("warmup_epochs", 0)
    if warmup >= config.epochs:
        yield Found(
            ("schedule", "warmup_epochs"),
            f"a warm-up of {warmup:g} epochs leaves nothing of the {config.epochs}: the rate rises to the end",
            "shorten schedule.warmup_epochs, or ask for more epochs",
        )


def model_shape(config: Config, facts: DataFacts) -> Iterator[Found]:
    if config.model.is_plugin:
        return
    model = get("model", config.model.name)
    assert isinstance(model, Model)
    try:
        model.layers(dict(config.model.parameters), facts.input_shape, output_size(config, facts))
    except ValueError as error:
        yield Found(("model",), str(error), "use mlp or linear for tables; for images, fewer pools or smaller kernels")


def columns(facts: DataFacts) -> list[str]:
    """The columns of the history that can be watched, for this task."""
    return ["train_loss", "val_loss", *(f"val_{name}" for name in yardsticks(facts))]


def yardsticks(facts: DataFacts) -> list[str]:
    return [c.name for kind in ("loss", "metric") for c in COMPONENTS[kind] if facts.task in c.tasks]


def _watched(config: Config) -> Iterator[tuple[Path, str]]:
    yield ("best", "metric"), config.best.metric
    if config.early_stopping:
        yield ("early_stopping", "metric"), config.early_stopping.metric
    if "metric" in config.schedule.parameters:
        yield ("schedule", "metric"), config.schedule["metric"]


RULES: Final[dict[str, Rule]] = {
    "loss_task": Rule(loss_task, runnable=False),
    "double_activation": Rule(double_activation),
    "missing_activation": Rule(missing_activation),
    "output_shape": Rule(output_shape),
    "target_range": Rule(target_range),
    "class_weights": Rule(class_weights, runnable=False),
    "watched_metric": Rule(watched_metric, runnable=False),
    "compared_yardstick": Rule(compared_yardstick, runnable=False),
    "watched_validation": Rule(watched_validation, runnable=False),
    "lone_last_batch": Rule(lone_last_batch, runnable=False),
    "no_batch": Rule(no_batch, runnable=False),
    "nesterov": Rule(nesterov, runnable=False),
    "unusual_rate": Rule(unusual_rate, severity="warn"),
    "long_warmup": Rule(long_warmup, severity="warn"),
    "model_shape": Rule(model_shape, runnable=False),
}
