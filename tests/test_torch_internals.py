"""Private parts of torch: all in one module, and training works without any of them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lossrun import torch_internals
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.torch_internals import DISPATCH_MODE, INTERNALS, SCHEMA, Internal
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin

PACKAGE = Path(torch_internals.__file__).parent
# Large enough for samples innermost, oneDNN and deferred products; all kinds of updates between them.
BLOBS: dict[str, Any] = {"name": "synthetic_classification", "kind": "blobs", "samples": 250, "classes": 4}
RUNS: list[dict[str, Any]] = [
    {"optimizer": "adam", "model": {"name": "mlp", "hidden": [200, 100], "dropout": 0.2}},
    {"optimizer": "sgd", "loss": "mse", "model": {"name": "mlp", "output": "softmax", "batch_norm": True}},
    {"optimizer": "muon", "model": {"name": "mlp", "hidden": [30, 20]}},
    {"optimizer": "adamw", "seeds": 3, "model": {"name": "mlp", "hidden": [20]}},
]


def weights_of(folder: Path, changes: dict[str, Any]) -> tuple[str, list[torch.Tensor]]:
    """The kind of step, and the weights after an epoch."""
    config = {"dataset": BLOBS, "loss": "cross_entropy", "learning_rate": 0.01, "epochs": 1, "batch_size": 64}
    examined = load_experiment(from_mapping({**config, **changes}, folder), folder)
    with begin(prepare(examined), folder / "runs") as session:
        for _ in train(session, lambda: None):
            pass
        return session.step.kind, [weight.detach().clone() for one in session.replicas for weight in one.weights]


class Expected(NamedTuple):
    """A run with all internals: its changes, the parts that it asked for, the kind of step, and the weights."""

    changes: dict[str, Any]
    asked: set[Internal]
    kind: str
    weights: list[torch.Tensor]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Expected]:
    found, find = [], torch_internals.find
    for changes in RUNS:
        asked: set[Internal] = set()
        torch_internals.without_compiler.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch_internals, "find", lambda one, asked=asked: (asked.add(one), find(one))[1])
            found.append(Expected(changes, asked, *weights_of(tmp_path_factory.mktemp("with"), changes)))
    return found


@pytest.fixture
def _no_classes_kept() -> Iterator[None]:
    torch_internals.without_compiler.cache_clear()
    yield
    torch_internals.without_compiler.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("_no_classes_kept")
@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_training_works_without_it(
    tmp_path: Path, expected: list[Expected], internal: Internal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights to 1e-5: another order of sums moves each step by about 1e-7 (see replay/batch_last.py).

    A run that does not ask for it is the same without it.
    """
    find = torch_internals.find
    assert find(internal) is not None, "this torch does not have it, so lossrun is slower than it need be"
    monkeypatch.setattr(torch_internals, "find", lambda one: None if one == internal else find(one))
    for changes, _, kind, weights in [run for run in expected if internal in run.asked] or expected:
        kind_now, weights_now = weights_of(tmp_path, changes)
        assert kind == "recorded"
        assert kind_now == ("eager" if internal in (DISPATCH_MODE, SCHEMA) else "recorded")
        for one, other in zip(weights, weights_now, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)


def test_every_part_says_what_it_is_for() -> None:
    assert all(one.purpose and one.otherwise for one in INTERNALS)
    assert len({one.name for one in INTERNALS}) == len(INTERNALS)


def private_names(source: str) -> Iterator[str]:
    """Modules and attributes that begin with one underscore, except for a class's own and names that Python gives."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = []
        yield from (name for name in names if name.startswith("torch") and "._" in name)
        own = isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls")
        if isinstance(node, ast.Attribute) and not own and node.attr[0] == "_" != node.attr[1]:
            yield ast.unparse(node)


@pytest.mark.parametrize("source", ["import torch._dynamo", "from torch.optim._muon import muon", "x = torch._C.f()"])
def test_private_names_are_found(source: str) -> None:
    assert list(private_names(source))


TORCH_ROOMS = ("components", "steps", "replay", "health", "training", "inference")


@pytest.mark.parametrize(
    "path",
    [path for room in TORCH_ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))],
    ids=lambda path: path.name,
)
def test_nothing_else_reaches_for_private_parts(path: Path) -> None:
    assert list(private_names(path.read_text(encoding="utf-8"))) == []
