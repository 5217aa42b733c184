"""The values of the loss at which a run may come to rest, and what each means: `analysis/diagnosis.py`.

Nothing is typed in: the run's own objective is applied to the outputs that a model without information, or one that
does its best in spite of a mistake, would give. So the floors are right for every loss, reduction, weight and number of
classes. Closed forms, where there are any, stand in the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.models import Output, activated
from lossrun.config import Config
from lossrun.training.evaluate import Reading, evaluating
from lossrun.training.replica import Replica

# Targets that are looked at, evenly taken from all of them: floors are compared to a per cent or two.
MOST_TARGETS: Final = 20_000
# Constants that are tried as outputs of a regression: quantiles of the targets.
QUANTILES: Final = 101
# Training samples whose outputs are looked at.
LOOKED_AT: Final = 256


@dataclass(frozen=True, slots=True)
class Floors:
    """Values of the mean loss. `constant`: of the best constant output. `chance`: of equal probabilities, nan in
    regression. `mistake`: the diagnosis of a mistake that the config makes knowingly, "" for none, and `best` the least
    value it allows, -inf where none is known; `certain`: that the mistake is made is known without a look at the loss.
    `smoothing`: of ideal outputs under label smoothing, nan without."""

    constant: float
    chance: float
    mistake: str = ""
    best: float = -inf
    certain: bool = True
    smoothing: float = torch.nan


@torch.no_grad()
def floors(replica: Replica, reading: Reading, config: Config) -> Floors:
    """Of the training data. `config` is resolved. Looks at the outputs of a user's own model, whose last layer nobody
    has told of."""
    objective, samples = replica.objective, replica.parts.train
    last = config.model["output"]
    targets = samples.targets[:: -(-len(samples) // MOST_TARGETS)]
    rows = _rows(targets, reading).to(samples.dtype)

    def cost(outputs: Tensor) -> float:
        value: Tensor = objective(outputs.expand(len(targets), -1), targets)
        return float(value)

    def least(outputs: Iterator[Tensor]) -> float:
        return min((value for each in outputs if isfinite(value := cost(each))), default=torch.nan)

    classes = reading.task != "regression"
    constant = least(_constants_of_classes(rows, reading, last) if classes else _constants(rows, reading, last))
    chance = cost(activated(torch.zeros_like(rows[:1]), last)) if classes else torch.nan
    mistake, best, certain = _mistake(config, reading), -inf, True
    if not mistake and config.model.is_plugin and config.loss.parameters.get("inputs") in ("logits", "auto"):
        mistake, certain = _hidden_activation(some_outputs(replica), reading)
    if mistake in ("double_softmax", "double_sigmoid"):
        best = cost(rows)
    elif mistake == "squashed":
        best = cost(rows.clamp(0, 1))
    elif mistake == "single_softmax":
        best = cost(torch.ones_like(rows))
    smoothing = torch.nan
    share = config.loss.parameters.get("label_smoothing") or 0.0
    if share and reading.reads_as == "probabilities" and not mistake:
        smoothing = cost(_ideal(rows, share, config.loss["inputs"], sigmoids=reading.output == "sigmoid"))
    return Floors(constant, chance, mistake, best, certain, smoothing)


def some_outputs(replica: Replica) -> Tensor:
    """The first few training samples' outputs, dropout off."""
    train = replica.parts.train
    with evaluating(replica.network):
        # Not in half precision, in which outputs that are merely near each other look alike.
        outputs, _ = replace(replica, mixed=False).forward(train.scaled(train.inputs[:LOOKED_AT]))
    return outputs


def _hidden_activation(outputs: Tensor, reading: Reading) -> tuple[str, bool]:
    """The mistake of a model that gives probabilities where logits are wanted, and whether there is no doubt."""
    if reading.reads_as != "probabilities" or not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return "", True
    if reading.outputs > 1 and reading.output != "sigmoid":
        sums = outputs.sum(dim=1)
        return ("double_softmax", True) if bool((sums - 1).abs().max() < 1e-4) else ("", True)
    return "double_sigmoid", False


def _mistake(config: Config, reading: Reading) -> str:
    """The mistake that the config makes (the linter says so as well, but may have been told to let it pass)."""
    inputs, last = config.loss.parameters.get("inputs"), config.model["output"]
    if last in ("softmax", "log_softmax") and reading.outputs == 1:
        return "single_softmax"
    if inputs == "logits" and last in ("softmax", "sigmoid"):
        sigmoids = reading.task in ("binary", "multilabel") or config.loss.name.startswith("binary")
        return "double_sigmoid" if sigmoids else "double_softmax"
    if inputs in ("probabilities", "log_probabilities") and last == "none" and reading.reads_as == "probabilities":
        return "clipped" if inputs == "probabilities" else "impossible"
    return "squashed" if reading.task == "regression" and last in ("softmax", "sigmoid") else ""


def _rows(targets: Tensor, reading: Reading) -> Tensor:
    """Targets (N, K), class indices as one-hot rows."""
    if reading.task == "multiclass" and targets.ndim == 1:
        return F.one_hot(targets.long(), reading.outputs)
    return targets


def _constants_of_classes(rows: Tensor, reading: Reading, last: Output) -> Iterator[Tensor]:
    """Outputs (1, K) that do not look at the sample: equal ones, the classes' shares, always the most frequent one."""
    yield activated(torch.zeros_like(rows[:1]), last)
    shares = rows.mean(dim=0, keepdim=True).clamp(1e-7, 1 - 1e-7)
    exclusive = reading.task == "multiclass" and reading.output != "sigmoid"
    logits = shares.log() if exclusive else shares.logit()
    yield activated(logits, last)
    if last == "none":
        yield shares
        # For margins: one way or the other, with none to spare.
        leading = shares == shares.max() if exclusive else shares > 0.5
        yield torch.where(leading, 1.0, -1.0).to(rows.dtype)


def _constants(rows: Tensor, reading: Reading, last: Output) -> Iterator[Tensor]:
    """Outputs (1, K) of a regression that do not look at the sample."""
    mean = rows.mean(dim=0, keepdim=True)
    if reading.reads_as == "mean_and_log_variance":
        yield torch.cat([mean, rows.var(dim=0, correction=0, keepdim=True).log()], dim=1)
        return
    shares = torch.linspace(0, 1, QUANTILES, dtype=torch.float64, device=rows.device)
    candidates = [mean, *rows.double().quantile(shares, dim=0).unsqueeze(1)]
    if bool((rows > -1).all()):
        candidates.append(rows.log1p().mean(dim=0, keepdim=True).expm1())
    for values in candidates:
        values = values.to(rows.dtype)
        if reading.reads_as == "log_mean":
            yield values.clamp(min=1e-7).log()
        else:
            # Within what the last layer can give.
            yield values if last == "none" else values.clamp(0, 1)


def _ideal(rows: Tensor, share: float, inputs: str, *, sigmoids: bool) -> Tensor:
    """The outputs that cost least under label smoothing: those that give the smoothed labels."""
    spread = 2 if sigmoids else rows.shape[1]
    probabilities = rows * (1 - share) + share / spread
    if inputs == "probabilities":
        return probabilities
    return probabilities.logit() if sigmoids and inputs == "logits" else probabilities.log()
