"""Texts read as config files, without each test writing its own file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.config import SourcedConfig, read
from lossrun.errors import ConfigError

SHORTEST = """\
dataset: mnist
model: mlp
loss: cross_entropy
optimizer: adam
learning_rate: 1e-3
"""


@pytest.fixture(scope="session")
def shortest() -> str:
    """The five required keys, one a line."""
    return SHORTEST


@pytest.fixture(scope="session")
def read_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SourcedConfig]:
    """`read` of a file that holds the text, with overrides."""
    path = tmp_path_factory.mktemp("config") / "c.yaml"

    def read_text(text: str, *overrides: str) -> SourcedConfig:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return read(path, overrides)

    return read_text


@pytest.fixture(scope="session")
def problems(read_text: Callable[..., SourcedConfig]) -> Callable[..., list[str]]:
    """What `read` finds wrong with a text; its file is called c.yaml."""

    def problems(text: str, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read_text(text, *overrides)
        return [_renamed(problem) for problem in caught.value.problems]

    return problems


@pytest.fixture(scope="session")
def problem(problems: Callable[..., list[str]]) -> Callable[..., str]:
    """The only thing wrong with the five required keys and `more`: its first line."""

    def problem(more: str, *overrides: str, replaces: str = "") -> str:
        lines = [line for line in SHORTEST.splitlines() if not replaces or not line.startswith(replaces)]
        found = problems("\n".join([*lines, more]), *overrides)
        assert len(found) == 1, found
        return found[0].splitlines()[0]

    return problem


def _renamed(problem: str) -> str:
    folder, _, rest = problem.partition("c.yaml")
    return f"c.yaml{rest}" if Path(folder).is_absolute() else problem
