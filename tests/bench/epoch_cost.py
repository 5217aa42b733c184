"""What lossrun's loop costs beside the plainest PyTorch loop that does the same steps.

    python tests/bench/epoch_cost.py

Both train the same network from the same initial weights on the same batches of real MNIST in memory: index, forward,
backward, fused step. The plain loop does nothing else; lossrun's also keeps the running loss, the schedule, the
checkpoint rhythm and the requests to stop. Evaluation and writing are left out of both. Epochs alternate, because
machines drift; what counts is the ratio of the medians.
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.lint import examine
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.randomness import order
from lossrun.training.start import begin, prepare

MODELS = {
    "784-300-100-10, batch 32": ({"name": "mlp", "hidden": [300, 100]}, 32),
    "784-300-100-10, batch 128": ({"name": "mlp", "hidden": [300, 100]}, 128),
    "LeNet-5, batch 128": ({"name": "cnn"}, 128),
}


def plain_epoch(prepared, epoch: int, batch_size: int) -> float:
    """Seconds of one epoch of the plain loop, on the model, optimizer and data of the first seed."""
    replica = prepared.replicas[0]
    network, optimizer, samples = replica.network.body, replica.optimizer, replica.parts.train
    indices = order(0, epoch, len(samples), True)
    started = time.perf_counter()
    for start in range(0, len(samples), batch_size):
        batch = indices[start : start + batch_size]
        optimizer.zero_grad()
        loss = cross_entropy(network(samples.inputs[batch]), samples.targets[batch])
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def measure(name: str, epochs: int) -> None:
    model, batch_size = MODELS[name]
    config = {
        "dataset": {"name": "mnist", "validation": 5000},
        "model": model,
        "loss": "cross_entropy",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "batch_size": batch_size,
        "epochs": epochs + 1,
    }
    with tempfile.TemporaryDirectory() as folder:
        examined = examine(from_mapping(config, Path(folder)), default_data_dir())
        plain = prepare(examined)
        plain_seconds, ours = [], []
        with begin(prepare(examined), Path(folder)) as session:
            for event in train(session, lambda: None):
                if not isinstance(event, EpochRecord):
                    continue
                ours.append(event.rows[0]["train_seconds"])
                plain_seconds.append(plain_epoch(plain, event.epoch, batch_size))
    # The first epoch of each warms caches and allocators.
    a, b = statistics.median(ours[1:]), statistics.median(plain_seconds[1:])
    print(f"{name:28}  lossrun {a:6.3f} s  plain {b:6.3f} s  ratio {a / b:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=7, help="counted epochs of each loop")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, python {platform.python_version()}, {torch.get_num_threads()} threads, medians")
    for model_name in MODELS:
        measure(model_name, arguments.epochs)
