"""What is trained: the same network, optimizer, samples and batches, as a lossrun config and for its peers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from lossrun.config import from_mapping
from lossrun.data import Part, Scaling, default_data_dir
from lossrun.experiment import load_experiment

MNIST: Final[dict[str, Any]] = {"name": "mnist", "validation": 5000}
# 1,000 samples to train on, 200 to validate on.
REGRESSION: Final[dict[str, Any]] = {
    "name": "synthetic_regression",
    "samples": 1200,
    "features": 10,
    "validation": 200,
    "test": 0,
}
# Samples; the same for all.
EVALUATION_BATCH: Final = 1024
# A layer of a peer's network: (kind, units or filters or size, kernel, padding). ReLU after conv and dense.
Layer = tuple[str, int] | tuple[str, int, int, Literal["same", "valid"]]
MLP: Final[tuple[Layer, ...]] = (("dense", 300), ("dense", 100))
# What `model: cnn` is: LeNet-5 with ReLU.
LENET5: Final[tuple[Layer, ...]] = (
    ("conv", 6, 5, "same"),
    ("avg_pool", 2),
    ("conv", 16, 5, "valid"),
    ("avg_pool", 2),
    ("dense", 120),
    ("dense", 84),
)


@dataclass(frozen=True, slots=True)
class Task:
    """`layers` and `outputs` describe the peers' network, `parameters` how many it has, lossrun's as well. Images keep
    their shape if the network needs it. `more_epochs`: a factor, where an epoch is short. `score`: the validation
    column that says whether all have learned the same. `targets`: at most this ratio of lossrun to a peer."""

    name: str
    title: str
    dataset: dict[str, Any]
    model: dict[str, Any]
    layers: tuple[Layer, ...]
    outputs: int
    parameters: int
    optimizer: Literal["sgd", "adam"]
    learning_rate: float
    batch_size: int
    score: Literal["accuracy", "mse"]
    targets: dict[str, float]
    more_epochs: int = 1

    @property
    def classes(self) -> bool:
        return self.score == "accuracy"

    @property
    def images(self) -> bool:
        return any(layer[0] == "conv" for layer in self.layers)

    def config(self, epochs: int) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            "loss": "cross_entropy" if self.classes else "mse",
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "epochs": epochs,
            "device": "cpu",
        }


def _mnist_mlp(batch_size: int) -> Task:
    return Task(
        name=f"mnist-{batch_size}",
        title=f"MNIST, MLP 784-300-100-10, SGD, batch {batch_size}",
        dataset=MNIST,
        model={"name": "mlp", "hidden": [300, 100]},
        layers=MLP,
        outputs=10,
        parameters=266_610,
        optimizer="sgd",
        learning_rate=0.1,
        batch_size=batch_size,
        score="accuracy",
        targets={"keras-jax": 0.75, "lightning": 0.35},
    )


TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        _mnist_mlp(32),
        _mnist_mlp(128),
        Task(
            name="regression",
            title="1,000 samples, MLP 10-20-1, Adam, batch 32",
            dataset=REGRESSION,
            model={"name": "mlp", "hidden": [20]},
            layers=(("dense", 20),),
            outputs=1,
            parameters=241,
            optimizer="adam",
            learning_rate=0.01,
            batch_size=32,
            score="mse",
            targets={"keras-jax": 1.0, "lightning": 0.35},
            more_epochs=10,
        ),
        Task(
            name="cnn",
            title="MNIST, LeNet-5 (two convolutions), SGD, batch 128",
            dataset=MNIST,
            model={"name": "cnn"},
            layers=LENET5,
            outputs=10,
            parameters=61_706,
            optimizer="sgd",
            learning_rate=0.1,
            batch_size=128,
            score="accuracy",
            targets={"keras-jax": 1.0, "lightning": 0.35},
        ),
    )
}


def arrays_path(task: Task, folder: str | Path) -> Path:
    return Path(folder, f"{task.dataset['name']}.npz")


def write_arrays(task: str, folder: str) -> dict[str, Any]:
    """The very samples that lossrun trains and validates on, scaled, as float32 for its peers: `x_train` and `x_val`
    (N, features), `y_train` and `y_val` (N,) or (N, 1). In a child: it takes memory."""
    chosen = TASKS[task]
    data = load_experiment(from_mapping(chosen.config(1), Path(folder)), default_data_dir()).data[0]
    assert data.validation is not None
    arrays: dict[str, np.ndarray] = {}
    for part_name, part in (("train", data.train), ("val", data.validation)):
        arrays |= _arrays(part_name, part, data.input_scaling)
    np.savez(arrays_path(chosen, folder), **arrays)
    return {part_name: len(array) for part_name, array in arrays.items()}


def _arrays(name: str, part: Part, scaling: Scaling) -> dict[str, np.ndarray]:
    return {f"x_{name}": scaling.apply(part.inputs).reshape(len(part), -1), f"y_{name}": part.targets}


def shaped(task: Task, inputs: np.ndarray, *, channels_last: bool) -> np.ndarray:
    """(N, features) -> images, if the task's network needs them."""
    if not task.images:
        return inputs
    return inputs.reshape(-1, 28, 28, 1) if channels_last else inputs.reshape(-1, 1, 28, 28)
