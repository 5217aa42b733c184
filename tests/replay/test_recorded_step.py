"""The recorded step next to the eager one, step by step."""

from typing import Any

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.replay import descent, products
from lossrun.replay.recorded_step import RecordedStep
from lossrun.replay.recording import Recording
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import MOONS, REGRESSION, SPIRALS, Laboratory, newest, rows

CNN = {"name": "cnn", "layers": [{"name": "conv", "filters": 3}, {"name": "max_pool"}, {"name": "dense", "units": 8}]}
CNN_AVERAGED = {"name": "cnn", "layers": [{"name": "conv", "filters": 2, "stride": 2}, {"name": "avg_pool"}]}
FEW_CHANNELS = [
    {"name": "conv", "filters": 6, "kernel": 5},
    {"name": "avg_pool"},
    {"name": "conv", "filters": 9, "kernel": 2},
    {"name": "dense", "units": 20},
]
IMAGES = {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "validation": 20, "test": 20}


@pytest.fixture(autouse=True)
def _images(laboratory: Laboratory) -> None:
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (120, 12, 10), dtype=np.uint8), draw.integers(0, 3, 120)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)


def steps_of(laboratory: Laboratory, config: dict[str, Any], folder: str) -> list[tuple[torch.Tensor, ...]]:
    """Losses, gradient norms, and all weights and buffers after every step of a run."""
    seen: list[tuple[torch.Tensor, ...]] = []
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / folder) as session:
        replayed = "captured" if session.device.type == "cuda" else "recorded"
        assert session.step.kind == ("eager" if config.get("step") == "eager" else replayed)
        for _ in range(session.config.epochs):
            session.begin_epoch()
            _one_epoch(session, seen)
            session.position.epoch += 1
    return seen


def _one_epoch(session: Session, seen: list[tuple[torch.Tensor, ...]]) -> None:
    for start, stop in session.remaining_batches():
        losses = session.step(start, stop, session.rates(session.position.step)).clone()
        session.position.step += 1
        states = [tensor.clone() for replica in session.replicas for tensor in replica.network.state_dict().values()]
        seen.append((losses, session.step.gradient_norm().clone(), *states))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": {"name": "sgd", "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}},
        {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
        {"optimizer": "adam", "loss": "huber", "schedule": {"name": "cosine", "warmup_epochs": 1}},
        {"optimizer": {"name": "adamw", "amsgrad": True}, "loss": "mae", "schedule": "step"},
        {"optimizer": {"name": "rmsprop", "centered": True}, "loss": {"name": "mse", "reduction": "sum"}},
        {"optimizer": {"name": "adagrad", "lr_decay": 0.1}, "precision": "float64"},
        {"optimizer": "adam", "schedule": "reduce_on_plateau"},
        {"model": {"name": "mlp", "hidden": [8, 6], "batch_norm": True, "dropout": 0.3}, "batch_size": 20},
        # Stacked seeds have no eager counterpart; these are trained one by one, because their rates may differ.
        {
            "model": {"name": "mlp", "hidden": [8], "dropout": 0.5},
            "seeds": 2,
            "optimizer": "adamax",
            "schedule": "reduce_on_plateau",
            "batch_size": 7,
        },
        {"model": {"name": "mlp", "hidden": [8, 8, 8], "activation": "gelu"}, "batch_size": "full", "epochs": 9},
        {"dataset": SPIRALS, "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced"}},
        {"dataset": SPIRALS, "loss": "mse", "model": {"name": "mlp", "output": "softmax", "activation": "elu"}},
        {"dataset": MOONS, "loss": {"name": "bce", "class_weights": [1, 3]}, "optimizer": "adam"},
        {"dataset": MOONS, "loss": "mse", "model": {"name": "linear", "output": "sigmoid"}, "drop_last": True},
        {"dataset": IMAGES, "loss": "cross_entropy", "model": CNN, "optimizer": "adam"},
        {"dataset": MOONS, "loss": "bce", "precision": "bf16"},
    ],
    ids=str,
)
def test_every_step_has_the_bits_of_the_eager_one(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    """None of these matrices is large enough for a kernel of its own, so the very same kernels run."""
    config = {**REGRESSION, **changes}
    recorded = steps_of(laboratory, config, "recorded")
    eager = steps_of(laboratory, {**config, "step": "eager"}, "eager")
    assert len(recorded) == len(eager) >= 9
    for number, (one, other) in enumerate(zip(recorded, eager, strict=True), 1):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), f"step {number}"


