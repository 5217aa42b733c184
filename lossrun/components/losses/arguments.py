"""Bring the arguments of a loss into one form: targets as rows, weights as tensors, outputs as logarithms.

Nothing is ever broadcast: (N, 1) against (N,) would silently compare every sample with every other one.
"""

from collections.abc import Sequence
from math import log
from typing import Final, Literal, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Form: TypeAlias = Literal["logits", "probabilities", "log_probabilities"]
Weights: TypeAlias = Tensor | Sequence[float]
# How binary labels are written: 0 and 1, -1 and 1, or either, which only the values can show.
Labels: TypeAlias = Literal["zero_one", "signs", "either"]

# Keras' epsilon: probabilities are kept within [1e-7, 1 - 1e-7] before their logarithm is taken.
EPSILON: Final = 1e-7
# torch.nn.BCELoss raises lower logarithms to this value.
LEAST_LOG: Final = -100.0


def target_rows(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the targets in the shape (N, K) and type of the outputs; class indices become one-hot rows.

    Raises ValueError if the shapes do not fit, and TypeError as `require_tensors` does.
    """
    if are_indices(outputs, targets):
        return torch.zeros_like(outputs).scatter(1, targets.long().unsqueeze(1), 1.0)
    return same_shape(outputs, targets)


def same_shape(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the targets (N, K) in the type of the outputs.

    Raises ValueError unless both have the same shape, and TypeError as `require_tensors` does.
    """
    require_tensors(outputs, targets)
    if outputs.ndim != 2 or outputs.shape != targets.shape:
        raise ValueError(
            f"outputs of shape {tuple(outputs.shape)} do not fit targets of shape {tuple(targets.shape)} and type "
            f"{targets.dtype}; expected (N, K) for both, or integer class indices of shape (N,) where the loss takes "
            "classes and K is at least 2. A single column is (N, 1): targets.unsqueeze(1)"
        )
    return targets.to(outputs.dtype)


def require_tensors(outputs: Tensor, targets: Tensor) -> None:
    """Raise TypeError for arguments that are not tensors, and for outputs that are not real floating-point numbers.

    Targets take the type of the outputs, so integer outputs would silently cut targets of 0.7 to 0.
    """
    for name, given in (("outputs", outputs), ("targets", targets)):
        if not isinstance(given, Tensor):
            raise TypeError(
                f"{name} of type {type(given).__name__}; expected a tensor: torch.as_tensor makes one from a list or a "
                "NumPy array"
            )
    if not outputs.is_floating_point():
        raise TypeError(
            f"outputs of type {outputs.dtype}; expected floating-point numbers, as in outputs.float(). Outputs come "
            "first, targets second"
        )


def zero_one(targets: Tensor, labels: Labels) -> Tensor:
    """Return the targets as 0 and 1.

    With "either", any target that is neither 0 nor 1 means that the labels are -1 and 1, as in Keras' hinges.

    Raises ValueError for "signs" that are neither -1 nor 1, and for an unknown word.
    """
    if labels == "zero_one":
        return targets
    if labels == "signs":
        if not bool((targets.abs() == 1).all()):
            raise ValueError("the targets are not all -1 or 1; for targets of 0 and 1 use BCEWithLogitsLoss")
        return (targets + 1) / 2
    if labels == "either":
        return targets if bool(((targets == 0) | (targets == 1)).all()) else (targets + 1) / 2
    raise ValueError(f"labels={labels!r} is not known; expected zero_one, signs or either")


def are_indices(outputs: Tensor, targets: Tensor) -> bool:
    """Return whether the targets are class indices (N,) for outputs (N, K). Raises TypeError as `require_tensors`."""
    require_tensors(outputs, targets)
    whole = not targets.is_floating_point() and targets.dtype != torch.bool
    return whole and outputs.ndim == 2 and outputs.shape[1] > 1 and targets.shape == outputs.shape[:1]


def weight_tensor(class_weights: Weights, outputs: Tensor, *, count: int, name: str = "class_weights") -> Tensor:
    """Return the weights, (count,), in the type and on the device of the outputs.

    Raises ValueError for a different number of weights.
    """
    weights = torch.as_tensor(class_weights, dtype=outputs.dtype, device=outputs.device)
    if weights.shape != (count,):
        raise ValueError(
            f"{name} of shape {tuple(weights.shape)} do not fit outputs of shape {tuple(outputs.shape)}; expected "
            f"{count} weight{'s' if count != 1 else ''}"
            + (", of no and of yes" if name == "class_weights" and outputs.shape[1] == 1 else "")
        )
    return weights


def class_weighted(losses: Tensor, class_weights: Weights | None, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return losses (N,) of exclusive classes, each times the weight of its class; a soft target mixes the weights.

    targets: indices (N,) or rows (N, K), before any smoothing.
    """
    if class_weights is None:
        return losses
    weights = weight_tensor(class_weights, outputs, count=outputs.shape[1])
    if are_indices(outputs, targets):
        return losses * weights[targets.long()]
    return losses * (targets * weights).sum(dim=1)


def output_weighted(losses: Tensor, class_weights: Weights | None, targets: Tensor) -> Tensor:
    """Return losses (N, K) of binary outputs, each times its weight.

    With K = 1 the two weights are those of label 0 and label 1; otherwise there is one weight for each output.
    targets: rows (N, K), before any smoothing.
    """
    if class_weights is None:
        return losses
    count = losses.shape[1]
    weights = weight_tensor(class_weights, losses, count=2 if count == 1 else count)
    return losses * (torch.lerp(weights[0], weights[1], targets) if count == 1 else weights)


def smoothed(rows: Tensor, label_smoothing: float, classes: int) -> Tensor:
    """Return t (1 - s) + s / classes. Binary labels have 2 classes, as in Keras; exclusive classes have K."""
    return rows * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else rows


def log_probabilities(outputs: Tensor, inputs: Form) -> Tensor:
    """Return ln p, (N, K), of exclusive classes.

    Probabilities are rescaled to sum to 1, then clipped to [1e-7, 1 - 1e-7], as in Keras. Raises ValueError for an
    unknown form.
    """
    if inputs == "logits":
        return F.log_softmax(outputs, dim=1)
    if inputs == "log_probabilities":
        return outputs
    if inputs == "probabilities":
        outputs = widened(outputs)
        return (outputs / outputs.sum(dim=1, keepdim=True)).clamp(EPSILON, 1 - EPSILON).log()
    raise unknown_form(inputs)


def binary_log_probabilities(outputs: Tensor, inputs: Form) -> tuple[Tensor, Tensor]:
    """Return ln p and ln(1 - p), each (N, K), of independent binary outputs.

    Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras. Log-probabilities are kept above -100, as in
    torch.nn.BCELoss, and 1 - p above 1e-7. Raises ValueError for an unknown form.
    """
    if inputs == "logits":
        return F.logsigmoid(outputs), F.logsigmoid(-outputs)
    if inputs == "probabilities":
        probabilities = widened(outputs).clamp(EPSILON, 1 - EPSILON)
        return probabilities.log(), torch.log1p(-probabilities)
    if inputs == "log_probabilities":
        # For a small 1 - e^x, expm1 keeps its digits; for a small e^x, log1p does.
        by_expm1 = (-torch.expm1(outputs)).clamp(min=EPSILON).log()
        by_log1p = torch.log1p(-outputs.clamp(max=-log(2)).exp())
        return outputs.clamp(min=LEAST_LOG), torch.where(outputs > -log(2), by_expm1, by_log1p)
    raise unknown_form(inputs)


def binary_probabilities(outputs: Tensor, inputs: Form) -> tuple[Tensor, Tensor]:
    """Return p and 1 - p, each (N, K), of independent binary outputs: to full precision and not clipped.

    Raises ValueError for an unknown form.
    """
    if inputs == "logits":
        return outputs.sigmoid(), (-outputs).sigmoid()
    if inputs == "probabilities":
        outputs = widened(outputs)
        return outputs, 1 - outputs
    if inputs == "log_probabilities":
        return outputs.exp(), one_minus_exp(outputs)
    raise unknown_form(inputs)


def widened(probabilities: Tensor) -> Tensor:
    """Return probabilities of half precision in float32, others as they are.

    In bfloat16 and float16 1 - 1e-7 is 1, so clipped probabilities would have an infinite loss.
    """
    return probabilities.float() if probabilities.dtype in (torch.bfloat16, torch.float16) else probabilities


def one_minus_exp(exponents: Tensor) -> Tensor:
    """Return 1 - e^x for x of at most 0, so that neither the value nor the gradient loses its digits.

    The value of 1 - e^x does near 0. The gradient of expm1, which is computed as its value plus 1, does far from 0.
    """
    return torch.where(exponents > -log(2), -torch.expm1(exponents), 1 - exponents.exp())


def unknown_form(inputs: str) -> ValueError:
    """Return the error for a form of outputs that does not exist."""
    return ValueError(f"inputs={inputs!r} is not known; expected logits, probabilities or log_probabilities")
