"""Check what a seed's outputs on some training samples reveal about it.

The outputs are computed only if the loss gives a reason to. This changes nothing: the random stream and the buffers of
the user's loss stay as they were.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.steps.evaluate import OutputSpec, evaluating
from lossrun.steps.randomness import undisturbed
from lossrun.steps.recorder import Recorder, RepeatedComputation
from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import SeedGroup

LOOKED_AT: Final = 4096  # samples
FEW: Final = 32
STANDARD_ERRORS: Final = 3.0


class StackOutputs:
    """The outputs of all seeds of a stack, computed at once when the first of them is asked for after an epoch.

    The computation is recorded if there is a `recorder`, because it is the same in every epoch.
    """

    def __init__(self, group: SeedGroup, recorder: Recorder | None) -> None:
        self.group = group
        self._inputs = looked_at(group.replicas[0])[0]
        self._outputs: Tensor | None = None
        self._computed = RepeatedComputation(group, self._forward, None if recorder is None else recorder.any_number)

    def forget(self) -> None:
        """Discard the outputs, because the weights have changed."""
        self._outputs = None

    def of(self, replica: Replica) -> Tensor:
        """Return the outputs of one seed that the stack computes."""
        if self._outputs is None:
            with undisturbed(self._inputs.device):
                self._outputs = self._computed()
        return self._outputs[self.group.computed.index(replica)]

    @torch.no_grad()
    def _forward(self) -> Tensor:
        with evaluating(self.group.network):
            return self.group.forward(self._inputs)[0]


@dataclass(frozen=True, slots=True)
class OutputChecks:
    """Questions about the outputs of one seed's model, each answered on some of its training samples.

    Attributes:
        stack: The outputs of the stack that the seed is trained in; None for a seed by itself.
    """

    replica: Replica
    spec: OutputSpec
    stack: StackOutputs | None = None

    def outputs_are_constant(self) -> bool:
        """Return whether the model gives the same output for every sample, up to rounding."""
        # A few different outputs decide this at a fraction of the cost. A stack computes all of its seeds at once.
        if self.stack is None and not _alike(self._outputs(FEW)):
            return False
        inputs, _, _ = looked_at(self.replica)
        if len(inputs) < 2 or bool((inputs == inputs[:1]).all()):
            return False
        return _alike(self._outputs())

    def first_gradient_is_zero(self) -> bool:
        """Return whether the first matrix of the model has a gradient of exactly 0.

        A network that is merely slow to start has a tiny gradient instead, and optimizers that follow the sign of the
        gradient get it going. A model of a single layer has no units that may die: if a gradient enters it and cancels
        over the samples, the model is at its minimum.
        """
        replica = self.replica
        matrices = [weight for weight in replica.network.parameters() if weight.requires_grad and weight.ndim > 1]
        if not matrices:
            return True
        inputs, targets, weights = looked_at(self.replica)
        with torch.enable_grad(), undisturbed(inputs.device), evaluating(replica.network):
            outputs, _ = replace(replica, mixed=False).forward(inputs)
            loss = deepcopy(replica.objective)(outputs, targets, weights)
            entering, gradient = torch.autograd.grad(loss, [outputs, matrices[0]], allow_unused=True)
        if len(matrices) == 1 and entering is not None and bool(entering.any()):
            return False
        return gradient is None or not bool(gradient.any())

    def outputs_carry_information(self) -> bool:
        """Return whether the outputs follow their targets more closely than chance explains.

        Classes: the guesses are right more often than always guessing the most frequent class. Other tasks: the ranks
        of some output column correlate with those of its target. Ranks, because a few far outliers would outweigh all
        other samples.
        """
        outputs, (_, targets, _) = self._outputs().double(), looked_at(self.replica)
        samples = len(outputs)
        if self.spec.task == "multiclass":
            labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
            # An ignored class does not count, so nothing is learned about it.
            ignored = self.replica.objective.ignore_index
            kept = labels != (-1 if ignored is None else ignored)
            labels, outputs, samples = labels[kept], outputs[kept], max(int(kept.sum()), 1)
            share = float(F.one_hot(labels, self.spec.outputs).double().mean(dim=0).max())
            right = float((outputs.argmax(dim=1) == labels).double().mean())
            return bool(right - share > STANDARD_ERRORS * (share * (1 - share) / samples) ** 0.5)
        outputs = ranks(outputs[:, : targets.shape[1]])
        targets = ranks(targets) if self.spec.task == "regression" else targets.double()
        columns = [values - values.mean(dim=0) for values in (outputs, targets)]
        norms = columns[0].norm(dim=0) * columns[1].norm(dim=0)
        correlations = (columns[0] * columns[1]).sum(dim=0) / norms.clamp(min=torch.finfo(torch.float64).tiny)
        return bool(float(correlations.max()) > STANDARD_ERRORS / samples**0.5)

    def hidden_activation(self) -> str:
        """Return the mistake of a user's own model that gives probabilities where the loss expects logits; "" for none.

        Rows that add up to 1 are certainly probabilities. Values in [0, 1] may be logits that happen to be in this
        range.
        """
        outputs = self._outputs()
        if self.spec.reads_as != "probabilities" or not bool(((outputs >= 0) & (outputs <= 1)).all()):
            return ""
        if self.spec.outputs > 1 and self.spec.output != "sigmoid":
            return "double_softmax" if bool((outputs.sum(dim=1) - 1).abs().max() < 1e-4) else ""
        return "double_sigmoid"

    def loss(self) -> float:
        """Return the objective on those samples, dropout off."""
        _, targets, weights = looked_at(self.replica)
        with torch.no_grad():
            return float(deepcopy(self.replica.objective)(self._outputs(), targets, weights))

    def constant_answer_scores_as_well(self) -> bool:
        """Return whether the decisions are right only as often as the same answer for every sample."""
        _, targets, _ = looked_at(self.replica)
        outputs = self._outputs()
        if self.spec.task == "multiclass":
            labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
            most = torch.bincount(labels.long(), minlength=self.spec.outputs).max()
            return bool((outputs.argmax(dim=1) == labels).sum() <= most)
        # Probabilities and numbers are decided at a half, logits at 0.
        decided_at = 0.0 if self.spec.reads_as != "mean" and self.replica.output == "none" else 0.5
        targets = targets.reshape(len(targets), -1)
        right = ((outputs > decided_at) == (targets > 0.5)).sum()
        yes = (targets > 0.5).sum(dim=0)
        return bool(right <= torch.maximum(yes, len(targets) - yes).sum())

    def confidence(self) -> float:
        """Return the mean probability of the model's decisions on validation samples; NaN without probabilities."""
        validation, spec = self.replica.parts.validation, self.spec
        if validation is None or (spec.reads_as != "probabilities" and spec.output == "none"):
            return torch.nan
        few = validation.thinned(LOOKED_AT)
        inputs = few.scaled(few.inputs)
        with torch.no_grad(), undisturbed(inputs.device), evaluating(self.replica.network):
            values = replace(self.replica, mixed=False).forward(inputs)[1].double()
        if spec.task == "multiclass" and spec.output != "sigmoid":
            return float(values.softmax(dim=1).amax(dim=1).mean())
        yes = values.sigmoid()
        return float(torch.maximum(yes, 1 - yes).mean())

    def _outputs(self, most: int = LOOKED_AT) -> Tensor:
        """Return the outputs for those samples, or for fewer, dropout off."""
        # Not the outputs of a stack in half precision, in which outputs that are only close to each other look the
        # same.
        if self.stack is not None and not self.replica.mixed:
            return self.stack.of(self.replica)
        inputs, _, _ = looked_at(self.replica, most)
        with torch.no_grad(), undisturbed(inputs.device), evaluating(self.replica.network):
            # In full precision, too.
            return replace(self.replica, mixed=False).forward(inputs)[0]


def _alike(values: Tensor) -> bool:
    spread = float((values.amax(dim=0) - values.amin(dim=0)).max())
    return bool(spread <= 4 * torch.finfo(values.dtype).eps * float(values.abs().max()))


def looked_at(replica: Replica, most: int = LOOKED_AT) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the samples to look at: inputs as the model takes them, targets, and weights where samples have them."""
    few = replica.parts.train.thinned(most)
    return few.scaled(few.inputs), few.targets, few.weights


def ranks(values: Tensor) -> Tensor:
    """Return the ranks in each column of (N, K), from 1; equal values share the mean of their ranks."""
    columns = []
    for column in values.unbind(1):
        _, place, counts = torch.unique(column, return_inverse=True, return_counts=True)
        columns.append((counts.cumsum(0) - (counts - 1) / 2)[place])
    return torch.stack(columns, dim=1).double()
