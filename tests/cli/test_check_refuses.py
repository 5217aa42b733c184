"""What `lossrun train` refuses before its first epoch, `lossrun check` refuses with the same words and exit code."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

OWN = """\
import numpy as np
import torch
from torch import nn

import lossrun


def good(outputs, targets):
    print("printed by a loss")
    return (outputs - targets).square().mean(1)


def scalar(outputs, targets):
    return (outputs - targets).square().mean()


def pairs(outputs, targets):
    return (outputs - targets[:, 0]).square().mean(1)


def raising(outputs, targets):
    raise RuntimeError("of its own")


def leaving(outputs, targets):
    raise SystemExit(3)


def asking(outputs, targets):
    return good(outputs, targets) * float(input())


def flat(outputs, targets):
    return good(outputs, targets).round() * 0


class NeedsModule:
    def __init__(self):
        raise ImportError("no such module")

    def __call__(self, outputs, targets):
        return good(outputs, targets)


class Net(nn.Module):
    def __init__(self, input_shape, output_size, width=1, lazy=False, frozen=False):
        super().__init__()
        self.head = nn.LazyLinear(output_size) if lazy else nn.Linear(input_shape[0], output_size * width)
        if frozen:
            self.head.requires_grad_(False)

    def forward(self, x):
        print("printed by a model")
        return self.head(x)


def number(input_shape, output_size):
    return 3


def one_argument(params):
    return torch.optim.SGD(params, lr=0.1)


def own_rate(params, lr):
    return torch.optim.SGD(params, lr=lr / 2)


def no_optimizer(params, lr):
    return params


def data(samples=30):
    print("printed by a dataset")
    inputs = np.arange(2.0 * samples).reshape(samples, 2) / 60
    return lossrun.Dataset(train=(inputs, inputs.sum(axis=1)), task="regression")


def uneven():
    return lossrun.Dataset(train=(np.ones((3, 2)), np.ones(4)), task="regression")


def broken():
    raise SystemExit("no data today")


def nothing():
    return None
"""
CONFIG = """\
dataset: {name: synthetic_regression, samples: 60, features: 3}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 1
"""
IMAGES = "dataset={name: digits}"
# What is changed -> exit code.
REFUSED: list[tuple[list[str], int]] = [
    *(([f"loss=own:{name}"], 2) for name in ("scalar", "pairs", "raising", "leaving", "asking", "flat", "missing")),
    (["loss=own:NeedsModule"], 2),
    (["loss=absent:good"], 2),
    (["loss={name: 'own:good', wrong: 1}"], 2),
    (["model={name: 'own:Net', width: 2}"], 2),
    (["model={name: 'own:Net', lazy: true}"], 2),
    (["model={name: 'own:Net', frozen: true}"], 2),
    (["model=own:number"], 2),
    (["optimizer=own:one_argument"], 2),
    (["optimizer=own:own_rate"], 2),
    (["optimizer=own:no_optimizer"], 2),
    *(([f"dataset=own:{name}"], 3) for name in ("uneven", "broken", "nothing")),
    (["dataset={name: 'own:data', samples: 1}"], 3),
    (["dataset=own:data", "loss=own:scalar"], 2),
    # The rules come first, and then the user's code: one message, the same in both.
    (["loss=own:scalar", "best=val_accuracy"], 2),
    (["device=cuda"], 2),
    (["device=mps"], 2),
    (["model={name: mlp, hidden: [4], init: {name: normal, std: 1e30}}"], 2),
    (["dataset={name: inline, inputs: [[1e30], [2], [3], [4]], targets: [1, 2, 3, 1e30]}"], 2),
    (
        [
            "dataset={name: inline, inputs: [[900], [-900], [700], [-700]], targets: [1, 2, 3, 4]}",
            "loss=poisson_nll",
            "model={name: linear, init: {name: constant, value: 1}}",
        ],
        2,
    ),
    (["best=val_msle"], 2),
    (
        [
            "early_stopping={metric: val_mape, patience: 2}",
            "dataset={name: inline, inputs: [[1],[2],[3],[4],[5],[6]], targets: [0, 0, 0, 2.5, 0, 0], validation: 2}",
        ],
        2,
    ),
    ([IMAGES, "loss={name: cross_entropy, class_weights: [1, 2]}"], 2),
    ([IMAGES, "loss=cross_entropy", "model={name: cnn, layers: [{name: conv, kernel: 31, padding: valid}]}"], 2),
    ([IMAGES, "loss=cross_entropy", "dataset.standardize={targets: true}"], 3),
    (["dataset={name: synthetic_regression, samples: 60, validation: 80}"], 3),
    (["dataset={name: csv, path: no.csv, target: y}"], 3),
    (["seeds=100000"], 2),
    (["batch_size=256", "drop_last=true"], 2),
    (["schedule=multi_step"], 2),
    (["optimizer={name: sgd, nesterov: true}"], 2),
    (["optimizer={name: adam, betas: [0.9]}"], 2),
    (["model.output=softmax"], 2),
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(("changes", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_check_refuses_what_train_refuses(lossrun: Run, config: Path, changes: list[str], code: int) -> None:
    options = [option for change in changes for option in ("--set", change)]
    trained = lossrun("train", "config.yaml", *options)
    checked = lossrun("check", "config.yaml", *options)
    assert trained.err.startswith("error: ") or "printed by" in trained.err + trained.out
    assert _errors(checked.err) == _errors(trained.err) != ""
    assert (checked.code, trained.code) == (code, code)
    assert checked.out == ""
    assert not (config.parent / "runs").exists()


def _errors(text: str) -> str:
    """From the first error on; before it stands what the user's code prints."""
    return text[text.index("error: ") :]


TRIED = {
    "loss=own:good": "loss own:good",
    "model=own:Net": "model own:Net",
    "dataset=own:data": "dataset own:data",
    "precision=bf16": "precision bf16",
}


@pytest.mark.parametrize("change", TRIED)
def test_check_says_what_it_tried(lossrun: Run, config: Path, change: str) -> None:
    result = lossrun("check", "config.yaml", "--set", change)
    assert result.code == 0
    assert f"note: tried on a batch, as `train` does before it starts: {TRIED[change]}" in result.err
    # stdout is the config and nothing else.
    assert "printed by" not in result.out
    (config.parent / "resolved.yaml").write_text(result.out)
    assert lossrun("check", "resolved.yaml").out == result.out


def test_a_plain_config_is_not_tried(lossrun: Run, config: Path) -> None:
    assert "tried on a batch" not in lossrun("check", "config.yaml").err


def test_the_layers_of_a_users_model_are_counted_in_check_and_train(lossrun: Run, config: Path) -> None:
    for command in ("check", "train"):
        result = lossrun(command, "config.yaml", "--set", "model=own:Net")
        assert result.code == 0
        # 3 inputs, 1 output: 3 weights and a bias.
        assert "own:Net, 4 parameters" in result.err
        assert ["head", "Linear", "1", "4"] in [line.split() for line in result.err.splitlines()]
        assert ["total", "4"] in [line.split() for line in result.err.splitlines()]
