"""Train seeds that are too large for a stack side by side: each on one thread, one seed for each core at a time.

Two threads that share every product of a small batch wait for each other most of the time; two seeds need not wait.
Each seed is computed on one thread, as it would be alone, so the number of seeds at a time does not change any bit.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from lossrun.steps.seed_group import SeedGroup
from lossrun.steps.step import Batch, InTurn, Step


class SideBySide(InTurn):
    """Trains several seed groups at a time, once each of them has been trained on a batch of that size."""

    def __init__(self, steps: Sequence[Step], groups: Sequence[SeedGroup], at_once: int) -> None:
        """No step in `steps` may draw random numbers, and only every `at_once`-th may share memory."""
        super().__init__(steps, groups, own_randomness=False, own_code=False)
        self.at_once = at_once
        self.others = ThreadPoolExecutor(at_once - 1)
        self.taken: Counter[int] = Counter()  # steps, by the size of their batch

    def train_groups(self, batches: Sequence[Batch], rates: Sequence[Sequence[float]], losses: Tensor) -> None:
        # The first two steps of each size record what the others replay, which threads cannot do at the same time.
        new = any(self.taken[stop - start] < 2 for start, stop in batches)
        self.taken.update(stop - start for start, stop in batches)
        if new:
            super().train_groups(batches, rates, losses)
            return

        def train(first: int) -> None:
            """Train the groups of one thread."""
            for place in range(first, len(self.groups), self.at_once):
                self._train_group(place, batches, rates, losses)

        others = [self.others.submit(train, first) for first in range(1, self.at_once)]
        train(0)
        for other in others:
            other.result()
