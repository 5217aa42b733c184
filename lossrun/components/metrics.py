"""The yardsticks: every loss and metric of a task at its plain parameters, whatever the run was trained on.

Everything is computed from the pre-activations, in double precision: logarithms of probabilities are exact there where
the probabilities themselves have long been rounded to 0 or 1. Any number of seeds is scored at once. No value is read
back to Python and no shape depends on a value: on a GPU each read would wait for the device, and the same list of
kernels can be replayed on other values. What the targets alone decide is found out beforehand, in `prepared_targets`.

Inside, the samples are the last axis, (..., K, N): a CPU then works on many samples at a time, and a softmax over a few
classes takes a tenth of the time.

Declared in `catalog/losses.py` and `catalog/metrics.py`.
"""

from dataclasses import dataclass
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
LOWEST: Final = torch.finfo(torch.float64).min


@dataclass(frozen=True, slots=True)
class RegressionTargets:
    """`values` (K, N) as the model is to give them. `scale` leads to original units: (K, 1), (), or None for 1.

    `variance` (K,): in original units, nan where it is 0. `are_probabilities`: all values lie in [0, 1].
    """

    values: Tensor
    scale: Tensor | None
    variance: Tensor
    are_probabilities: bool


@dataclass(frozen=True, slots=True)
class ClassTargets:
    """`truths` (K, N), bool: which classes or labels are true of a sample; `values`: the same as numbers 0 and 1.

    `signs` (K, N): -1 where true, else 1; a logit times its sign is the logit of being wrong. `counts` (K,): samples of
    which each is true. `labels` (1, N): the one true class, of exclusive classes.
    """

    truths: Tensor
    values: Tensor
    signs: Tensor
    counts: Tensor
    labels: Tensor


PreparedTargets: TypeAlias = RegressionTargets | ClassTargets


def prepared_targets(task: Task, targets: Tensor, outputs: int, *, target_std: float | Tensor = 1.0) -> PreparedTargets:
    """What `yardsticks` needs of targets, to be computed once for many calls.

    targets: (N, K), but for regression of 0 and 1; for multiclass also class indices (N,). outputs: K.
    target_std: what standardised regression targets were divided by, () or (K,): errors are in original units. (Their
        mean cancels in every error.)
    Kept on the targets' device, or on the CPU for "mps", which has no float64. Of regression targets one value is read
    back: whether they are probabilities.
    """
    targets = _where_doubles_are(targets.detach())
    if task != "regression":
        return _class_targets(targets, outputs)
    values = targets.mT.to(torch.float64, memory_format=torch.contiguous_format)
    scale = None
    if isinstance(target_std, Tensor) or target_std != 1:
        scale = torch.as_tensor(target_std).to(values.device, torch.float64)
        scale = scale.unsqueeze(-1) if scale.ndim else scale
    # Distances from the first sample: those of a constant are 0, those from its mean 0 but for rounding.
    distances = values - values[:, :1]
    variance = (distances if scale is None else distances * scale).var(dim=1, correction=0)
    are_probabilities = bool(((values >= 0) & (values <= 1)).all())
    return RegressionTargets(values, scale, variance.where(variance > 0, torch.nan), are_probabilities)


def yardsticks(
    task: Task,
    preactivations: Tensor,
    targets: PreparedTargets,
    *,
    output: Output,
    reads_as: ReadsAs,
) -> dict[str, Tensor]:
    """The value of each loss and metric of the task, by name and in the catalogue's order.

    preactivations: (..., N, K). Leading axes are models (seeds), and the shape of each value: (...), float64, on the
        same device (for "mps", which has no float64, on the CPU).
    targets: shared by the models.
    output: the model's output activation. reads_as: the `prediction` of the loss it was trained on. Logits (output
        none) under a loss that reads them as probabilities go through a softmax (multiclass) or a sigmoid; where the
        loss itself applies a sigmoid to exclusive classes, pass output "sigmoid".

    A name that has no meaning for these outputs is left out: cross-entropies where there are no probabilities, or where
    regression targets are none. R2 of constant targets is nan. A sample's loss is the mean over K, and N samples count
    alike.
    """
    # Turned and converted in one pass; a copy even of float64, which would else keep its memory order.
    raw = _where_doubles_are(preactivations.detach()).mT.to(
        torch.float64, copy=True, memory_format=torch.contiguous_format
    )
    output = _reading(task, output, reads_as)
    if isinstance(targets, RegressionTargets):
        values = _regression(raw, targets, output)
    elif task == "multiclass":
        values = _exclusive(raw, targets, output)
    else:
        values = _labels(task, raw, targets, output, reads_as)
    names = [declared.name for declared in (*LOSSES, *METRICS) if task in declared.tasks]
    return {name: values[name] for name in names if name in values}