def wide(batch_size: int, **changes: Any) -> dict[str, Any]:
    """A config whose products are large: 300 x 300 weights, of which plain sgd never writes the gradient down."""
    return {
        **REGRESSION,
        "dataset": {"name": "synthetic_regression", "samples": 4 * batch_size, "features": 300},
        "model": {"name": "mlp", "hidden": [300, 200]},
        "batch_size": batch_size,
        "epochs": 1,
        **changes,
    }


@pytest.fixture(params=[True, False], ids=["oneDNN", "BLAS"])
def one_dnn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both kinds of processors, on any."""
    monkeypatch.setattr(products, "one_dnn_is_faster", lambda: request.param)
    return bool(request.param)


@pytest.mark.usefixtures("one_dnn")
@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.9}])
@pytest.mark.parametrize("batch_size", [40, 64, 100, 300])
def test_with_large_matrices_each_step_agrees_to_1e_6(laboratory: Laboratory, batch_size: int, optimizer: Any) -> None:
    """Other kernels add up in another order. From the same weights one step moves them by the same up to 1e-6 of the
    largest weight; over steps the differences add up, so only the first of a fresh run is looked at."""
    config = wide(batch_size, optimizer=optimizer)
    recorded = steps_of(laboratory, config, "recorded")
    eager = steps_of(laboratory, {**config, "step": "eager"}, "eager")
    assert not all(torch.equal(a, b) for a, b in zip(recorded[0], eager[0], strict=True)), "the same kernels have run"
    for a, b in zip(recorded[0], eager[0], strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-6 * float(b.abs().max()))


@pytest.mark.usefixtures("one_dnn")
@pytest.mark.parametrize(
    ("changes", "deferred"),
    [
        ({}, 2),
        ({"model": {"name": "mlp", "hidden": [300, 40]}}, 1),  # 40 x 300 by 300 x 40 is not worth a call
        ({"batch_size": 100}, 2),
        ({"optimizer": {"name": "sgd", "momentum": 0.9}}, 0),
        ({"optimizer": {"name": "sgd", "weight_decay": 0.1}}, 0),
        ({"optimizer": "adam"}, 0),
        ({"optimizer": "torch.optim:SGD"}, 0),  # somebody's own, which may leave weights out
        ({"precision": "float64"}, 0),
        ({"precision": "bf16"}, 0),
    ],
    ids=str,
)
def test_only_plain_descent_does_without_a_gradient(
    laboratory: Laboratory, changes: dict[str, Any], deferred: int
) -> None:
    config = {**wide(40), **changes}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "run") as session:
        session.begin_epoch()
        start, stop = next(session.remaining_batches())
        session.step(start, stop, session.rates(0))
        assert isinstance(session.step, RecordedStep)
        assert len(session.step.records[stop - start].descents) == deferred


def test_seeds_in_turn_have_the_norms_and_weights_of_lone_runs(laboratory: Laboratory) -> None:
    """Their records share memory, and the gradient whose norm is asked for is computed after all of them have run."""
    both = steps_of(laboratory, wide(40, seeds=2), "both")
    lone = [steps_of(laboratory, wide(40, seed=seed), f"seed-{seed}") for seed in (0, 1)]
    for number, (losses, norms, *states) in enumerate(both):
        half = len(states) // 2
        for seed, mine in enumerate((states[:half], states[half:])):
            loss, norm, *expected = lone[seed][number]
            assert torch.equal(losses[seed], loss[0])
            assert torch.equal(norms[seed], norm[0])
            assert all(torch.equal(a, b) for a, b in zip(mine, expected, strict=True))


@pytest.mark.parametrize(
    "model",
    [
        {**CNN_AVERAGED, "batch_norm": True, "dropout": 0.2},
        {"name": "cnn", "layers": FEW_CHANNELS, "dropout": 0.2},  # convolutions as products
        {"name": "cnn", "layers": FEW_CHANNELS, "activation": "tanh"},
    ],
    ids=str,
)
def test_with_images_in_slices_each_step_agrees_to_1e_6(laboratory: Laboratory, model: Any) -> None:
    """Windows are added up in another order than torch's; see above."""
    config = {**REGRESSION, "dataset": IMAGES, "loss": "cross_entropy", "model": model, "epochs": 1}
    recorded = steps_of(laboratory, config, "recorded")
    eager = steps_of(laboratory, {**config, "step": "eager"}, "eager")
    for a, b in zip(recorded[0], eager[0], strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-6 * max(1.0, float(b.abs().max())))


