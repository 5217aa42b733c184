"""How much memory there is, and how much a seed will take."""

import os
from pathlib import Path
from typing import Final

import torch

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Model
from lossrun.config import Config
from lossrun.config.resolve import output_size
from lossrun.training.evaluate import evaluation_batch
from lossrun.training.replica import Replica

# Of what is free: the rest is for the data still to be read, the operating system, and estimates that are too low.
SHARE: Final = 0.5
# Copies of each weight: itself, its gradient, up to two moments, and one more while a checkpoint is made.
COPIES_OF_WEIGHTS: Final = 5
# Tensors as large as each layer's output: before and after its activation, and their gradients.
COPIES_OF_OUTPUTS: Final = 4
# Double-precision tensors as large as the outputs of the evaluated part while the yardsticks are computed.
COPIES_OF_PREDICTIONS: Final = 6
UNLIMITED: Final = 2**63 - 1
# Limit and use of a Linux control group, version 2 and version 1.
CONTROL_GROUP_FILES: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available(device: torch.device) -> int:
    """Bytes that training may take: free memory of the device, for the CPU also within a container's limit."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = min(_free_on_the_machine(), _free_in_the_container())
    return int(free * SHARE)


def of_one_seed(replica: Replica, config: Config, facts: DataFacts, batch_size: int) -> int:
    """Estimated bytes of weights, optimizer state, a training step and an evaluation. The model is one of ours."""
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
    """Estimated bytes of a batch and of what its forward and backward pass compute for it. The model is one of ours."""
    outputs = sum(_outputs(config, facts)) * COPIES_OF_OUTPUTS
    return batch_size * (torch.Size(facts.input_shape).numel() + outputs) * itemsize


def _outputs(config: Config, facts: DataFacts) -> list[int]:
    """Numbers that each layer gives for a sample."""
    model = get("model", config.model.name)
    assert isinstance(model, Model)
    layers = model.layers(dict(config.model.parameters), facts.input_shape, output_size(config, facts))
    return [torch.Size(layer.output_shape).numel() for layer in layers]


def _free_on_the_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        # Not Linux: all of the memory there is, where the platform says, else what any machine has.
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" in names:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return 4 * 2**30


def _free_in_the_container() -> int:
    """Limit less use of the control group, where Linux has set one."""
    for limit_file, used_file in CONTROL_GROUP_FILES:
        try:
            limit, used = (Path(file).read_text(encoding="ascii").strip() for file in (limit_file, used_file))
            return int(limit) - int(used) if limit != "max" else UNLIMITED
        except (OSError, ValueError):
            continue
    return UNLIMITED
