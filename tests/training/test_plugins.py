"""The user's own model, loss, optimizer and dataset, found beside the config."""

from pathlib import Path
from typing import Any

import pytest

from lossrun.errors import UsageError
from lossrun.records import recorded
from tests.training.conftest import Laboratory, assert_same_bits, newest, rows

MODULE = '''
import torch
from torch import nn
import lossrun


def net(input_shape, output_size, width=8):
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, output_size))


def squared(outputs, targets, power=2):
    return (outputs - targets).abs().pow(power).mean(dim=1)


class Learned(nn.Module):
    """A loss with a weight of its own: Gaussian negative log-likelihood with one learned log-variance."""

    def __init__(self, start=0.0):
        super().__init__()
        self.log_variance = nn.Parameter(torch.tensor(float(start)))

    def forward(self, outputs, targets):
        return ((outputs - targets).square() / self.log_variance.exp() + self.log_variance).mean(dim=1) / 2


def optimizer(params, lr, momentum=0.5):
    return torch.optim.SGD(params, lr=lr, momentum=momentum)


def data(samples=50):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples, 2, generator=generator)
    return lossrun.Dataset(train=(inputs, inputs @ torch.tensor([[1.0], [2.0]])), task="regression")


def scalar(outputs, targets):
    return (outputs - targets).square().mean()


def flat(outputs, targets):
    return torch.ones(len(outputs))


class Hooked(torch.optim.SGD):
    """Sets all weights to 0.5 after every update."""

    def __init__(self, params, lr):
        super().__init__(params, lr=lr, fused=True)
        self.register_step_post_hook(self.hook)

    def hook(self, optimizer, args, kwargs):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.fill_(0.5)


def looks(outputs, targets):
    losses = (outputs - targets).square().mean(dim=1)
    return losses if losses.max() > 1 else 2 * losses


def counts(outputs, targets, calls=[0]):
    calls[0] += 1
    return (1 + 1 / calls[0]) * (outputs - targets).square().mean(dim=1)


def broken(outputs, targets):
    raise RuntimeError("no such luck")
'''
CONFIG: dict[str, Any] = {
    "dataset": {"name": "own:data", "samples": 60, "test": 0.2},
    "model": {"name": "own:net", "width": 6},
    "loss": {"name": "own:squared", "power": 2},
    "optimizer": {"name": "own:optimizer", "momentum": 0.9},
    "learning_rate": 0.01,
    "epochs": 4,
    "batch_size": 8,
}


@pytest.fixture
def own(laboratory: Laboratory) -> Laboratory:
    (laboratory.folder / "own.py").write_text(MODULE)
    return laboratory


def test_all_four_train_and_resume_exactly(own: Laboratory) -> None:
    whole = own.start(CONFIG)
    assert recorded.load(whole.path).status == "finished"
    assert rows(whole)[-1]["train_loss"] < rows(whole)[0]["train_loss"]
    stopped = own.start(CONFIG, stop_at=9)
    own.resume(stopped)
    assert_same_bits(whole, stopped)


def test_a_change_of_the_users_code_is_told(own: Laboratory) -> None:
    run = own.start(CONFIG, stop_at=5)
    told: list[str] = []
    own.resume(run, stop_at=7, note=told.append)
    assert told == []
    module = own.folder / "own.py"
    module.write_text(module.read_text() + "# changed\n")
    own.resume(run, note=told.append)
    assert len(told) == 1
    assert "code own " in told[0]


def test_the_users_loss_is_the_same_as_ours_of_that_formula(own: Laboratory) -> None:
    """abs(x)^2 with the mean over outputs is mse, so every row must agree to rounding."""
    theirs, ours = own.start(CONFIG), own.start({**CONFIG, "loss": "mse"})
    for one, other in zip(rows(theirs), rows(ours), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
        assert one["val_mse"] == pytest.approx(other["val_mse"], rel=1e-5)


def test_a_loss_may_learn_and_its_weights_are_in_the_checkpoint(own: Laboratory) -> None:
    config = {**CONFIG, "loss": {"name": "own:Learned", "start": 0.5}, "seeds": 2}
    whole = own.start(config)
    learned = newest(whole).tensors["loss.loss.log_variance"]
    assert learned.shape == (2,)
    assert (learned != 0.5).all()
    stopped = own.start(config, stop_at=9)
    own.resume(stopped)
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "own:nett"}, "has no nett; did you mean net?"),
        ({"model": "owl:net"}, "there is no module owl"),
        ({"model": {"name": "own:net", "widht": 3}}, "there is no parameter widht; did you mean width?"),
        ({"loss": "own:scalar"}, "expected one value per sample"),
        ({"loss": "own:broken"}, "failed on a first batch: RuntimeError: no such luck"),
        ({"loss": "own:flat"}, "loss: own:flat failed on a first batch: RuntimeError: element 0 of tensors"),
        ({"optimizer": "own:net"}, "optimizer: own:net"),
    ],
)
def test_mistakes_are_told_before_a_run_exists(own: Laboratory, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        own.start({**CONFIG, **changes})
    assert message in str(raised.value)
    assert not (Path(own.folder) / "runs").exists()


def test_hooks_of_an_optimizer_are_called(own: Laboratory) -> None:
    run = own.start({**CONFIG, "optimizer": "own:Hooked"})
    for name, tensor in newest(run).tensors.items():
        if name.startswith("model."):
            assert (tensor == 0.5).all(), name


def test_a_recorded_model_of_ones_own_is_the_eager_one(own: Laboratory) -> None:
    recorded_run = own.start({**CONFIG, "step": "recorded"})
    assert recorded.load(recorded_run.path).environment["step"] == "recorded"
    assert rows(recorded_run) == rows(own.start(CONFIG))


@pytest.mark.parametrize("loss", ["own:looks", "own:counts"])
def test_what_cannot_be_recorded_is_refused_before_the_run(own: Laboratory, loss: str) -> None:
    with pytest.raises(UsageError, match=r"step: recorded, but .*leave step out"):
        own.start({**CONFIG, "loss": loss, "step": "recorded"})
    assert not (own.folder / "runs").exists()
    own.start({**CONFIG, "loss": loss})
