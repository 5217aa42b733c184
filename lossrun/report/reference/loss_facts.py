"""List the facts about a loss that users need first: targets and last layer, values, what it is robust to."""

from collections.abc import Iterator

from lossrun.catalog.declaration import CLASS_TASKS, Loss


def last_layer(loss: Loss, task: str) -> str:
    """Return the last layer that `model.output: auto` chooses for this loss: logits, softmax, sigmoid or none."""
    if loss.accepts[0] == "logits":
        return "logits"
    return {"multiclass": "softmax", "binary": "sigmoid", "multilabel": "sigmoid"}.get(task, "none")


def robust_to(loss: Loss, task: str) -> str:
    """Return "outliers" for a regression, "labels" for classes, or "" if the loss is not robust to them."""
    if task in CLASS_TASKS:
        return "labels" if "labels" in loss.resists else ""
    return "outliers" if "outliers" in loss.resists else ""


def loss_rows(loss: Loss) -> Iterator[tuple[str, str]]:
    """Yield names and texts: what the loss expects for each task, its values, its predictions, its robustness."""
    yield "expects", "\n".join(f"{task}: {_expected(loss, task)}" for task in loss.tasks)
    yield "value", f"{loss.values}{_in_units(loss)}; lower is better"
    gives = {
        "probabilities": "probabilities",
        "mean": "the outputs themselves",
        "log_mean": "the exponential of the outputs",
        "mean_and_log_variance": "means and variances",
    }
    yield (
        "predicts",
        "probabilities on classes, the outputs themselves in regression"
        if loss.prediction == "mean" and set(loss.tasks) & set(CLASS_TASKS)
        else gives.get(loss.prediction or "", "classes without probabilities: outputs are margins"),
    )
    robust = sorted({robust_to(loss, task) for task in loss.tasks} - {""})
    against = {"outliers": "outliers among the targets", "labels": "wrong labels"}
    yield "robust to", " and ".join(against[name] for name in reversed(robust))


def _in_units(loss: Loss) -> str:
    return f", in {loss.units}" if loss.units else ""


def _expected(loss: Loss, task: str) -> str:
    """Return the targets and the last layer that a loss expects for one task."""
    low, high = loss.targets_at_least, loss.targets_at_most
    numbers = "any numbers" if low is None else f"numbers of at least {low:g}"
    if low is not None and high is not None:
        numbers = f"numbers in [{low:g}, {high:g}]"
    targets = {
        "regression": numbers,
        "binary": "0 or 1",
        "multiclass": "a class index, or a one-hot row",
        "multilabel": "K zeros and ones",
    }[task]
    count = "1 output" if task == "binary" else "K outputs"
    if loss.outputs_per_target > 1:
        count = f"{loss.outputs_per_target} outputs for each target"
    best = last_layer(loss, task)
    layer = "no activation" if best == "none" else best
    others = []
    if task in CLASS_TASKS and best == "logits":
        squashed = "sigmoid" if loss.sigmoid or task != "multiclass" else "softmax"
        others = [squashed] if "probabilities" in loss.accepts else []
        if squashed == "softmax" and "log_probabilities" in loss.accepts:
            others.append("log_softmax")
    instead = f" (also after {' or '.join(others)})" if others else ""
    return f"{targets}; {count}, {layer}{instead}"