def predictions(preactivations: Tensor, *, task: Task, output: Output, reads_as: ReadsAs) -> Tensor:
    """What the yardsticks judge: probabilities where there are any, else the outputs. (..., N, K), as above."""
    return activated(preactivations, _reading(task, output, reads_as))


def _reading(task: Task, output: Output, reads_as: ReadsAs) -> Output:
    if output == "none" and reads_as == "probabilities":
        return "softmax" if task == "multiclass" else "sigmoid"
    # Log-probabilities are a way of writing probabilities.
    return "softmax" if output == "log_softmax" else output


def _where_doubles_are(tensor: Tensor) -> Tensor:
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def _class_targets(targets: Tensor, outputs: int) -> ClassTargets:
    if targets.ndim == 1:
        labels = targets.long().unsqueeze(0)
        truths = labels == torch.arange(outputs, device=targets.device).unsqueeze(-1)
    else:
        truths = (targets > 0.5).mT.contiguous()
        labels = truths.byte().argmax(dim=0, keepdim=True)
    values = truths.double()
    return ClassTargets(truths, values, 1 - 2 * values, values.sum(dim=1), labels)


# From here on most is done in place: for arrays beyond the caches fresh memory costs more than the arithmetic.


def _regression(raw: Tensor, targets: RegressionTargets, output: Output) -> dict[str, Tensor]:
    values = {}
    if output == "sigmoid" and targets.are_probabilities:
        values["binary_cross_entropy"] = _mean(torch.lerp(_softplus(raw), _softplus(-raw), targets.values))
    outputs = raw if output == "none" else activated(raw.mT, output).mT
    errors = outputs.sub_(targets.values)
    if targets.scale is not None:
        errors.mul_(targets.scale)
    squared = errors.square().mean(dim=-1)
    values["mse"] = squared.mean(dim=-1)
    values["rmse"] = values["mse"].sqrt()
    values["r2"] = 1 - (squared / targets.variance).mean(dim=-1)
    # error^2 / 2 within delta, delta * (|error| - delta / 2) beyond
    clipped = errors.clamp(-HUBER_DELTA, HUBER_DELTA)
    values["huber"] = _mean(errors.sub(clipped, alpha=0.5).mul_(clipped))
    values["mae"] = _mean(errors.abs_())
    return values


def _exclusive(raw: Tensor, targets: ClassTargets, output: Output) -> dict[str, Tensor]:
    top, guesses = raw.max(dim=-2, keepdim=True)
    labels = targets.labels.expand_as(guesses)
    values = {}
    if output == "softmax":
        outputs, log_yes, log_no = _softmax(raw, top, guesses)
        log_true = log_yes.gather(-2, labels)
        values["cross_entropy"] = -_mean(log_true)
        values["binary_cross_entropy"] = -_mean(log_no.scatter_(-2, labels, log_true))
        values |= _of_errors(outputs.sub_(targets.values))
    elif output == "sigmoid":
        values = _of_sigmoid(raw, targets)
        # A cross-entropy wants probabilities that sum to 1.
        values["cross_entropy"] = -_mean((-_softplus(-raw)).log_softmax(dim=-2).gather(-2, labels))
    else:
        values = _of_errors(activated(raw, output).sub_(targets.values))

    guesses, labels = guesses.squeeze(-2), labels.squeeze(-2)
    right = (guesses == labels).double()
    values["accuracy"] = right.mean(dim=-1)
    counts = targets.counts.expand(*right.shape[:-1], -1)
    # Exact in whatever order a GPU adds: whole numbers. (Sums over one-hot rows would cost K times as much.)
    hits = torch.zeros_like(counts).scatter_add(-1, labels, right)
    mentions = counts.scatter_add(-1, guesses, torch.ones_like(right))
    # Over the classes that are a label or a guess at least once, as scikit-learn's f1_score.
    values["macro_f1"] = _f1(hits, mentions).sum(dim=-1) / mentions.count_nonzero(dim=-1)
    return values


