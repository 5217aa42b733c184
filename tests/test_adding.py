"""A component is one declaration, one function, one test: a loss, an optimizer and a dataset are added to a copy of the
package in that way, and every command knows them.

The snippets are the worked examples of CONTRIBUTING.md.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Done, in_another_process

ROOT = Path(__file__).parents[1]

# At the end of REGRESSION_LOSSES in catalog/losses/regression.py.
LOSS_DECLARATION = """\
    Loss(
        name="charbonnier",
        meaning="mean absolute error, rounded off near 0",
        formula="mean over K of sqrt(e^2 + eps^2) - eps",
        when="When outliers must not dominate and a smooth gradient helps. eps is the error below which it is "
        "quadratic.",
        source="Charbonnier and others 1994, Two deterministic half-quadratic regularization algorithms",
        parameters=(
            Parameter("eps", float, 0.001, "where it turns linear", unit="target units", above=0),
            REDUCTION,
        ),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        units="targets",
    ),
"""

# In components/losses/regression.py.
LOSS_FUNCTION = '''

def charbonnier(outputs: Tensor, targets: Tensor, *, eps: float = 0.001) -> Tensor:
    """Mean over K of sqrt(e^2 + eps^2) - eps, in [0, inf). eps: above 0, in units of the target.

    Source: Charbonnier and others 1994, Two deterministic half-quadratic regularization algorithms.
    """
    errors = outputs - same_shape(outputs, targets)
    return ((errors.square() + eps**2).sqrt() - eps).mean(dim=1)
'''

# At the end of OPTIMIZERS in catalog/optimizers.py.
OPTIMIZER_DECLARATION = """\
    Optimizer(
        name="signsgd",
        meaning="steps by the sign of the gradient's running mean, all weights by the same amount",
        formula="w - rate sign(m), m = momentum m + (1 - momentum) g",
        when="Gradients of very different sizes. The steps never shrink by themselves: let the rate fall.",
        source="Bernstein and others 2018, signSGD: Compressed Optimisation for Non-Convex Problems",
        parameters=(Parameter("momentum", float, 0.9, "share of the last mean kept", at_least=0, below=1),),
        elementwise=True,
        usual_rates=(1e-5, 0.1),
        keeps=1,
    ),
"""

# In components/optimizers/not_in_torch.py.
OPTIMIZER_FUNCTION = '''

class SignSGD(optim.Optimizer):
    """w <- w - lr sign(m), m <- momentum m + (1 - momentum) g."""

    def step(self, closure: Any = None) -> None:
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    mean = self.state[weight].setdefault("mean", weight.new_zeros(weight.shape))
                    mean.lerp_(weight.grad, 1 - group["momentum"])
                    weight.data.add_(mean.sign(), alpha=-group["lr"])


def signsgd(weights: Iterable[Tensor], lr: float, *, momentum: float = 0.9) -> optim.Optimizer:
    """Steps by the sign of the gradient's running mean. Source: Bernstein and others 2018."""
    return SignSGD(weights, {"lr": lr, "momentum": momentum})
'''

# At the end of DATASETS in catalog/datasets.py.
DATASET_DECLARATION = """\
    DatasetDeclaration(
        name="checkerboard",
        meaning="points in a square, their class the colour of the field",
        parameters=(
            SAMPLES,
            Parameter("fields", int, 4, "along each side", at_least=2),
            SEED,
            *SPLITS,
        ),
        tasks=("binary",),
        task="binary",
    ),
"""

# In data/sources/generated.py.
DATASET_FUNCTION = '''
import numpy as np

from lossrun.data.samples.dataset import Dataset


def checkerboard(*, samples: int, fields: int, seed: int) -> Dataset:
    """Points uniform on the unit square; class 1 on every other field."""
    points = np.random.default_rng(seed).random((samples, 2))
    colours = np.floor(points * fields).sum(axis=1) % 2
    return Dataset(train=(points, colours), task="binary")
