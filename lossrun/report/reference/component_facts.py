"""What is told of a component besides its parameters: for each kind, what a person asks before using one."""

import re
from collections.abc import Iterator
from typing import Final

from lossrun.catalog.declaration import Component, DatasetDeclaration, Loss, Metric, Optimizer, Schedule
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.metrics import PRIMARY_METRICS, SCALES
from lossrun.report.reference.article import Fact, Reference, fact
from lossrun.report.reference.listing import number
from lossrun.report.reference.loss_facts import loss_rows

_LETTERS: Final = {
    "activation": {"x": "x what the layer gives before its activation"},
    "loss": {
        "t": "t target",
        "y": "y output",
        "p": "p probability",
        "e": "e = y - t, the error",
        "K": "K outputs of a sample",
    },
    "optimizer": {
        "w": "w a weight",
        "g": "g its gradient",
        "rate": "rate the learning rate",
    },
}
# Names that are also words.
_EVERYDAY: Final = {"step", "constant", "linear"}


def component_facts(component: Component) -> Iterator[Fact]:
    """In the order to read them. A fact may have nothing to say."""
    yield fact("when", component.when)
    match component:
        case Loss():
            yield from _loss(component)
        case Optimizer():
            yield from _optimizer(component)
        case Schedule():
            yield from _schedule(component)
        case Metric():
            yield from _metric(component)
        case DatasetDeclaration():
            yield from _dataset(component)


def letters(component: Component) -> str:
    """What the letters of the formula stand for."""
    known = _LETTERS.get(component.kind, {})
    words = set(re.findall(r"[A-Za-z]+", component.formula))
    if "e" in words:
        words |= {"t", "y"}
    # A letter that the formula itself explains needs no second word.
    return "; ".join(
        text for letter, text in known.items() if letter in words and f"{letter} = " not in component.formula
    )


def see_also(component: Component) -> tuple[Reference, ...]:
    """The others of its kind that its text names, and those whose text names it."""

    def names(text: str) -> set[str]:
        return set(re.findall(r"[a-z0-9_]+", text))

    return tuple(
        Reference(other.kind, other.name)
        for other in COMPONENTS[component.kind]
        if other is not component
        and not {other.name, component.name} & _EVERYDAY
        and (other.name in names(component.when + component.meaning) or component.name in names(other.when))
    )


def _loss(loss: Loss) -> Iterator[Fact]:
    for label, text in loss_rows(loss):
        yield fact(label, text)
    if loss.scale != "any" and loss.metric:
        yield fact(
            "shown",
            f"as val_{loss.name} and test_{loss.name} for {SCALES[loss.scale][1]}; for other targets only where the "
            "config watches or compares by it. The loss of a run trained with it is val_loss.",
        )


def _optimizer(optimizer: Optimizer) -> Iterator[Fact]:
    low, high = optimizer.usual_rates
    yield fact("usual rates", f"{number(low)} to {number(high)}; outside of it `check` warns")
    yield fact(
        "elementwise",
        "yes: each weight is updated from its own gradient alone, so the models of several seeds train as one"
        if optimizer.elementwise
        else "no: weights of a layer are updated together, so the models of several seeds train one by one",
    )
    yield fact(
        "scale of loss",
        "matters: steps are as large as the gradient, so twice the loss asks for half the rate"
        if optimizer.scales_with_gradient
        else "does not matter: the gradient's size is divided out",
    )
    if optimizer.full_batch:
        yield fact("batches", "batch_size: full only, as its rule asks for")


def _schedule(schedule: Schedule) -> Iterator[Fact]:
    unless = " (unless over_epochs is set)" if schedule.parameter("over_epochs") else ""
    yield fact(
        "over the run",
        f"yes: the rate at a step depends on how many epochs were asked for{unless}, so a run extended by resume "
        "differs from one that was longer from the start"
        if schedule.depends_on_length
        else "no: the rate at a step is the same however many epochs follow",
    )


def _metric(metric: Metric) -> Iterator[Fact]:
    yield fact("tasks", ", ".join(metric.tasks))
    yield fact("better", "lower" if metric.goal == "min" else "higher")
    judged = [task for task, names in PRIMARY_METRICS.items() if metric.name in names]
    if judged:
        yield fact("verdicts", f"`compare` judges {' and '.join(judged)} runs by it")


def _dataset(dataset: DatasetDeclaration) -> Iterator[Fact]:
    yield fact("task", dataset.task or "as the config or the data say")
    yield fact("samples", dataset.samples)
    if shape := dataset.input_shape:
        yield fact("inputs", f"shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})")
