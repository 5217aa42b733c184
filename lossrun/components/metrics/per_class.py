"""Compute the metrics of each class. `metrics.compute_metrics` returns their means."""

import torch
from torch import Tensor

from lossrun.catalog import Task
from lossrun.components.metrics import ReadsAs, scored_output
from lossrun.components.metrics.classes import ClassTargets
from lossrun.components.metrics.decisions import decisions
from lossrun.components.metrics.exact_softmax import softmax
from lossrun.components.metrics.ranks import ranked
from lossrun.components.network import Output


def class_scores(
    task: Task, preactivations: Tensor, targets: ClassTargets, *, output: Output, reads_as: ReadsAs
) -> dict[str, Tensor]:
    """Return the metrics of each class, (K,): `samples`, `f1`, `precision`, `recall`, `auc` and `average_precision`.

    With weights, `samples` is the sum of the weights. Metrics of ranks are NaN for a class without samples.

    Args:
        preactivations: (N, K), of one model.
        targets, output, reads_as: As in `metrics.compute_metrics`.
    """
    raw = preactivations.detach().to(targets.values.device).mT.double().contiguous()
    output = scored_output(task, output, reads_as)
    # Outputs trained towards 0 and 1 decide at 0.5, logits and margins at 0.
    yeses = raw > (0.5 if output == "none" and reads_as == "mean" else 0)
    scores = raw
    if output == "softmax":
        found = softmax(raw.clone(), *raw.max(dim=-2, keepdim=True))
        scores, yeses = found.order(), found.p > 0.5
    if task == "multiclass":
        yeses = torch.zeros_like(targets.truths).scatter(-2, raw.argmax(dim=-2, keepdim=True), True)
    counted = targets.values if targets.weights is None else targets.values * targets.weights
    guessed = yeses.double() if targets.weights is None else yeses * targets.weights
    decided = decisions((counted * yeses).sum(dim=-1), guessed.sum(dim=-1), targets.counts)
    ranks = ranked(scores, targets.values, targets.weights)
    return {
        "samples": targets.counts,
        "f1": decided.f1,
        "precision": decided.precision,
        "recall": decided.recall,
        "auc": ranks.auc,
        "average_precision": ranks.average_precision,
    }