'''

# File, what is put before its last line, what is added at its end.
ADDITIONS = [
    ("catalog/losses/regression.py", LOSS_DECLARATION, ""),
    ("components/losses/regression.py", "", LOSS_FUNCTION),
    ("catalog/optimizers.py", OPTIMIZER_DECLARATION, ""),
    ("components/optimizers/not_in_torch.py", "", OPTIMIZER_FUNCTION),
    ("catalog/datasets.py", DATASET_DECLARATION, ""),
    ("data/sources/generated.py", "", DATASET_FUNCTION),
]

NUMBERS = """\
# The loss and the optimizer that were added.
name: numbers
dataset: {name: synthetic_regression, samples: 60, features: 3}
model: {name: mlp, hidden: [4]}
loss: {name: charbonnier, eps: 0.01}
optimizer: {name: signsgd, momentum: 0.8}
learning_rate: 0.01
epochs: 2
seeds: 2
device: cpu
"""
CLASSES = """\
# The dataset that was added.
name: classes
dataset: {name: checkerboard, samples: 60, fields: 2}
model: {name: mlp, hidden: [4]}
loss: binary_cross_entropy
optimizer: adam
learning_rate: 0.01
epochs: 2
device: cpu
"""

COMMANDS = [
    ("train", "numbers.yaml", "--quiet"),
    ("train", "numbers.yaml", "--set", "loss=mse", "--quiet"),
    ("train", "classes.yaml", "--quiet"),
    ("check", "numbers.yaml"),
    ("check", "classes.yaml"),
    ("list", "losses"),
    ("list", "optimizers"),
    ("list", "datasets"),
    ("explain", "charbonnier"),
    ("explain", "signsgd"),
    ("explain", "checkerboard"),
    ("compare", "last", "last~1"),
    ("compare", "last~1", "last~2", "--format", "json"),
    ("schema",),
    ("script", "numbers.yaml", "--as", "pytorch"),
    ("script", "classes.yaml", "--as", "pytorch"),
]


@dataclass(frozen=True)
class Copy:
    """`folder`: holds the copied package; `done`: every command, in order."""

    folder: Path
    environment: dict[str, str]
    done: list[Done]

    def output(self, *arguments: str) -> str:
        return next(one.out.decode() for one in self.done if one.arguments == arguments)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "lossrun", folder / "lossrun", ignore=shutil.ignore_patterns("__pycache__"))
    for name, declaration, function in ADDITIONS:
        path = folder / "lossrun" / name
        text = path.read_text(encoding="utf-8")
        if declaration:
            assert text.endswith("),\n)\n"), f"{name} no longer ends with the declarations"
            text = text[: -len(")\n")] + declaration + ")\n"
        path.write_text(text + function, encoding="utf-8")
    (folder / "numbers.yaml").write_text(NUMBERS)
    (folder / "classes.yaml").write_text(CLASSES)
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    return Copy(folder, environment, in_another_process(COMMANDS, folder, environment))


@pytest.mark.parametrize("place", range(len(COMMANDS)), ids=[" ".join(arguments) for arguments in COMMANDS])
def test_every_command_knows_them(copy: Copy, place: int) -> None:
    done = copy.done[place]
    assert done.code == 0, done.err.decode()


def test_lists_and_explanations_are_made_from_the_declarations(copy: Copy) -> None:
    assert "charbonnier" in copy.output("list", "losses")
    assert "signsgd" in copy.output("list", "optimizers")
    assert "checkerboard" in copy.output("list", "datasets")
    explained = copy.output("explain", "charbonnier")
    assert "sqrt(e^2 + eps^2) - eps" in explained
    assert "outliers" in explained
    assert "sign(m)" in copy.output("explain", "signsgd")
    assert "along each side" in copy.output("explain", "checkerboard")
    assert {"charbonnier", "signsgd", "checkerboard"} <= set(json.dumps(json.loads(copy.output("schema"))).split('"'))


def test_the_loss_scores_every_run_of_its_task(copy: Copy) -> None:
    found = json.loads(copy.output("compare", "last~1", "last~2", "--format", "json"))
    assert "charbonnier" in json.dumps(found)


@pytest.mark.parametrize("config", ["numbers.yaml", "classes.yaml"])
def test_the_script_gives_the_losses_of_the_run(copy: Copy, config: str) -> None:
    (copy.folder / "experiment.py").write_text(copy.output("script", config, "--as", "pytorch"))
    alone = {name: value for name, value in copy.environment.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "experiment.py"], cwd=copy.folder, env=alone, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    run = next(one.out.decode().strip() for one in copy.done if one.arguments[:2] == ("train", config))
    rows = [json.loads(line) for line in (copy.folder / run / "history.jsonl").read_text().splitlines()]
    trained = [row["train_loss"] for row in rows if row["seed"] == 0]
    printed = [float(line.split("train_loss ")[1].split(",")[0]) for line in result.stdout.splitlines()[: len(trained)]]
    assert printed == pytest.approx(trained, rel=1e-4)


def test_the_tests_of_every_component_cover_them(copy: Copy) -> None:
    """The tests as they stand, run on the copy: their tables are made from the declarations."""
    shutil.copytree(ROOT / "tests", copy.folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy.folder)
    files = [
        "tests/catalog/test_declaration.py",
        "tests/components/test_lookup.py",
        "tests/components/losses/test_losses.py",
        "tests/components/test_optimizers.py",
        "tests/components/metrics/test_plain_losses.py",
        "tests/data/test_facts.py",
        "tests/script/pytorch/test_program.py",
    ]
    names = "charbonnier or signsgd or checkerboard or test_declaration or test_plain_losses and regression"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-n", "0", *files, "-k", names],
        cwd=copy.folder,
        env=copy.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert all(name in result.stdout for name in ("charbonnier", "signsgd", "checkerboard"))
