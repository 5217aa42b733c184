"""The yardsticks: every loss and metric of a task at its plain parameters, whatever the run was trained on.

Everything is computed from the pre-activations in one pass, in double precision on the CPU: logarithms of probabilities
are exact there where the probabilities themselves have long been rounded to 0 or 1, and a number does not depend on the
device. Declared in `catalog/losses.py` and `catalog/metrics.py`.
"""

from typing import Final, Literal, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.catalog import Task
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.components.models import Output, activated

ReadsAs: TypeAlias = Literal["probabilities", "mean"] | None

HUBER_DELTA: Final = 1.0


def yardsticks(
    task: Task,
    preactivations: Tensor,
    targets: Tensor,
    *,
    output: Output,
    reads_as: ReadsAs,
    target_std: float | Tensor = 1.0,
) -> dict[str, float]:
    """The value of each loss and metric of the task, by name and in the catalogue's order.

    preactivations: (N, K). targets: (N, K); for multiclass also class indices (N,).
    output: the model's output activation. reads_as: the `prediction` of the loss it was trained on. Logits (output
        none) under a loss that reads them as probabilities go through a softmax (multiclass) or a sigmoid; where the
        loss itself applies a sigmoid to exclusive classes, pass output "sigmoid".
    target_std: what standardised regression targets were divided by, () or (K,): errors are in original units. (Their
        mean cancels in every error.)

    A name that has no meaning for these outputs is left out: cross-entropies where there are no probabilities, or where
    regression targets are none. R2 of constant targets is nan. A sample's loss is the mean over K, and N samples count
    alike.
    """
    raw = preactivations.detach().to("cpu", torch.float64)
    output = _reading(task, output, reads_as)
    if task == "regression":
        scale = torch.as_tensor(target_std, dtype=torch.float64, device="cpu")
        values = _regression(raw, targets.detach().to("cpu", torch.float64), output, scale)
    else:
        values = _classes(task, raw, targets.detach().cpu(), output, reads_as)
    names = [declared.name for declared in (*LOSSES, *METRICS) if task in declared.tasks]
    return {name: float(values[name]) for name in names if name in values}


def predictions(preactivations: Tensor, *, task: Task, output: Output, reads_as: ReadsAs) -> Tensor:
    """What the yardsticks judge: probabilities where there are any, else the outputs. (N, K), parameters as above."""
    return activated(preactivations, _reading(task, output, reads_as))


def _reading(task: Task, output: Output, reads_as: ReadsAs) -> Output:
    if output == "none" and reads_as == "probabilities":
        return "softmax" if task == "multiclass" else "sigmoid"
    # Log-probabilities are a way of writing probabilities.
    return "softmax" if output == "log_softmax" else output


def _regression(raw: Tensor, targets: Tensor, output: Output, scale: Tensor) -> dict[str, Tensor]:
    errors = (activated(raw, output) - targets) * scale
    squared = errors.square()
    spread = ((targets - targets.mean(dim=0)) * scale).square().sum(dim=0)
    unexplained = squared.sum(dim=0) / spread.where(spread > 0, torch.nan)
    values = {
        "mse": squared.mean(),
        "mae": errors.abs().mean(),
        "huber": F.huber_loss(errors, torch.zeros_like(errors), delta=HUBER_DELTA),
        "rmse": squared.mean().sqrt(),
        "r2": (1 - unexplained).mean(),
    }
    if output == "sigmoid" and bool(((targets >= 0) & (targets <= 1)).all()):
        values["binary_cross_entropy"] = _binary_cross_entropy(F.logsigmoid(raw), F.logsigmoid(-raw), targets)
    return values


def _classes(task: Task, raw: Tensor, targets: Tensor, output: Output, reads_as: ReadsAs) -> dict[str, Tensor]:
    classes = raw.shape[1]
    if targets.ndim == 1:
        targets = F.one_hot(targets.long(), classes)
    targets = targets.double()
    outputs = activated(raw, output)
    errors = outputs - targets
    values = {"mse": errors.square().mean(), "mae": errors.abs().mean()}
    if output != "none":
        log_yes, log_no = _softmax_logarithms(raw) if output == "softmax" else (F.logsigmoid(raw), F.logsigmoid(-raw))
        values["binary_cross_entropy"] = _binary_cross_entropy(log_yes, log_no, targets)
        if task == "multiclass":
            # A softmax of log-probabilities rescales them to sum 1, and leaves alone those that do.
            values["cross_entropy"] = -(targets * log_yes.log_softmax(dim=1)).sum(dim=1).mean()
    if task == "multiclass":
        labels, guesses = targets.argmax(dim=1), raw.argmax(dim=1)
        values["accuracy"] = (guesses == labels).double().mean()
        values["macro_f1"] = _macro_f1_of_classes(labels, guesses, classes)
    else:
        # Of probabilities, and of outputs trained towards 0 and 1; the sign decides where a margin was asked for.
        threshold = 0.0 if output == "none" and reads_as is None else 0.5
        truths, yeses = targets > 0.5, outputs > threshold
        values["accuracy"] = (truths == yeses).double().mean()
        values["macro_f1"] = _f1((truths & yeses).sum(dim=0), truths.sum(dim=0) + yeses.sum(dim=0)).mean()
    return values


def _softmax_logarithms(raw: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p) of a softmax. The likeliest class may have p = 1 but for less than the last digit, so its
    1 - p is the sum of the others."""
    log_yes = raw.log_softmax(dim=1)
    likeliest = log_yes.argmax(dim=1, keepdim=True)
    others = log_yes.scatter(1, likeliest, -torch.inf).logsumexp(dim=1, keepdim=True)
    return log_yes, torch.log1p(-log_yes.exp()).scatter(1, likeliest, others)


def _binary_cross_entropy(log_yes: Tensor, log_no: Tensor, targets: Tensor) -> Tensor:
    return -(targets * log_yes + (1 - targets) * log_no).mean()


def _macro_f1_of_classes(labels: Tensor, guesses: Tensor, classes: int) -> Tensor:
    """Over the classes that are a label or a guess at least once, as scikit-learn's f1_score."""
    hits = labels[labels == guesses].bincount(minlength=classes)
    mentions = labels.bincount(minlength=classes) + guesses.bincount(minlength=classes)
    return _f1(hits, mentions)[mentions > 0].mean()


def _f1(hits: Tensor, mentions: Tensor) -> Tensor:
    """2 hits / (labels + guesses) per class; 0 for a class that is neither (scikit-learn's zero_division=0)."""
    return 2 * hits.double() / mentions.clamp(min=1)
