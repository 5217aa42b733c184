"""The user's own model, loss, optimizer and dataset, found next to the config."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import from_mapping
from lossrun.errors import UsageError
from lossrun.experiment import load_experiment
from lossrun.records import recorded
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.conftest import made_elsewhere
from tests.training.conftest import REGRESSION, SPIRALS, Laboratory, assert_same_bits, newest, rows

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


def noisy(outputs, targets):
    return (outputs - targets + 0.1 * torch.randn_like(outputs)).square().mean(dim=1)


class Wandering(torch.optim.SGD):
    """Adds noise to the weights after every update."""

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.add_(torch.randn_like(weight), alpha=1e-3)


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


@pytest.mark.parametrize("draws", [{"loss": "own:noisy"}, {"optimizer": "own:Wandering"}], ids=str)
def test_each_seed_has_the_random_numbers_of_a_lone_run(own: Laboratory, draws: dict[str, Any]) -> None:
    config = {**REGRESSION, **draws}
    alone = own.start({**config, "seed": 1})
    together = own.start({**config, "seeds": 2})
    stopped = own.start({**config, "seeds": 2}, stop_at=9)
    own.resume(stopped)
    assert_same_bits(together, stopped)
    learned = ("epoch", "train_loss", "val_mse", "grad_norm")  # in validation, such a loss draws again
    assert [[row[key] for key in learned] for row in rows(together) if row["seed"] == 1] == [
        [row[key] for key in learned] for row in rows(alone)
    ]


def test_all_four_train_and_resume_exactly(own: Laboratory) -> None:
    whole = own.start(CONFIG)
    assert recorded.load(whole.path).status == "finished"
    assert rows(whole)[-1]["train_loss"] < rows(whole)[0]["train_loss"]
    stopped = own.start(CONFIG, stop_at=9)
    own.resume(stopped)
    assert_same_bits(whole, stopped)


def test_the_source_of_all_four_is_kept_with_what_they_import(own: Laboratory) -> None:
    (own.folder / "own_loss.py").write_text("from own_shape import squared\n")
    (own.folder / "own_shape.py").write_text("def squared(o, t): return (o - t).square().mean(dim=1)\n")
    run = own.start({**CONFIG, "loss": "own_loss:squared", "epochs": 1})

    def digest(module: str) -> str:
        return hashlib.sha256((own.folder / f"{module}.py").read_bytes()).hexdigest()[:16]

    code = recorded.load(run.path).environment["code"]
    assert code == {
        "own": {"own": digest("own")},
        "own_loss": {"own_loss": digest("own_loss"), "own_shape": digest("own_shape")},
    }
    assert list(code) == sorted(code)
    plain = own.start(
        {**CONFIG, "dataset": "synthetic_regression", "model": "linear", "loss": "mse", "epochs": 1}
        | {"optimizer": "sgd"}
    )
    assert recorded.load(plain.path).environment["code"] is None


def test_a_change_of_the_users_code_is_told(own: Laboratory) -> None:
    (own.folder / "own_sibling.py").write_text("import own_inner\nfrom own import squared\n")
    inner = own.folder / "own_inner.py"
    inner.write_text("value = 1\n")
    run = own.start({**CONFIG, "loss": "own_sibling:squared"}, stop_at=5)
    told: list[str] = []
    own.resume(run, stop_at=7, note=told.append)
    assert told == []
    before = hashlib.sha256(inner.read_bytes()).hexdigest()[:16]
    inner.write_text("value = 2\n")
    after = hashlib.sha256(inner.read_bytes()).hexdigest()[:16]
    own.resume(run, note=told.append)
    assert told == [
        f"not bit for bit what an uninterrupted run would give: code own_inner {before} -> own_inner {after}"
    ]


@pytest.mark.parametrize("changed", [False, True])
def test_a_run_of_an_older_version_knows_its_modules_as_one_text(own: Laboratory, changed: bool) -> None:
    (own.folder / "own_sibling.py").write_text("from own_inner import squared\n")
    (own.folder / "own_inner.py").write_text("def squared(o, t): return (o - t).square().mean(dim=1)\n")
    run = own.start({**CONFIG, "loss": "own_sibling:squared"}, stop_at=5)
    facts = json.loads(run.run_json.read_text())
    digest = facts["code"]["own_sibling"]["own_sibling"]
    old = "f" * 16 if changed else digest
    facts["code"] = f"own {facts['code']['own']['own']}, own_sibling {old}"
    made_elsewhere(run, **facts)
    told: list[str] = []
    own.resume(run, note=told.append)
    assert [text.partition(": code ")[2] for text in told] == [f"own_sibling {old} -> own_sibling {digest}"] * changed


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
        ({"model": {"name": "own:net", "width": -1}}, "it was called with input_shape=(2,), output_size=1, width=-1"),
        ({"optimizer": "own:net"}, "optimizer: own:net"),
        (
            {"loss": "own:scalar"},
            "own:scalar gives shape () for outputs of shape (8, 1); expected one value per sample",
        ),
        ({"loss": "own:broken"}, "loss: own:broken failed on a first batch: RuntimeError: no such luck ("),
        ({"loss": "own:broken"}, f"own.py:{MODULE[: MODULE.index('raise RuntimeError')].count(chr(10)) + 1})"),
        ({"loss": "own:flat"}, "loss: own:flat has no gradient with respect to the outputs"),
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


def test_what_cannot_be_recorded_is_refused_before_the_run(own: Laboratory) -> None:
    with pytest.raises(UsageError, match=r"step: recorded, but .*leave step out"):
        own.start({**CONFIG, "loss": "own:looks", "step": "recorded"})
    assert not (own.folder / "runs").exists()
    own.start({**CONFIG, "loss": "own:looks"})


def test_a_loss_that_counts_its_calls_is_refused(own: Laboratory) -> None:
    """A resumed run would begin to count again."""
    with pytest.raises(UsageError, match=r"loss own:counts .*keeps state that a checkpoint does not hold"):
        own.start({**CONFIG, "loss": "own:counts"})


COUNTING = """
import torch
import torch.nn.functional as F
from torch import nn


class Counting(nn.Module):  # learns, in a way, whenever it is in training mode
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, outputs, targets):
        if self.training:
            self.seen += len(targets)
        return F.cross_entropy(outputs, targets, reduction="none")
"""


def test_a_loss_with_a_state_learns_from_training_alone(laboratory: Laboratory) -> None:
    """Neither from the first trial, nor from validation and test; 3 classes are one outcome, not three to sum over."""
    (laboratory.folder / "counting_loss.py").write_text(COUNTING)
    config = {
        **REGRESSION,
        "dataset": SPIRALS,
        "loss": {"name": "counting_loss:Counting", "reduction": "sum"},
        "learning_rate": 1e-4,
        "epochs": 2,
        "step": "eager",
    }
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        (replica,) = session.replicas
        assert replica.objective.factor(16) == 16
        assert replica.objective.get_buffer("loss.seen") == 0
        laboratory.drain(session, None)
        assert replica.objective.get_buffer("loss.seen") == 2 * len(replica.parts.train)
