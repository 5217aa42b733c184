"""The worked examples of CONTRIBUTING.md: their changes are made in one copy, where every command knows what they add.

A component is one declaration, one function, one test. What the examples say to run is run, and the tables of other
tests are made from the declarations.
"""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Done, in_another_process
from tests.worked_examples import EXAMPLES, commands, copy_with

NUMBERS = """\
# The loss, the optimizer and the schedule that were added.
name: numbers
dataset: {name: synthetic_regression, samples: 60, features: 3}
model: {name: mlp, hidden: [4]}
loss: {name: charbonnier, eps: 0.01}
optimizer: {name: signsgd, momentum: 0.8}
learning_rate: 0.01
schedule: {name: inverse_root, every: 0.5}
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

ASKED = [shlex.split(command) for name in EXAMPLES for command in commands(name)]  # of the reader
TESTS = list(dict.fromkeys(word for words in ASKED if words[0] == "pytest" for word in words[1:]))
# More tests as they stand: their tables are made from the declarations.
TABLES = (
    "tests/catalog/test_declaration.py",
    "tests/components/losses/test_losses.py",
    "tests/components/test_optimizers.py",
    "tests/components/test_schedules.py",
    "tests/components/metrics/test_plain_losses.py",
    "tests/script/pytorch/test_program.py",
)
ADDED = ("charbonnier", "signsgd", "inverse_root", "checkerboard")
CHOSEN = " or ".join([*ADDED, "test_declaration", "test_plain_losses and regression"])
PYTEST = ("pytest", "-vv", "-p", "no:cacheprovider", "--assert=plain", "-n", "0")

COMMANDS = [
    ("train", "numbers.yaml", "--quiet"),
    ("train", "numbers.yaml", "--set", "loss=mse", "--quiet"),
    ("train", "classes.yaml", "--quiet"),
    ("check", "numbers.yaml"),
    ("check", "classes.yaml"),
    ("list", "losses"),
    ("list", "optimizers"),
    ("list", "schedules"),
    ("list", "datasets"),
    ("explain", "charbonnier"),
    ("explain", "signsgd"),
    ("explain", "inverse_root"),
    ("explain", "checkerboard"),
    ("compare", "last", "last~1"),
    ("compare", "last~1", "last~2", "--format", "json"),
    ("schema",),
    ("script", "numbers.yaml", "--as", "pytorch"),
    ("script", "classes.yaml", "--as", "pytorch"),
    ("script", "classes.yaml", "--as", "keras"),
    *(tuple(words[1:]) for words in ASKED if words[0] == "lossrun"),
    (*PYTEST, *TESTS),
    (*PYTEST, *TABLES, "-k", CHOSEN),
]


# Runs programs, one after the other.
EACH = """
import runpy, sys
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="__main__")
    print("end")
"""


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
    folder = tmp_path_factory.mktemp("copy") / "lossrun"
    copy_with(list(EXAMPLES), folder)
    (folder / "numbers.yaml").write_text(NUMBERS)
    (folder / "classes.yaml").write_text(CLASSES)
    # Tests that need the real MNIST are not what is tried here: without CI they are skipped.
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    environment.pop("CI", None)
    return Copy(folder, environment, in_another_process(COMMANDS, folder, environment))


def test_there_is_an_example_of_each_kind() -> None:
    kinds = ["A loss", "An optimizer", "A schedule", "A dataset", "A lint rule", "A config key", "A command"]
    assert list(EXAMPLES) == [*kinds, "A report format"]
    for name, blocks in EXAMPLES.items():
        tests = [block.place for block in blocks if block.kind == "file" and block.place.startswith("tests/")]
        assert tests or name == "A lint rule", name  # the tests of rules take their examples
        assert len(commands(name)) >= 2
    assert {words[0] for words in ASKED} == {"pytest", "lossrun"}


@pytest.mark.parametrize("place", range(len(COMMANDS)), ids=[" ".join(arguments[:4]) for arguments in COMMANDS])
def test_every_command_works_and_knows_them(copy: Copy, place: int) -> None:
    done = copy.done[place]
    assert done.code == 0, done.err.decode() or done.out.decode()[-3000:]


def test_lists_and_explanations_are_made_from_the_declarations(copy: Copy) -> None:
    assert "charbonnier" in copy.output("list", "losses")
    assert "signsgd" in copy.output("list", "optimizers")
    assert "inverse_root" in copy.output("list", "schedules")
    assert "checkerboard" in copy.output("list", "datasets")
    explained = copy.output("explain", "charbonnier")
    assert "sqrt(e^2 + eps^2) - eps" in explained
    assert "outliers" in explained
    assert "sign(m)" in copy.output("explain", "signsgd")
    assert "along each side" in copy.output("explain", "checkerboard")
    words = set(json.dumps(json.loads(copy.output("schema"))).split('"'))
    assert words >= {*ADDED}


def test_the_loss_scores_every_run_of_its_task(copy: Copy) -> None:
    found = json.loads(copy.output("compare", "last~1", "last~2", "--format", "json"))
    assert "charbonnier" in json.dumps(found)


def test_the_scripts_give_the_losses_of_the_runs(copy: Copy) -> None:
    configs = ["numbers.yaml", "classes.yaml"]
    for config in configs:
        (copy.folder / f"{config}.py").write_text(copy.output("script", config, "--as", "pytorch"))
    alone = {name: value for name, value in copy.environment.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", EACH, *(f"{config}.py" for config in configs)],
        cwd=copy.folder,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for config, said in zip(configs, result.stdout.split("end\n"), strict=False):
        run = next(one.out.decode().strip() for one in copy.done if one.arguments[:2] == ("train", config))
        rows = [json.loads(line) for line in (copy.folder / run / "history.jsonl").read_text().splitlines()]
        trained = [row["train_loss"] for row in rows if row["seed"] == 0]
        printed = [float(line.split("train_loss ")[1].split(",")[0]) for line in said.splitlines()[: len(trained)]]
        assert printed == pytest.approx(trained, rel=1e-4), config


def test_the_tests_of_every_component_cover_them(copy: Copy) -> None:
    tried = "".join(copy.output(*words) for words in COMMANDS if words[0] == "pytest")
    assert [name for name in ADDED if name not in tried] == []
