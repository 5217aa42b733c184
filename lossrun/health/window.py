"""The window over which a plateau is judged: a tenth of the run's epochs, but at least three."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final

LEAST: Final = 3
# Losses that are kept, at most. In a longer window every second, third, ... epoch counts.
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The last tenth of a run of `planned` epochs."""

    planned: int

    @property
    def epochs(self) -> int:
        return max(LEAST, ceil(self.planned / 10))

    @property
    def every(self) -> int:
        """The interval, in epochs, at which losses are kept."""
        return ceil(self.epochs / MOST)

    def after(self, losses: tuple[float, ...], loss: float, epoch: int) -> tuple[float, ...]:
        """Return the losses that are kept after an epoch, newest last."""
        if epoch % self.every:
            return losses
        return (*losses, loss)[-ceil(self.epochs / self.every) :]

    def is_full(self, losses: tuple[float, ...]) -> bool:
        return len(losses) >= ceil(self.epochs / self.every)


def falls_steadily(losses: tuple[float, ...]) -> bool:
    """Return whether the loss fell from each epoch to the next."""
    return all(one > other for one, other in pairwise(losses))


def is_escaping(losses: tuple[float, ...], faster: float) -> bool:
    """Return whether the loss leaves a plateau: it falls in each epoch, `faster` times as much in the last quarter.

    Networks of sigmoids stay on a plateau until their units differ enough, and get away ever faster.
    """
    quarter = len(losses) // 4
    if quarter < 2 or not falls_steadily(losses[-2 * quarter - 1 :]):
        return False
    newest, middle, before = losses[-1], losses[-quarter - 1], losses[-2 * quarter - 1]
    return middle - newest >= faster * (before - middle)


def turns(losses: tuple[float, ...]) -> float:
    """Return the share of epochs after which the loss changes its direction."""
    steps = [other - one for one, other in pairwise(losses)]
    changes = sum(one * other < 0 for one, other in pairwise(steps))
    return changes / (len(steps) - 1) if len(steps) > 1 else 0.0