def test_a_rate_of_each_step_reaches_the_optimizer(laboratory: Laboratory) -> None:
    """A rate baked into the record would make the second half of the run repeat the first's."""
    half = {"name": "step", "every": 1, "gamma": 0.5}
    with_schedule = steps_of(laboratory, {**REGRESSION, "schedule": half}, "scheduled")
    without = steps_of(laboratory, REGRESSION, "constant")
    steps_per_epoch = len(without) // REGRESSION["epochs"]
    first = slice(0, steps_per_epoch)
    assert all(torch.equal(a[2], b[2]) for a, b in zip(with_schedule[first], without[first], strict=True))
    after, before = with_schedule[steps_per_epoch][2], with_schedule[steps_per_epoch - 1][2]
    full = without[steps_per_epoch][2]
    assert torch.allclose(after - before, (full - before) / 2, rtol=1e-3, atol=1e-7)


def test_a_run_of_recorded_steps_leaves_the_run_of_eager_ones(laboratory: Laboratory) -> None:
    """History, checkpoint and random state at the end, early stopping and best epoch included."""
    config = {
        **REGRESSION,
        "dataset": MOONS,
        "model": {"name": "mlp", "hidden": [16], "batch_norm": True, "dropout": 0.1},
        "loss": "bce",
        "optimizer": "adam",
        "early_stopping": 2,
        "epochs": 12,
    }
    recorded = laboratory.start(config)
    eager = laboratory.start({**config, "step": "eager"})
    a, b = newest(recorded).tensors, newest(eager).tensors
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        np.testing.assert_array_equal(tensor, b[name], err_msg=name)
    assert rows(recorded) == rows(eager)


OWN_MODELS = """
import torch
from torch import nn


class LowRank(nn.Module):  # the gradient of each factor is a product with the other
    def __init__(self, input_shape, output_size):
        super().__init__()
        self.a = nn.Parameter(torch.randn(300, 300) / 20)
        self.b = nn.Parameter(torch.randn(300, 300) / 20)
        self.last = nn.Linear(300, output_size)

    def forward(self, inputs):
        return self.last(torch.relu(inputs @ (self.a @ self.b)))


class Sliced(LowRank):  # its weights are a part of a larger matrix
    def forward(self, inputs):
        hidden = nn.functional.linear(inputs, torch.cat([torch.ones(100, 300), self.a]))[:, 100:]
        return self.last(torch.relu(hidden @ self.b))


class Across(LowRank):  # square, and stored transposed
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.a = nn.Parameter(torch.randn(300, 300).t() / 20)

    def forward(self, inputs):
        return self.last(torch.relu(inputs @ self.a @ self.b))
"""


@pytest.mark.parametrize("model", ["LowRank", "Sliced", "Across"])
def test_models_of_ones_own_with_large_matrices_agree_too(laboratory: Laboratory, model: str) -> None:
    """To 1e-5 over a few steps; a gradient taken from weights that have moved, or another's, is off by a tenth."""
    (laboratory.folder / "own_models.py").write_text(OWN_MODELS)
    config = wide(64, model=f"own_models:{model}", learning_rate=0.001)
    recorded = steps_of(laboratory, {**config, "step": "recorded"}, "recorded")
    eager = steps_of(laboratory, {**config, "step": "eager"}, "eager")
    for one, other in zip(recorded[:3], eager[:3], strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-5 * float(b.abs().max()))


def test_a_gradient_that_two_weights_share_moves_both() -> None:
    """Of the sum of two matrices autograd gives one tensor as the gradient of each."""
    draw = torch.Generator().manual_seed(0)
    inputs, first, second = (torch.randn(shape, generator=draw) for shape in ((32, 200), (128, 200), (128, 200)))
    weights = [first.requires_grad_(), second.requires_grad_()]

    def gradients() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((inputs @ (weights[0] + weights[1]).t()).square().sum(), weights)

    recording = Recording(gradients, defer=descent.may_be_deferred(weights))
    moved = descent.descents(recording.deferred, weights, recording.outputs)
    assert sorted(moved) == [0, 1]
    before, expected = [weight.detach().clone() for weight in weights], gradients()
    recording.replay()
    for each in moved.values():
        each.update(0.5)
    for weight, old, gradient in zip(weights, before, expected, strict=True):
        torch.testing.assert_close(weight.detach(), old - 0.5 * gradient, rtol=1e-5, atol=1e-2)
