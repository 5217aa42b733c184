"""The command line of the search for a learning rate. What it finds is tested in tests/sweeping."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow
CONFIG = """\
dataset: {name: synthetic_regression, samples: 60, features: 3}
model: linear
loss: mse
optimizer: sgd
learning_rate: 0.01
epochs: 4
sweep: {loss: [mse, mae]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_it_suggests_and_leaves_nothing_behind(lossrun: Run, config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = lossrun("find-lr", str(config), "--output", "curve.svg")
    assert found.code == 0, found.err
    (rate,) = re.findall(r"^suggestion: learning_rate ([\d.e+-]+)$", found.out, re.MULTILINE)
    assert "val_rmse: lower is better" in found.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "curve.svg"]
    assert config.read_text() == CONFIG
    assert lossrun("find-lr", str(config), "--quiet").out == f"{float(rate):g}\n"
    (train,) = re.findall(r"^  lossrun (train .+)$", found.err, re.MULTILINE)
    assert f"learning_rate={rate}" in train
    assert lossrun(*train.split(), "--quiet").code == 0
    (sweep,) = re.findall(r"^  lossrun (sweep .+)$", found.err, re.MULTILINE)
    assert lossrun(*sweep.split(), "--dry-run").code == 0


@pytest.mark.parametrize(
    "changes",
    [
        ["dataset.validation=0"],  # nothing to tune by
        ["learning_rate=1e9", "sweep.learning_rate=[1, 2]"],  # what is searched for is not kept
        ["sweep=null", "splits=3"],
    ],
    ids=str,
)
def test_the_commands_that_it_prints_are_accepted(
    lossrun: Run, config: Path, tmp_path: Path, changes: list[str]
) -> None:
    found = lossrun("find-lr", str(config), *(f"--set={one}" for one in changes))
    assert found.code == 0, found.err
    train, sweep = re.findall(r"^  lossrun (.+)$", found.err, re.MULTILINE)
    assert "1e9" not in train + sweep
    assert lossrun("check", *shlex.split(train)[1:]).code == 0
    tried = lossrun(*shlex.split(sweep), "--dry-run")
    assert tried.code == 0, tried.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "los=mse"), "did you mean loss"),
        (("--steps", "1000"), "the whole run takes"),
        (("--output", "curve.txt"), "expected one of .png, .svg, .pdf"),
        (("--set", "dataset=csv"), "path"),
        (("--set", "sweep.tune=val_accuracy"), "val_accuracy"),  # of another task
        (("--set", "sweep.tune.metric=3"), "expected the name of a metric"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(
    lossrun: Run, config: Path, options: tuple[str, ...], message: str
) -> None:
    refused = lossrun("find-lr", str(config), *options)
    assert refused.code == 2
    assert message in refused.err
    assert "Traceback" not in refused.err
