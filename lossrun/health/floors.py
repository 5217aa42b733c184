"""Compute floors: the values of the loss at which a run may get stuck. `catalog/diagnoses.py` says what each means.

No value is hard-coded. The run's own objective is applied to the outputs of a model without information, or of a model
that does its best in spite of a mistake. So the floors are right for every loss, reduction, weight and number of
classes. The tests compare them with closed forms.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.network import Output, activated
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration
from lossrun.steps.evaluate import OutputSpec
from lossrun.steps.replica import Replica

# The most targets that are used, taken evenly from all of them: floors are compared to within one or two percent.
MOST_TARGETS: Final = 20_000
# Constants that are tried as outputs of a regression: quantiles of the targets.
QUANTILES: Final = 101
# Numbers that torch.quantile takes at a time.
MOST_NUMBERS: Final = 16_000_000
# Outputs of constants whose losses are computed at a time, if there are many constants. A few are computed one by one:
# to compute the cross-entropies of several at once, torch first loads modules for about a second.
MOST_OUTPUTS: Final = 1_000_000
MANY_CONSTANTS: Final = 20
# A logit whose sigmoid is exactly 0 or 1 after rounding.
SURE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Floors:
    """Values of the mean loss.

    Attributes:
        constant: The loss of the best output that is the same for every sample.
        chance: The loss of equal probabilities; NaN in a regression.
        mistake: The diagnosis of a mistake that the config makes knowingly; "" for none.
        best: The least loss that the mistake allows; -inf if it is unknown.
        doubled: The loss of perfect probabilities that are read as logits; NaN if the loss does not take logits.
        smoothing: The loss of ideal outputs under label smoothing; NaN without it.
    """

    constant: float
    chance: float
    mistake: str = ""
    best: float = -inf
    doubled: float = torch.nan
    smoothing: float = torch.nan


@torch.no_grad()
def floors(replica: Replica, spec: OutputSpec, config: Config) -> Floors:
    """Compute the floors of a seed's training data. `config` is resolved."""
    samples, last = replica.parts.train, config.model["output"]
    apart = -(-len(samples) // MOST_TARGETS)
    targets = samples.targets[::apart]
    weights = None if samples.weights is None else samples.weights[::apart]
    rows = _rows(targets, spec).to(samples.dtype)
    # A copy, because the user's loss may keep what it has seen.
    mean_loss = _MeanLoss(deepcopy(replica.objective), targets, weights, is_own=config.loss.is_plugin)
    classes = spec.task != "regression"
    constants = _constants_of_classes if classes else _constants
    # The best constant follows the samples that count most, and what a sample counts depends on the weight convention.
    counts = [weights, None if replica.counted is None else replica.counted[::apart]]
    known = [each.double() for each in counts if each is not None and bool(each.any())] or [
        torch.ones(len(rows)).to(rows)
    ]
    constant = mean_loss.least([outputs for each in known for outputs in constants(rows, each, spec, last)])
    chance = mean_loss.of(activated(torch.zeros_like(rows[:1]), last)) if classes else torch.nan
    mistake = _mistake(config, spec, rows)
    doubled = mean_loss.of(rows) if _takes_logits(config) else torch.nan
    best = -inf
    if mistake in ("double_softmax", "double_sigmoid"):
        best = doubled
    elif mistake == "squashed":
        best = mean_loss.of(rows.clamp(0, 1))
    elif mistake == "single_softmax":
        best = mean_loss.of(torch.ones_like(rows))
    ideal = None if mistake else _ideal(rows, config, spec)
    smoothing = torch.nan if ideal is None else mean_loss.of(ideal)
    return Floors(constant, chance, mistake, best, doubled, smoothing)


@dataclass(frozen=True, slots=True)
class _MeanLoss:
    """The run's objective on these targets. `is_own`: whether the loss is the user's own."""

    objective: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    targets: Tensor
    weights: Tensor | None
    is_own: bool

    def of(self, outputs: Tensor) -> float:
        """Return the loss of outputs, (N, K), or of a constant output, (1, K)."""
        return float(self._of(outputs))

    def least(self, constants: Sequence[Tensor]) -> float:
        """Return the lowest finite loss of constant outputs, each (1, K); NaN if there is none."""
        # A user's own loss may take no more than it takes in training.
        if self.is_own or len(constants) < MANY_CONSTANTS:
            losses = [self.of(outputs) for outputs in constants]
        else:
            some = max(MOST_OUTPUTS // (len(self.targets) * constants[0].shape[1]), 1)
            blocks = torch.split(torch.stack(list(constants)), some)
            losses = [value for block in blocks for value in torch.vmap(self._of)(block).tolist()]
        return min(filter(isfinite, losses), default=torch.nan)

    def _of(self, outputs: Tensor) -> Tensor:
        return self.objective(outputs.expand(len(self.targets), -1), self.targets, self.weights)


def _takes_logits(config: Config) -> bool:
    """Return whether the loss applies a softmax or a sigmoid itself."""
    declared = loss_declaration(config.loss)
    if declared is None or declared.prediction != "probabilities":
        return False
    return bool(config.loss.parameters.get("inputs", declared.accepts[0]) == "logits")


def _mistake(config: Config, spec: OutputSpec, rows: Tensor) -> str:
    """Return the mistake that the config makes, "" for none. The linter reports it too, unless it was told not to."""
    inputs, last = config.loss.parameters.get("inputs"), config.model["output"]
    if last in ("softmax", "log_softmax") and spec.outputs == 1:
        return "single_softmax"
    if _takes_logits(config) and last in ("softmax", "sigmoid"):
        declared = loss_declaration(config.loss)
        sigmoids = spec.task != "multiclass" or (declared is not None and declared.sigmoid)
        return "double_sigmoid" if sigmoids else "double_softmax"
    if inputs in ("probabilities", "log_probabilities") and last == "none" and spec.reads_as == "probabilities":
        return "clipped" if inputs == "probabilities" else "impossible"
    beyond = spec.task == "regression" and not bool(((rows >= 0) & (rows <= 1)).all())
    return "squashed" if beyond and last in ("softmax", "sigmoid") else ""


def _rows(targets: Tensor, spec: OutputSpec) -> Tensor:
    """Return the targets, (N, K), with class indices as one-hot rows."""
    if spec.task == "multiclass" and targets.ndim == 1:
        return F.one_hot(targets.long(), spec.outputs)
    return targets


def _constants_of_classes(rows: Tensor, counts: Tensor, spec: OutputSpec, last: Output) -> Iterator[Tensor]:
    """Yield constant outputs (1, K): equal ones, the class frequencies, always the most frequent class."""
    yield activated(torch.zeros_like(rows[:1]), last)
    shares = _mean(rows, counts).clamp(1e-7, 1 - 1e-7)
    exclusive = spec.task == "multiclass" and spec.output != "sigmoid"
    logits = shares.log() if exclusive else shares.logit()
    yield activated(logits, last)
    # Certain: of all classes, of no class, of the most frequent class.
    leading = torch.zeros_like(shares).scatter(1, shares.argmax(dim=1, keepdim=True), 1.0)
    for answer in (torch.ones_like(shares), torch.zeros_like(shares), leading):
        yield activated(SURE * (2 * answer - 1), last)
    if last == "none":
        yield shares
        # For losses with a margin: exactly at the margin.
        yield torch.where(leading > 0 if exclusive else shares > 0.5, 1.0, -1.0).to(rows.dtype)


def _constants(rows: Tensor, counts: Tensor, spec: OutputSpec, last: Output) -> Iterator[Tensor]:
    """Yield constant outputs (1, K) of a regression."""
    mean = _mean(rows, counts)
    if spec.reads_as == "mean_and_log_variance":
        yield torch.cat([mean, _mean((rows - mean).square(), counts).log()], dim=1)
        return
    candidates = [mean, *quantiles(rows.double(), counts).unsqueeze(1)]
    if bool((rows > -1).all()):
        candidates.append(_mean(rows.log1p(), counts).expm1())
    for values in candidates:
        values = values.to(rows.dtype)
        if spec.reads_as == "log_mean":
            yield values.clamp(min=1e-7).log()
        else:
            # Limited to what the last layer can give.
            yield values if last == "none" else values.clamp(0, 1)


def _mean(rows: Tensor, counts: Tensor) -> Tensor:
    """Return the mean row, (1, K), each row weighted by how much it counts."""
    if bool((counts == counts[0]).all()):
        return rows.mean(dim=0, keepdim=True)
    return ((rows.double() * counts.unsqueeze(1)).sum(dim=0, keepdim=True) / counts.sum()).to(rows.dtype)


def quantiles(rows: Tensor, counts: Tensor, most: int = MOST_NUMBERS) -> Tensor:
    """Return quantiles at even distances, (QUANTILES, K), each row weighted by how much it counts.

    `most`: how many numbers to hand to torch at a time.
    """
    shares = torch.linspace(0, 1, QUANTILES, dtype=torch.float64, device=rows.device)
    if bool((counts == counts[0]).all()):
        some = max(most // len(rows), 1)
        return torch.cat([block.quantile(shares, dim=0) for block in torch.split(rows, some, dim=1)], dim=1)
    columns = []
    for column in rows.unbind(1):
        ascending, order = column.sort()
        reached = counts.double()[order].cumsum(0)
        columns.append(ascending[torch.searchsorted(reached, shares * reached[-1]).clamp(max=len(rows) - 1)])
    return torch.stack(columns, dim=1)


def _ideal(rows: Tensor, config: Config, spec: OutputSpec) -> Tensor | None:
    """Return the outputs with the lowest loss under label smoothing: those that reproduce the smoothed labels.

    None without label smoothing. With other losses, or with class weights, such outputs do not have the lowest loss.
    """
    declared, parameters = loss_declaration(config.loss), config.loss.parameters
    share, weighted = parameters.get("label_smoothing"), parameters.get("class_weights") or parameters.get("pos_weight")
    if declared is None or not declared.proper or weighted or not share:
        return None
    sigmoids, inputs = spec.output == "sigmoid", config.loss["inputs"]
    spread = 2 if sigmoids else rows.shape[1]
    probabilities: Tensor = rows * (1 - share) + share / spread
    if inputs == "probabilities":
        return probabilities
    return probabilities.logit() if sigmoids and inputs == "logits" else probabilities.log()
