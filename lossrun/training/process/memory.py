"""Find out how much memory is available, and estimate how much a seed takes."""

from typing import Final

import torch

from lossrun.catalog import DataFacts
from lossrun.config import Config
from lossrun.config.resolve import output_size
from lossrun.lint.machine import free_memory
from lossrun.lint.size import layers
from lossrun.steps.evaluate import evaluation_batch
from lossrun.steps.replica import Replica

# Share of the free memory; the rest is for data still to be read, the operating system, and estimates that are too low.
SHARE: Final = 0.5
# Copies of each weight: itself, its gradient, up to two moments, and one more while a checkpoint is made.
COPIES_OF_WEIGHTS: Final = 5
# Tensors as large as each layer's output: before and after its activation, and their gradients.
COPIES_OF_OUTPUTS: Final = 4
# Double-precision tensors as large as the outputs of the evaluated part while the metrics are computed.
COPIES_OF_PREDICTIONS: Final = 6


def available(device: torch.device) -> int:
    """Return how many bytes training may take: a share of the device's memory that is free, or of a container's."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = free_memory()
    return int(free * SHARE)


def of_one_seed(replica: Replica, config: Config, facts: DataFacts, batch_size: int) -> int:
    """Estimate the bytes of weights, optimizer state, a step and an evaluation, for lossrun's own models."""
    itemsize = replica.weights[0].element_size()
    weights = sum(weight.numel() for weight in replica.weights) * COPIES_OF_WEIGHTS
    validation, test = replica.parts.validation, replica.parts.test
    evaluated = max(len(part) if part else 0 for part in (validation, test))
    predictions = evaluated * output_size(config, facts) * COPIES_OF_PREDICTIONS * 8
    # Layer after layer, without gradients: two of them at a time.
    forward = 2 * min(evaluated, evaluation_batch(replica.weights[0].device)) * max(_outputs(config, facts)) * itemsize
    # A step and an evaluation use the same memory in turn.
    return weights * itemsize + max(of_a_step(config, facts, batch_size, itemsize), predictions + forward)


def of_a_step(config: Config, facts: DataFacts, batch_size: int, itemsize: int) -> int:
    """Estimate the bytes of a batch and of its forward and backward pass, for lossrun's own models."""
    outputs = sum(_outputs(config, facts)) * COPIES_OF_OUTPUTS
    return batch_size * (torch.Size(facts.input_shape).numel() + outputs) * itemsize


def _outputs(config: Config, facts: DataFacts) -> list[int]:
    """Return how many numbers each layer gives for a sample."""
    return [torch.Size(layer.output_shape).numel() for layer in layers(config, facts)]
