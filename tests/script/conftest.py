"""Scripts as modules, and what lossrun itself does with the same config, step by step."""

import gzip
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping, read
from lossrun.data.sources import images
from lossrun.experiment import Experiment, load_experiment
from lossrun.script import script_input, write
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin

# Before anything imports keras.
os.environ["KERAS_BACKEND"] = "torch"

REGRESSION = {"name": "synthetic_regression", "samples": 40, "features": 3}
BINARY = {"name": "synthetic_classification", "kind": "moons", "samples": 40}
MULTICLASS = {"name": "synthetic_classification", "kind": "blobs", "samples": 40, "classes": 4}
MULTILABEL = {"name": "synthetic_classification", "kind": "multilabel", "samples": 40, "classes": 3, "features": 4}
DATASETS = {"regression": REGRESSION, "binary": BINARY, "multiclass": MULTICLASS, "multilabel": MULTILABEL}

# The shipped configs take 5,000 of the images to validate.
TRAIN_IMAGES, TEST_IMAGES = 6000, 500

TINY: dict[str, Any] = {
    "dataset": REGRESSION,
    "model": {"name": "mlp", "hidden": [6], "activation": "tanh"},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "epochs": 2,
    "batch_size": 8,
}


@pytest.fixture(scope="session")
def few_images(mnist_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first images of MNIST, in a folder like that of all: to load and to compare all takes seconds."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "mnist").mkdir()
    for names, count in ((images.TRAIN, TRAIN_IMAGES), (images.TEST, TEST_IMAGES)):
        for name, size in zip(names, (28 * 28, 1), strict=True):
            path = mnist_dir / "mnist" / name
            with gzip.open(path) if path.is_file() else path.with_suffix("").open("rb") as file:
                header = bytearray(file.read(16 if size > 1 else 8))
                header[4:8] = count.to_bytes(4, "big")
                # The digest of a file that is not packed is not checked.
                (folder / "mnist" / path.stem).write_bytes(bytes(header) + file.read(count * size))
    return folder


@pytest.fixture
def few_mnist(few_images: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder with these images; a set of images has as many of them as it declares."""
    few = replace(images.IMAGE_SETS["mnist"], count=TRAIN_IMAGES, test_count=TEST_IMAGES)
    monkeypatch.setitem(images.IMAGE_SETS, "mnist", few)
    return few_images


@dataclass(frozen=True)
class Pair:
    """A script, as text and as a module whose `main` has not run, and lossrun's own session of the same config."""

    text: str
    script: ModuleType
    session: Session
    examined: Experiment

    @cached_property
    def data(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """What the script's `load_data` gives."""
        loaded: Mapping[str, tuple[np.ndarray, np.ndarray]] = self.script.load_data()
        return loaded

    def batches(self, most: int = 8) -> Iterator[tuple[np.ndarray, float]]:
        """The rows of each of lossrun's first batches, and the loss of it that lossrun minimises."""
        session, done = self.session, 0
        while done < most and session.training:
            session.begin_epoch()
            for start, stop in session.remaining_batches():
                if done == most:
                    return
                loss = session.step(start, stop, session.rates(session.position.step))
                replica = session.replicas[0]
                assert replica.order is not None
                yield (
                    replica.order[start:stop].numpy(),
                    loss.flatten()[0].item() * replica.objective.factor(stop - start),
                )
                session.position.step += 1
                done += 1
            session.position.epoch += 1


def as_module(text: str) -> ModuleType:
    module = ModuleType("script")
    exec(compile(text, "script.py", "exec"), module.__dict__)
    return module


Make = Callable[..., Pair]


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`pair("pytorch", loss="mae")`: what differs from TINY, or `config=PATH` with overrides."""
    opened: list[Any] = []
    # A script makes a user's module findable for good: here only for the test.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    def make(
        framework: str, *overrides: str, config: Path | None = None, data_dir: Path = tmp_path, **keys: Any
    ) -> Pair:
        eager = ["step=eager", "device=cpu"]
        reading = (
            read(config, [*overrides, *eager])
            if config
            else from_mapping({**TINY, **keys}, tmp_path, [*overrides, *eager])
        )
        examined = load_experiment(reading, data_dir)
        text = write(script_input(examined, "config.yaml"), framework)
        session = begin(prepare(examined), tmp_path / "runs")
        opened.append(session)
        return Pair(text, as_module(text), session.__enter__(), examined)

    yield make
    sys.modules.pop("mine", None)
    for session in reversed(opened):
        session.__exit__(None, None, None)


def keras_weights(network: torch.nn.Module, model: Any) -> None:
    """The initial weights of a lossrun network put into a Keras model of the same layers."""
    parametric = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    modules = [module for module in network.modules() if isinstance(module, parametric)]
    before: Any = None
    taken = iter(modules)
    for layer in model.layers:
        if layer.get_weights():
            layer.set_weights(_as_keras(next(taken), before))
            before = None
        elif type(layer).__name__ == "Flatten":
            before = layer.input.shape[1:]
    assert next(taken, None) is None


def _as_keras(module: torch.nn.Module, flattened: tuple[int, ...] | None) -> list[np.ndarray]:
    """Kernels are (in, out) in Keras, (height, width, in, out) for convolutions; images are flattened channels last."""
    state = {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}
    if "running_mean" in state:
        return [state[name] for name in ("weight", "bias", "running_mean", "running_var")]
    kernel = state["weight"]
    if kernel.ndim == 4:
        return [kernel.transpose(2, 3, 1, 0), state["bias"]]
    kernel = kernel.T
    if flattened is not None:
        height, width, channels = flattened
        kernel = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
    return [kernel, state["bias"]]


def assert_same_data(pair: Pair, framework: str) -> None:
    """Every part that `load_data` gives is what lossrun trains on; Keras' images have their channels last."""
    parts = pair.session.replicas[0].parts
    ours = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    assert set(pair.data) == {name for name, part in ours.items() if part is not None}
    for name, (inputs, targets, *weights) in pair.data.items():
        part = ours[name]
        assert part is not None
        expected = part.scaled(part.inputs).numpy()
        if framework == "keras" and expected.ndim == 4:
            expected = np.moveaxis(expected, 1, -1)
        assert inputs.dtype == np.float32
        assert inputs.shape == expected.shape
        # In place of assert_allclose, which takes seconds for the images.
        assert np.abs(inputs - expected).max() <= 1e-6 * np.abs(expected).max(), name
        np.testing.assert_allclose(targets, part.targets.numpy(), rtol=1e-6, atol=1e-6, err_msg=name)
        expected_weights = [] if part.weights is None else [part.weights.numpy()]
        np.testing.assert_allclose(weights, expected_weights, rtol=1e-6, err_msg=name)


def pytorch_losses(pair: Pair, most: int = 8) -> tuple[list[float], list[float]]:
    """Loss after loss of the script's own model on its own batches, and lossrun's."""
    script, found, expected = pair.script, [], []
    inputs, *targets_and_weights = (torch.from_numpy(part) for part in pair.data["train"])
    model = script.build_model()
    optimizer = script.build_optimizer(model)
    model.train()
    # To the end first: both draw dropout from torch's one generator.
    steps = iter(list(pair.batches(most)))
    for epoch in range(1, script.EPOCHS + 1):
        script.seed_torch(2, epoch)
        for rows in script.batches(epoch, len(inputs)):
            theirs = next(steps, None)
            if theirs is None:
                return found, expected
            np.testing.assert_array_equal(rows.numpy(), theirs[0])
            step = (len(found),) if hasattr(script, "learning_rate") else ()
            factor = pair.session.replicas[0].objective.factor(len(rows))
            batch = [part[rows] for part in (inputs, *targets_and_weights)]
            found.append(script.train_step(model, optimizer, *batch, *step) * factor)
            expected.append(theirs[1])
    return found, expected


def keras_losses(pair: Pair, most: int = 8) -> tuple[list[float], list[float]]:
    """Loss after loss of the script's model, from lossrun's initial weights on lossrun's batches, and lossrun's."""
    model = pair.script.build_model()
    keras_weights(pair.session.replicas[0].network, model)
    inputs, targets, *weights = pair.data["train"]
    found, expected = [], []
    for rows, loss in pair.batches(most):
        model.reset_metrics()
        batch = [part[rows] for part in (inputs, targets, *weights)]
        found.append(float(model.train_on_batch(*batch, return_dict=True)["loss"]))
        expected.append(loss)
    return found, expected
