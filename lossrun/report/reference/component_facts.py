"""List the facts about a component, except for its parameters: for each kind, what users need to know first."""

import re
from collections.abc import Iterator
from typing import Final

from lossrun.catalog.declaration import Component, DatasetDeclaration, Loss, Metric, Optimizer, Schedule
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.metric_names import better
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
# Names that are also ordinary words of these texts.
_EVERYDAY: Final = {"step", "constant", "linear"}


def component_facts(component: Component) -> Iterator[Fact]:
    """Yield the facts in reading order. A fact may be empty."""
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
    """Return what the letters of the formula mean."""
    known = _LETTERS.get(component.kind, {})
    words = set(re.findall(r"[A-Za-z]+", component.formula))
    if "e" in words:
        words |= {"t", "y"}
    # The formula itself explains some letters.
    return "; ".join(
        text for letter, text in known.items() if letter in words and f"{letter} = " not in component.formula
    )


def see_also(component: Component) -> tuple[Reference, ...]:
    """Return the components of the same kind that its text names, and those whose text names it."""

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
            f"as val_{loss.name} and test_{loss.name} for {SCALES[loss.scale][1]}; for other targets only if the "
            "config watches it or compares by it. In a run trained with this loss, its value is val_loss.",
        )


def _optimizer(optimizer: Optimizer) -> Iterator[Fact]:
    low, high = optimizer.usual_rates
    yield fact("usual rates", f"{number(low)} to {number(high)}; `check` warns about others")
    yield fact(
        "elementwise",
        "yes: each weight is updated from its own gradient alone, so the models of several seeds train as one"
        if optimizer.elementwise
        else "no: weights of a layer are updated together, so the models of several seeds train one by one",
    )
    yield fact(
        "scale of loss",
        "matters: steps are as large as the gradient, so a loss twice as large needs half the rate"
        if optimizer.scales_with_gradient
        else "does not matter: steps are divided by the size of the gradient",
    )
    if optimizer.full_batch:
        yield fact("batches", "only batch_size: full, because its rule needs the gradient of all samples")


def _schedule(schedule: Schedule) -> Iterator[Fact]:
    unless = " (unless over_epochs is set)" if schedule.parameter("over_epochs") else ""
    yield fact(
        "over the run",
        f"yes: the rate at a step depends on the configured number of epochs{unless}, so a run that is extended with "
        "resume differs from one that was longer from the start"
        if schedule.depends_on_length
        else "no: the rate at a step does not depend on the number of epochs",
    )


def _metric(metric: Metric) -> Iterator[Fact]:
    yield fact("tasks", ", ".join(metric.tasks))
    yield fact("better", better(metric.goal))
    if metric.at_most is not None:
        yield fact("values", f"0 to {metric.at_most:g}")
    judged = [task for task, names in PRIMARY_METRICS.items() if metric.name in names]
    if judged:
        yield fact("verdicts", f"`compare` uses it for its verdict on {' and '.join(judged)} runs")
    if metric.without_items:
        yield fact("intervals", f"over seeds or splits, but not over new test items: {metric.without_items}")


def _dataset(dataset: DatasetDeclaration) -> Iterator[Fact]:
    yield fact("task", dataset.task or "set by the config or derived from the data")
    yield fact("samples", dataset.samples)
    yield fact("classes", ", ".join(dataset.classes))
    if shape := dataset.input_shape:
        yield fact("inputs", f"shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})")
