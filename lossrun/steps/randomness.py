"""Independent random streams, so that a position in training is (epoch, step) and nothing else.

Each stream comes from `SeedSequence([seed, purpose, epoch])`. Adding seed and epoch instead would give seed 0 at epoch
2 the order of seed 1 at epoch 1. Streams depend on nothing in the loss or the optimizer: runs of one seed share initial
weights and batches, and can be compared in pairs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import numpy as np
import torch
from torch import Tensor

CPU: Final = torch.device("cpu")


class Purpose(IntEnum):
    """What a stream is used for. Old runs repeat only if these numbers never change."""

    INITIAL_WEIGHTS = 0
    ORDER = 1
    DROPOUT = 2


def seed_torch(seed: int, purpose: Purpose, epoch: int = 0, device: torch.device = CPU) -> None:
    """Seed the device's global generator, the only one that torch's dropout and initialisers draw from."""
    start = int(_sequence(seed, purpose, epoch).generate_state(1, np.uint64)[0])
    if device.type == "cpu":
        # torch.manual_seed would take 0.1 ms: it records a traceback for every kind of device that is not in use yet.
        torch.default_generator.manual_seed(start)
    else:
        torch.manual_seed(start)


def order(seed: int, epoch: int, samples: int, shuffle: bool) -> Tensor:
    """Return the training samples' indices in the order in which this epoch takes them, int64, on the CPU."""
    if not shuffle:
        return torch.arange(samples)
    generator = np.random.Generator(np.random.PCG64(_sequence(seed, Purpose.ORDER, epoch)))
    return torch.from_numpy(generator.permutation(samples))


def generator_state(device: torch.device) -> Tensor:
    """Return the state of the generator that dropout on `device` draws from, uint8."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_generator_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


@contextmanager
def undisturbed(device: torch.device, tensors: Sequence[Tensor] = ()) -> Iterator[None]:
    """Put the generator and `tensors` (such as the statistics of batch norm) back as they were, after the block."""
    state, kept = generator_state(device), [tensor.clone() for tensor in tensors]
    try:
        yield
    finally:
        for tensor, before in zip(tensors, kept, strict=True):
            tensor.copy_(before)
        set_generator_state(state, device)


def _sequence(seed: int, purpose: Purpose, epoch: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, int(purpose), epoch])
