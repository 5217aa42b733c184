"""Configs linted against stated facts, without loading data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import DataFacts, Task
from lossrun.config import read
from lossrun.errors import ConfigError
from lossrun.lint.check import check

USUAL = {"dataset": "own:data", "model": "mlp", "optimizer": "sgd", "learning_rate": "0.1"}


@pytest.fixture(scope="session")
def facts() -> Callable[..., DataFacts]:
    """Facts of 100 + 10 + 10 samples of four numbers."""

    def facts(
        task: Task,
        size: int | None = None,
        *,
        train: int = 100,
        validation: int = 10,
        input_shape: tuple[int, ...] = (4,),
        target_range: tuple[float, float] | None = None,
        least_magnitude: float | None = None,
        class_counts: tuple[int, ...] | None = None,
        **others: Any,
    ) -> DataFacts:
        size = size or {"regression": 1, "binary": 1, "multiclass": 10, "multilabel": 5}[task]
        known = DataFacts(task, input_shape, size, train, validation, 10, target_range, least_magnitude, class_counts)
        return replace(known, **others)

    return facts


@pytest.fixture
def lint(tmp_path: Path) -> Callable[..., list[str]]:
    """The warnings of `lines`, to which the usual required keys are added; an error's problems as an error's."""

    def lint(lines: str, facts: DataFacts) -> list[str]:
        given = {line.partition(":")[0] for line in lines.splitlines()}
        rest = [f"{key}: {value}" for key, value in USUAL.items() if key not in given]
        path = tmp_path / "c.yaml"
        path.write_text("\n".join([lines, *rest]))
        try:
            return [warning.removeprefix(f"{tmp_path}/") for warning in check(read(path), facts)]
        except ConfigError as error:
            raise ConfigError([problem.removeprefix(f"{tmp_path}/") for problem in error.problems]) from None

    return lint
