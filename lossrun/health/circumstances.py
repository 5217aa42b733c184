"""What is known about a run in addition to its losses, and the form of advice.

A loss is a share of the best constant output's loss: 1 is nothing learned, and 0 is a loss of 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, prod, sqrt
from typing import Final, NamedTuple, Protocol, TypeAlias

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Optimizer
from lossrun.config import Config

Settings: TypeAlias = tuple[str, ...]

RATE: Final = "learning_rate="
# Enough for most models to converge: steps of the learning rate that add up to 5.
ENOUGH_MOVEMENT: Final = 5.0
# The most updates that settings are tried for. A rate that is too high is found in the first dozens. Settings that may
# need more time are finally tried for longer.
BRIEFLY: Final = 100
LONGER: Final = 1000


class TryOut(Protocol):
    """Tries settings from the initial weights and returns the loss of each after some steps.

    The loss is infinity where settings do not train. Settings that cannot be tried are left out.
    """

    def __call__(
        self, several: Sequence[Settings], steps: int = BRIEFLY, *, held_out: bool = False
    ) -> Mapping[Settings, float]:
        """Try each for at most `steps` steps. `held_out`: count the loss on validation data where it is higher."""


def try_nothing(
    several: Sequence[Settings],  # noqa: ARG001
    steps: int = BRIEFLY,  # noqa: ARG001
    *,
    held_out: bool = False,  # noqa: ARG001
) -> Mapping[Settings, float]:
    """Try nothing."""
    return {}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about a run in addition to its losses.

    Attributes:
        config: The resolved config.
        lint: {rule: the settings that it advised}, of the broken rules that explain why a run does not learn.
        constant: The loss of the best constant output.
    """

    config: Config
    facts: DataFacts
    lint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constant: float = inf
    try_out: TryOut = try_nothing

    @property
    def steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch(self.facts.train)

    def share(self, loss: float) -> float:
        """Return a loss of the run as a share of the best constant's."""
        return share_of(self.constant, loss)


def share_of(constant: float, loss: float) -> float:
    """Return a loss as a share of the best constant's, even if losses may be below 0."""
    return 1 + (loss - constant) / abs(constant) if constant and isfinite(constant) else loss


class Advice(NamedTuple):
    """The reason, a sentence without a full stop, and the cure as settings for --set; () if no setting cures it."""

    why: str
    cure: Settings


def last_of_each_key(settings: Sequence[str]) -> Settings:
    """Return the settings without those that a later setting of the same key replaces."""
    return tuple({setting.partition("=")[0]: setting for setting in settings}.values())


def optimizer_of(name: str) -> Optimizer | None:
    declared = None if ":" in name else get("optimizer", name)
    return declared if isinstance(declared, Optimizer) else None


def usual_range(name: str) -> tuple[float, float]:
    """Return the usual learning rates of an optimizer of this name."""
    declared = optimizer_of(name)
    return declared.usual_rates if declared else (0.0, inf)


def middle_rate(known: Circumstances) -> list[float]:
    """Return the middle of the optimizer's usual learning rates, if it is known."""
    declared = optimizer_of(known.config.optimizer.name)
    return [rounded(sqrt(prod(declared.usual_rates)))] if declared else []


def steps_scale_with_gradient(known: Circumstances) -> bool:
    """Return whether the optimizer's steps are proportional to the gradient."""
    declared = optimizer_of(known.config.optimizer.name)
    return declared is not None and declared.scales_with_gradient


def bounded_steps(known: Circumstances) -> bool:
    """Return whether a step of the optimizer moves a weight by about the learning rate."""
    declared = optimizer_of(known.config.optimizer.name)
    return declared is not None and declared.bounded_steps


def has_unusual_init(known: Circumstances) -> bool:
    """Return whether the initial weights ignore the number of a layer's inputs, or the first biases are not 0."""
    init = known.config.model.parameters.get("init") or {}
    return any(init.get(key) for key in ("std", "value", "bias", "bias_std"))


def rounded(rate: float) -> float:
    """Return a learning rate to one digit."""
    return float(f"{rate:.0e}")
