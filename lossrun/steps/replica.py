"""One seed's copy of the model, and all that training changes about it."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.components.losses.reductions import Objective
from lossrun.components.network import Network, activated
from lossrun.components.schedules import PlateauState

_DROPOUTS: Final = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


@dataclass(frozen=True, slots=True)
class Samples:
    """A part of the data on the device. `inputs`: as the model takes them, or raw bytes that `scaled` makes so;
    `targets`: what the loss is given (regression: scaled).

    `ids` are row numbers in the part's source. `dtype`: of the model's inputs. `scale`: mean (None for 0) and standard
    deviation of raw inputs. `weights`: (N,), how much each sample counts; None: all alike.
    """

    inputs: Tensor
    targets: Tensor
    ids: Tensor
    dtype: torch.dtype
    scale: tuple[Tensor | None, Tensor] | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def scaled(self, inputs: Tensor) -> Tensor:
        """Rows of `inputs` as the model takes them."""
        if self.scale is None:
            return inputs
        mean, std = self.scale
        floats = inputs.float() if mean is None else inputs.float().sub_(mean)
        return floats.div_(std).to(self.dtype)


@dataclass(frozen=True, slots=True)
class Parts:
    """The data of one seed. `target_mean` and `target_std` lead from scaled targets back to original units."""

    train: Samples
    validation: Samples | None
    test: Samples | None
    target_mean: Tensor
    target_std: Tensor


@dataclass(slots=True)
class BestSoFar:
    """The best value of a metric so far, and the epochs since. `epoch` 0: none yet."""

    metric: str
    mode: str
    min_delta: float = 0.0
    value: float = math.nan
    epoch: int = 0
    step: int = 0
    bad_epochs: int = 0

    def improves(self, value: float) -> bool:
        """Whether this value is one. What is not a number never is."""
        gain = self.value - value if self.mode == "min" else value - self.value
        return not math.isnan(value) and (self.epoch == 0 or gain > self.min_delta)

    def update(self, value: float, epoch: int, step: int) -> bool:
        """Take note of an epoch's value; whether it is an improvement."""
        if self.improves(value):
            self.value, self.epoch, self.step, self.bad_epochs = value, epoch, step, 0
            return True
        self.bad_epochs += 1
        return False


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of a seed from epoch to epoch to tell how it is doing, and kept in checkpoints.

    Attributes:
        first_loss: The loss of the very first step.
        losses: The train losses of the last few epochs, newest last.
        recent: The loss towards the end of the last epoch.
        suspicious: Epochs in a row that looked like divergence.
        named: The diagnoses made so far.
        gradient_norm: The last finite one.
    """

    first_loss: float = math.nan
    losses: Sequence[float] = ()
    recent: float = math.nan
    suspicious: int = 0
    named: Sequence[str] = ()
    gradient_norm: float = math.nan

    def facts(self) -> dict[str, Any]:
        """Plain values for a checkpoint; `Health(**facts)` is the way back."""
        return {**asdict(self), "losses": list(self.losses), "named": list(self.named)}


@dataclass(slots=True, eq=False)
class Replica:
    """`weights`: all that the optimizer updates, those of a loss that learns included.

    `stopped_epoch`, `diverged_epoch`: the last epoch of a seed that early stopping or divergence has frozen. `thaws`:
    it was stopped, and goes on with the next epoch.

    `generator_state`: where this seed's dropout stream stands, kept here while another seed is at work.

    `output`: the activation of the model's last layer.

    `health`: what is remembered of it to tell how it is doing.

    `best_weights`: the model's weights and buffers after its best epoch, on its device; empty before there is one.

    `own_optimizer`: it is the user's, and may do more than torch's do.

    `counted`: how much each training sample counts in what the loss's mean divides by, (N,); None: all alike.

    `mixed`: the model computes in bfloat16 where that is safe (torch's autocast); weights and losses do not.
    """

    seed: int
    network: nn.Module
    objective: Objective
    optimizer: torch.optim.Optimizer
    weights: list[nn.Parameter]
    parts: Parts
    best: BestSoFar
    output: str = "none"
    stopping: BestSoFar | None = None
    plateau: PlateauState | None = None
    stopped_epoch: int | None = None
    diverged_epoch: int | None = None
    thaws: bool = False
    health: Health = field(default_factory=Health)
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    generator_state: Tensor | None = None
    mixed: bool = False
    own_optimizer: bool = False
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    counted: Tensor | None = None

    def arithmetic(self) -> AbstractContextManager[object]:
        """To run the model in."""
        if not self.mixed:
            return nullcontext()
        return torch.autocast(self.weights[0].device.type, torch.bfloat16)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and pre-activations, (N, K). A user's model gives outputs only: probabilities are led back to
        pre-activations."""
        network = self.network
        with self.arithmetic():
            result: Tensor = network.preactivations(inputs) if isinstance(network, Network) else network(inputs)
        result = result.to(inputs.dtype)
        if isinstance(network, Network):
            return activated(result, network.output), result
        if self.output == "softmax":
            return result, result.log()
        return result, result.logit() if self.output == "sigmoid" else result

    @property
    def frozen(self) -> bool:
        return self.stopped_epoch is not None or self.diverged_epoch is not None

    @property
    def draws(self) -> bool:
        """Whether a training step consumes random numbers."""
        return any(isinstance(module, _DROPOUTS) for module in self.network.modules())
