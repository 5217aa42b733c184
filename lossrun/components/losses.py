"""The losses: outputs first, targets second, one value per sample. What each parameter may be: `catalog/losses.py`.

Shapes: outputs (N, K), and targets of the very same shape, or class indices (N,) where a loss takes classes. A
sample's loss is the mean over its K outputs (`cross_entropy`: the sum over the classes, as everywhere). Nothing is ever
broadcast: (N, 1) against (N,) would quietly compare every sample with every other one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Form: TypeAlias = Literal["logits", "probabilities", "log_probabilities"]
Weights: TypeAlias = Tensor | Sequence[float]

# Keras' epsilon: probabilities are kept within [1e-7, 1 - 1e-7] before their logarithm is taken.
EPSILON: Final = 1e-7
# torch.nn.BCELoss' floor for a logarithm.
LEAST_LOG: Final = -100.0


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each sample: mean over K of (output - target)^2.

    outputs (N, K); targets (N, K), or class indices (N,), which stand for their one-hot rows (on probabilities this is
    the Brier score divided by K). Returns (N,), in [0, inf). Raises ValueError where the shapes do not fit.
    """
    return F.mse_loss(outputs, _dense(outputs, targets), reduction="none").mean(dim=1)


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error of each sample: mean over K of |output - target|. Shapes and errors as `mse`."""
    return F.l1_loss(outputs, _dense(outputs, targets), reduction="none").mean(dim=1)


def huber(outputs: Tensor, targets: Tensor, *, delta: float) -> Tensor:
    """Huber's loss of each sample: mean over K of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    outputs and targets (N, K), e their difference; delta above 0, in units of the target. Returns (N,), in [0, inf).
    Raises ValueError where the shapes differ. Source: Huber 1964, Robust Estimation of a Location Parameter.
    """
    _check_same_shape(outputs, targets)
    return F.huber_loss(outputs, targets.to(outputs.dtype), reduction="none", delta=delta).mean(dim=1)


def binary_cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
) -> Tensor:
    """Negative log-likelihood of yes-or-no targets: mean over K of -(t log p + (1 - t) log(1 - p)), in nats.

    outputs (N, K), as `inputs` says: logits (the stable form), probabilities (clipped to [1e-7, 1 - 1e-7], as Keras;
    the gradient is 0 where they are clipped) or log_probabilities (of yes; kept above -100, as torch.nn.BCELoss).
    targets (N, K) in [0, 1], or class indices (N,), which stand for their one-hot rows.
    label_smoothing s: t becomes t (1 - s) + s / 2, as Keras' BinaryCrossentropy.
    class_weights: with K = 1 the weights of no and of yes, making this the cross-entropy of those two classes; with
    more outputs one weight for each output.
    Returns (N,), in [0, inf). Raises ValueError for shapes, weights or `inputs` that do not fit.
    """
    targets = _dense(outputs, targets)
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / 2
    if class_weights is None and inputs == "logits":
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(dim=1)
    log_yes, log_no = _binary_logarithms(outputs, inputs)
    yes, no = -targets * log_yes, -(1 - targets) * log_no
    if class_weights is None:
        return (yes + no).mean(dim=1)
    count = outputs.shape[1]
    weights = _weights(class_weights, outputs, count=2 if count == 1 else count)
    if count == 1:
        return (weights[0] * no + weights[1] * yes).mean(dim=1)
    return (weights * (yes + no)).mean(dim=1)


def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
) -> Tensor:
    """Negative log-likelihood of the right class: -sum over K of w t log p, in nats.

    outputs (N, K), as `inputs` says: logits (softmax is applied), probabilities (rescaled to sum 1, then clipped to
    [1e-7, 1 - 1e-7], as Keras) or log_probabilities (taken as they are, as torch.nn.NLLLoss).
    targets: class indices (N,), or one-hot or soft rows (N, K).
    label_smoothing s: t becomes t (1 - s) + s / K. class_weights: K of them. Both as torch.nn.CrossEntropyLoss.
    Returns (N,), in [0, inf). Raises ValueError for shapes, weights or `inputs` that do not fit.
    """
    indexed = _are_indices(outputs, targets)
    targets = targets.long() if indexed else _dense(outputs, targets)
    classes = outputs.shape[1]
    weights = None if class_weights is None else _weights(class_weights, outputs, count=classes)
    if inputs == "logits":
        return F.cross_entropy(outputs, targets, weights, reduction="none", label_smoothing=label_smoothing)
    logarithms = _logarithms(outputs, inputs)
    if indexed and not label_smoothing:
        return F.nll_loss(logarithms, targets, weights, reduction="none")
    shares = _dense(outputs, targets) * (1 - label_smoothing) + label_smoothing / classes
    if weights is not None:
        shares = shares * weights
    # A class with no share costs nothing, even where its log-probability is -inf.
    return -torch.where(shares == 0, 0.0, shares * logarithms).sum(dim=1)


LOSS_FUNCTIONS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}


def _dense(outputs: Tensor, targets: Tensor) -> Tensor:
    """The targets in the outputs' shape and type; class indices become one-hot rows."""
    if _are_indices(outputs, targets):
        return torch.zeros_like(outputs).scatter(1, targets.long().unsqueeze(1), 1.0)
    _check_same_shape(outputs, targets)
    return targets.to(outputs.dtype)


def _are_indices(outputs: Tensor, targets: Tensor) -> bool:
    whole = not targets.is_floating_point() and targets.dtype != torch.bool
    return whole and outputs.ndim == 2 and outputs.shape[1] > 1 and targets.shape == outputs.shape[:1]


def _check_same_shape(outputs: Tensor, targets: Tensor) -> None:
    if outputs.ndim != 2 or outputs.shape != targets.shape:
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit targets of shape {tuple(targets.shape)} and type "
            f"{targets.dtype}; expected (N, K) for both, or integer class indices of shape (N,) where the loss takes "
            "classes and K is at least 2. A single column is (N, 1): targets.unsqueeze(1)"
        )


def _weights(class_weights: Weights, outputs: Tensor, *, count: int) -> Tensor:
    weights = torch.as_tensor(class_weights, dtype=outputs.dtype, device=outputs.device)
    if weights.shape != (count,):
        raise ValueError(
            f"class_weights of shape {tuple(weights.shape)} do not fit outputs of shape {tuple(outputs.shape)}; "
            f"expected {count} weights" + (", of no and of yes" if outputs.shape[1] == 1 else "")
        )
    return weights


def _logarithms(outputs: Tensor, inputs: Form) -> Tensor:
    """Log-probabilities (N, K) of exclusive classes, from probabilities or from themselves."""
    if inputs == "log_probabilities":
        return outputs
    if inputs == "probabilities":
        return (outputs / outputs.sum(dim=1, keepdim=True)).clamp(EPSILON, 1 - EPSILON).log()
    raise _unknown_form(inputs)


def _binary_logarithms(outputs: Tensor, inputs: Form) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p), each (N, K), of independent yes-or-no outputs."""
    if inputs == "logits":
        return F.logsigmoid(outputs), F.logsigmoid(-outputs)
    if inputs == "probabilities":
        probabilities = outputs.clamp(EPSILON, 1 - EPSILON)
        return probabilities.log(), torch.log1p(-probabilities)
    if inputs == "log_probabilities":
        return outputs.clamp(min=LEAST_LOG), torch.log1p(-outputs.exp().clamp(max=1 - EPSILON))
    raise _unknown_form(inputs)


def _unknown_form(inputs: str) -> ValueError:
    return ValueError(f"inputs={inputs!r} is no form of outputs; expected logits, probabilities or log_probabilities")