def _labels(task: Task, raw: Tensor, targets: ClassTargets, output: Output, reads_as: ReadsAs) -> dict[str, Tensor]:
    values = {}
    if output == "softmax":
        outputs, log_yes, log_no = _softmax(raw, *raw.max(dim=-2, keepdim=True))
        yeses = outputs > 0.5
        values["binary_cross_entropy"] = -_mean(torch.where(targets.truths, log_yes, log_no))
        values |= _of_errors(outputs.sub_(targets.values))
    elif output == "sigmoid":
        yeses = raw > 0
        values = _of_sigmoid(raw, targets)
    else:
        # Outputs trained towards 0 and 1; the sign decides where a margin was asked for.
        yeses = raw > (0 if reads_as is None else 0.5)
        values = _of_errors(activated(raw, output).sub_(targets.values))

    right = yeses == targets.truths
    values["accuracy"] = right.sum(dim=(-2, -1), dtype=torch.float64) / targets.truths.numel()
    if task == "multilabel":
        hits, guessed = (yeses & targets.truths).sum(dim=-1), yeses.sum(dim=-1)
        values["macro_f1"] = _f1(hits, guessed + targets.counts).mean(dim=-1)
    return values


def _of_errors(errors: Tensor) -> dict[str, Tensor]:
    """Overwrites the errors."""
    return {"mse": _mean(errors.square()), "mae": _mean(errors.abs_())}


def _of_sigmoid(raw: Tensor, targets: ClassTargets) -> dict[str, Tensor]:
    wrong = raw * targets.signs
    cross_entropy = _mean(_softplus(wrong))
    errors = wrong.sigmoid_()
    return {"mse": _mean(errors.square()), "mae": _mean(errors), "binary_cross_entropy": cross_entropy}


def _softmax(raw: Tensor, top: Tensor, likeliest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """p, log p and log(1 - p) of a softmax over the classes, (..., K, N). Overwrites the logits `raw`.

    top: the greatest logit; likeliest: its class; both (..., 1, N).

    The likeliest class may have p = 1 but for less than the last digit. So the others are looked at by themselves: how
    they share what it leaves, and the log-odds against it, from which all else follows.
    """
    below = raw.sub_(top)
    # Not -inf: where all others are that, too, they would have no shares.
    others = below.scatter(-2, likeliest, LOWEST)
    greatest = others.amax(dim=-2, keepdim=True)
    shares = others.softmax(dim=-2)
    # The log-sum of the others is the greatest less the logarithm of its share.
    against = greatest - shares.amax(dim=-2, keepdim=True).log()
    left = against.sigmoid()
    p = shares.mul_(left)
    log_no = (-p).log1p_().scatter_(-2, likeliest, -_softplus(-against))
    return p.scatter_(-2, likeliest, 1 - left), below.sub_(_softplus(against)), log_no


def _softplus(logits: Tensor) -> Tensor:
    """-log(1 - p) of the logits of p: log(1 + exp(logits)). Beyond the threshold that is the logit, to the last bit.

    Of -logits, -log p. (torch's logsigmoid wakes all threads of a CPU even for a handful of numbers.)
    """
    return F.softplus(logits, threshold=50)


def _f1(hits: Tensor, mentions: Tensor) -> Tensor:
    """2 hits / (labels + guesses) per class, (..., K); 0 for a class that is neither (scikit-learn's zero_division)."""
    return 2 * hits / mentions.clamp(min=1)


def _mean(values: Tensor) -> Tensor:
    return values.mean(dim=(-2, -1))
