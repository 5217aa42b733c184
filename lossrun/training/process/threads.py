"""Choose the number of threads for a run on the CPU: one thread if its steps are small, by rule.

Handing a small product to a second thread takes longer than computing it. While another program uses one of the cores
now and then, threads that wait for each other in every step nearly stop, but a single thread keeps half of its speed.
The last bits depend on the number of threads, so it is recorded, and a resumed run keeps the number that it was started
with.
"""

import os
from typing import Final

import torch

from lossrun.catalog import DataFacts
from lossrun.config import Config
from lossrun.lint.size import layers

# Multiplications in the forward pass of a step, of all seeds that are computed together.
MOST_ON_ONE_THREAD: Final = 2**21
# With at least this many seeds for each core, seeds are trained side by side even if some cores are idle in the last
# round.
LEAST_ROUNDS: Final = 3


def threads_of(config: Config, facts: DataFacts, seeds_at_once: int, recorded: int | None, *, seeds_apart: int) -> int:
    """Return the number of threads that compute each step.

    Args:
        config: Resolved.
        seeds_at_once: The number of seeds that are stacked.
        seeds_apart: The number of seeds that may be trained side by side.
        recorded: The number that the run was trained with so far.
    """
    if recorded is not None:
        return recorded_threads(recorded)
    usual = torch.get_num_threads()
    # Train seeds side by side if few cores are then without a seed.
    if seeds_apart >= LEAST_ROUNDS * usual or (seeds_apart > 1 and seeds_apart % usual == 0):
        return 1
    rows = layers(config, facts)
    if not rows or any(row.type == "conv" for row in rows):
        return usual
    weights = sum(row.parameters for row in rows)
    return 1 if weights * config.samples_per_step(facts.train) * seeds_at_once <= MOST_ON_ONE_THREAD else usual


def recorded_threads(count: int | None) -> int:
    """Return the number of threads that a run was trained with; the usual number if this machine has fewer."""
    usual = torch.get_num_threads()
    return count if count is not None and 1 <= count <= max(usual, os.cpu_count() or 1) else usual
