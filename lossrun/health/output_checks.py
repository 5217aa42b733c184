"""What a seed's outputs on a few training samples say about it. Looked at only where its loss gives reason to.

Nothing is left behind: neither the random stream nor a buffer of a user's own loss notices.
"""

from copy import deepcopy
from dataclasses import replace
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.steps.evaluate import OutputSpec, evaluating
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica

LOOKED_AT: Final = 4096  # samples, evenly taken from all of them
STANDARD_ERRORS: Final = 3.0


def a_few(replica: Replica) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs as the model takes them, targets, and weights where samples have them."""
    train = replica.parts.train
    apart = -(-len(train) // LOOKED_AT)
    weights = None if train.weights is None else train.weights[::apart]
    return train.scaled(train.inputs[::apart]), train.targets[::apart], weights


def some_outputs(replica: Replica) -> Tensor:
    """Of those samples, dropout off."""
    inputs, _, _ = a_few(replica)
    with torch.no_grad(), undisturbed(inputs.device), evaluating(replica.network):
        # Not in half precision, in which outputs that are merely near each other look alike.
        return replace(replica, mixed=False).forward(inputs)[0]


def outputs_are_alike(replica: Replica) -> bool:
    """Whether the model gives the same to every sample, to the rounding of its numbers."""
    inputs, _, _ = a_few(replica)
    if len(inputs) < 2 or bool((inputs == inputs[:1]).all()):
        return False
    values = some_outputs(replica)
    spread = float((values.amax(dim=0) - values.amin(dim=0)).max())
    return bool(spread <= 4 * torch.finfo(values.dtype).eps * float(values.abs().max()))


def nothing_reaches_the_inputs(replica: Replica) -> bool:
    """Whether the first matrix of the model has no gradient at all. A network that merely begins slowly has a tiny
    one, and optimizers that go by its sign will find out of there."""
    matrices = [weight for weight in replica.network.parameters() if weight.requires_grad and weight.ndim > 1]
    if not matrices:
        return True
    inputs, targets, weights = a_few(replica)
    with torch.enable_grad(), undisturbed(inputs.device), evaluating(replica.network):
        outputs, _ = replace(replica, mixed=False).forward(inputs)
        loss = deepcopy(replica.objective)(outputs, targets, weights)
        (gradient,) = torch.autograd.grad(loss, matrices[0], allow_unused=True)
    return gradient is None or not bool(gradient.any())


def carries_information(replica: Replica, reading: OutputSpec) -> bool:
    """Whether outputs go with their targets more than chance would have it: guesses that are right more often than the
    most frequent class is, or a column whose ranks are correlated with its target's. (Ranks, because a few far outliers
    would outweigh all other samples.)"""
    outputs, (_, targets, _) = some_outputs(replica).double(), a_few(replica)
    samples = len(outputs)
    if reading.task == "multiclass":
        labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
        # Nobody learns to guess what does not count.
        kept = labels != (-1 if replica.objective.ignore_index is None else replica.objective.ignore_index)
        labels, outputs, samples = labels[kept], outputs[kept], max(int(kept.sum()), 1)
        share = float(F.one_hot(labels, reading.outputs).double().mean(dim=0).max())
        right = float((outputs.argmax(dim=1) == labels).double().mean())
        return bool(right - share > STANDARD_ERRORS * (share * (1 - share) / samples) ** 0.5)
    outputs = ranks(outputs[:, : targets.shape[1]])
    targets = ranks(targets) if reading.task == "regression" else targets.double()
    columns = [values - values.mean(dim=0) for values in (outputs, targets)]
    norms = columns[0].norm(dim=0) * columns[1].norm(dim=0)
    correlations = (columns[0] * columns[1]).sum(dim=0) / norms.clamp(min=torch.finfo(torch.float64).tiny)
    return bool(float(correlations.max()) > STANDARD_ERRORS / samples**0.5)


def ranks(values: Tensor) -> Tensor:
    """Of each column (N, K), from 1; equal values share the mean of theirs, so that constants go with nothing."""
    columns = []
    for column in values.unbind(1):
        _, place, counts = torch.unique(column, return_inverse=True, return_counts=True)
        columns.append((counts.cumsum(0) - (counts - 1) / 2)[place])
    return torch.stack(columns, dim=1).double()


def hidden_activation(replica: Replica, reading: OutputSpec) -> str:
    """The mistake of a user's own model that gives probabilities where the loss wants logits; "" for none.

    Rows that add up to 1 leave no doubt. Values in [0, 1] may be logits, for the time being.
    """
    outputs = some_outputs(replica)
    if reading.reads_as != "probabilities" or not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return ""
    if reading.outputs > 1 and reading.output != "sigmoid":
        return "double_softmax" if bool((outputs.sum(dim=1) - 1).abs().max() < 1e-4) else ""
    return "double_sigmoid"
