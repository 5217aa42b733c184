"""Check the metrics that choose the best epoch, stop early, lower the learning rate, or decide comparisons."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lossrun.catalog import DataFacts
from lossrun.catalog.metric_names import bare, better, declaration, goal
from lossrun.catalog.metrics import OF_SEVERAL, metric_names, task_metrics
from lossrun.config import Config
from lossrun.config.resolve import ignored_class, outputs_read_as
from lossrun.config.source import Path
from lossrun.digits import apart
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.nearby import nearest


def watched_metric(case: Case) -> Iterator[Violation]:
    """Find a watched metric that is not a column of the history."""
    for path, metric, _ in _watched(case.config):
        if found := why_not_watched(metric, case):
            yield Violation(path, *found)


def why_not_watched(metric: str, case: Case) -> tuple[str, str] | None:
    """Return why runs of a resolved config lack such a column, or have only NaN in it, and what to do; None if not."""
    facts, config = case.facts, case.config
    known = columns(facts, config)
    if metric in known:
        if reason := _never_a_number(metric, case):
            return f"{metric} is NaN in every epoch: {reason}", "hold out more samples, or use val_loss"
        return None
    if metric in columns(replace(facts, held_out_range=None, held_out_magnitude=None), config):
        reason = f"{metric} cannot be used: the validation and test targets rule it out ({_reach(facts)})"
    elif metric in columns(facts):
        reason = f"{metric} cannot be used: a model trained with {config.loss.name} does not provide it"
    else:
        reason = f"there is no {metric} for a {facts.task} task{_hint(metric, known, 'val_')}"
    return reason, f"choose one of {', '.join(known)}"


def _hint(asked: str, known: list[str], part: str = "") -> str:
    """Suggest the known name that was probably meant."""
    declared = declaration(asked)
    name = declared.name if declared else bare(asked)
    near = next((column for n in (name, OF_SEVERAL.get(name)) if n and (column := part + n) in known), None)
    near = near or nearest(asked, known)
    return f" (did you mean {near}?)" if near else ""


def _never_a_number(metric: str, case: Case) -> str:
    """Say why a metric of the validation samples that count is always NaN, or ""."""
    facts, ignored = case.facts, ignored_class(case.config.loss, case.facts)
    if metric == "val_r2" and "validation" in facts.unvaried:
        return "the validation targets are all the same" + (" in one column" if facts.target_size > 1 else "")
    counts = [0 if place == ignored else n for place, n in enumerate(facts.held_out_counts.get("validation", ()))]
    if not counts or not facts.validation:
        return ""
    # Labels do not exclude each other, so their numbers do not add up to that of the samples.
    total = facts.counted.get("validation", facts.validation) if facts.task == "multilabel" else sum(counts)
    some = total < facts.validation
    if metric == "val_auc" and not any(0 < count < total for count in counts):
        return f"all validation samples{' that count' * some} are of one class"
    ranked = counts[1:] if facts.task == "binary" else counts
    if metric == "val_average_precision" and not any(ranked):
        return f"no validation sample{' that counts' * some} is of the positive class"
    return ""


def watched_mode(case: Case) -> Iterator[Violation]:
    """Find a mode that treats the worst value as the best."""
    known = columns(case.facts)
    for path, metric, mode in _watched(case.config):
        if metric in known and mode != goal(metric):
            yield Violation(
                (*path[:-1], "mode"),
                f"{better(goal(metric))} {metric} is better, but mode: {mode} looks for the worst",
                f"set mode: {goal(metric)}, or remove mode",
                (f"{'.'.join(map(str, path[:-1]))}.mode={goal(metric)}",),
            )


def watched_validation(case: Case) -> Iterator[Violation]:
    """Find a watched metric of validation data that do not exist."""
    for path, metric, _ in _watched(case.config):
        if metric.startswith("val_") and case.facts.validation == 0:
            yield Violation(
                path,
                f"{metric} needs validation data, but there are no validation data",
                "set dataset.validation: 0.1, or use train_loss",
                ("dataset.validation=0.1",),
            )


def compared_metric(case: Case) -> Iterator[Violation]:
    """Find a metric for comparisons that the task does not have."""
    compare_on, known = case.config.compare_on, metrics(case.facts)
    if compare_on is not None and compare_on not in known:
        yield Violation(
            ("compare_on",),
            f"there is no metric {compare_on} for a {case.facts.task} task{_hint(compare_on, known)}",
            f"choose one of {', '.join(known)}",
        )


def columns(facts: DataFacts, config: Config | None = None) -> list[str]:
    """Return the columns of the history that can be watched, for any run of the task or for a resolved config."""
    return ["train_loss", "val_loss", *(f"val_{name}" for name in metrics(facts, config))]


def metrics(facts: DataFacts, config: Config | None = None) -> list[str]:
    """Return the names of the metrics, for any run of the task or for a resolved config.

    Metrics that say nothing about such targets are included: they can be chosen, but not shown by default.
    """
    if config is None:
        return [declared.name for declared in task_metrics(facts.task, facts.target_size)]
    output, reads_as = outputs_read_as(config, facts)
    standardize = config.dataset.parameters.get("standardize")
    return metric_names(
        facts.task,
        output=output,
        reads_as=reads_as,
        targets=facts.target_size,
        target_range=facts.held_out_range,
        least_magnitude=facts.held_out_magnitude,
        standardized=bool(standardize and standardize["targets"]),
    )


def _reach(facts: DataFacts) -> str:
    low, high = facts.held_out_range or (0.0, 0.0)
    first, last, nearest = apart(low, high, facts.held_out_magnitude or 0.0)
    return f"from {first} to {last}, nearest to 0: {nearest}"


def _watched(config: Config) -> Iterator[tuple[Path, str, str]]:
    """Yield the key of each watched metric, the metric, and its mode."""
    yield ("best", "metric"), config.best.metric, config.best.mode
    if config.early_stopping:
        yield ("early_stopping", "metric"), config.early_stopping.metric, config.early_stopping.mode
    if "metric" in config.schedule.parameters:
        yield ("schedule", "metric"), config.schedule["metric"], config.schedule["mode"]


WATCHING_RULES: Final[dict[str, Rule]] = {
    "watched_metric": Rule(
        check=watched_metric,
        runnable=False,
        meaning="The metric that chooses the best epoch, stops early, or lowers the learning rate must be a column of "
        "the history.",
        why="A metric without values can choose nothing. For example, a regression has no accuracy, and a margin "
        "loss gives no probabilities.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\nbest: val_accuracy",
            "dataset: synthetic_regression\nloss: mse\nbest: val_rmse",
        ),
    ),
    "watched_mode": Rule(
        check=watched_mode,
        meaning="The mode must suit the metric: max for an accuracy, min for a loss.",
        why="With the wrong mode, the worst epoch is kept as the best, or training stops while it improves.",
        example=Example(
            "dataset: synthetic_classification\nloss: cross_entropy\nbest: {metric: val_accuracy, mode: min}",
            "dataset: synthetic_classification\nloss: cross_entropy\nbest: {metric: val_accuracy, mode: max}",
        ),
    ),
    "watched_validation": Rule(
        check=watched_validation,
        runnable=False,
        meaning="A metric of the validation data needs validation data.",
        why="Without validation data there are no val_ columns.",
        example=Example(
            "dataset: {name: synthetic_regression, validation: 0}\nloss: mse\nearly_stopping: {metric: val_loss}",
            "dataset: {name: synthetic_regression, validation: 0.1}\nloss: mse\nearly_stopping: {metric: val_loss}",
        ),
    ),
    "compared_metric": Rule(
        check=compared_metric,
        runnable=False,
        meaning="The metric that decides comparisons must be one of the task's metrics.",
        why="Runs are compared by metrics that all runs of a task have, whatever their loss.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\ncompare_on: accuracy",
            "dataset: synthetic_regression\nloss: mse\ncompare_on: r2",
        ),
    ),
}
