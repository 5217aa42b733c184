"""Train seeds that are too large for a stack side by side: each on one thread, one seed for each core at a time.

Two threads that share every product of a small batch wait for each other most of the time; two seeds need not wait.
Each seed is computed on one thread, as it would be alone, so the number of seeds at a time does not change any bit.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from lossrun.steps.seed_group import SeedGroup
from lossrun.steps.step import InTurn, Step


class SideBySide(InTurn):
    """Trains several seed groups at a time, once each of them has been trained on a batch of that size."""

    def __init__(self, steps: Sequence[Step], groups: Sequence[SeedGroup], at_once: int) -> None:
        """No step in `steps` may draw random numbers, and only every `at_once`-th may share memory."""
        super().__init__(steps, groups, own_randomness=False)
        self.at_once = at_once
        self.others = ThreadPoolExecutor(at_once - 1)
        self.taken: dict[int, int] = {}

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        # The first two steps of each size record what the others replay, which threads cannot do at the same time.
        taken = self.taken.get(stop - start, 0)
        self.taken[stop - start] = taken + 1
        if taken < 2:
            return super().__call__(start, stop, rates)

        def train(first: int) -> dict[int, Tensor]:
            """Train the groups of one thread."""
            places = range(first, len(self.groups), self.at_once)
            return {
                place: self.steps[place](start, stop, rates[place : place + 1])
                for place in places
                if self.groups[place].active
            }

        others = [self.others.submit(train, first) for first in range(1, self.at_once)]
        losses = train(0)
        for other in others:
            losses |= other.result()
        each = enumerate(self.groups)
        return torch.cat([losses[place] if place in losses else self._zeros(group) for place, group in each])
