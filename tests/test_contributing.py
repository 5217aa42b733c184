"""The worked examples of CONTRIBUTING.md: their changes are made in a copy, and their commands are run in it."""

import os
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import in_another_process
from tests.worked_examples import EXAMPLES, commands, copy_with


def test_there_is_an_example_of_each_kind() -> None:
    kinds = ["A loss", "An optimizer", "A schedule", "A dataset", "A lint rule", "A config key", "A command"]
    assert list(EXAMPLES) == [*kinds, "A report format"]
    for name, blocks in EXAMPLES.items():
        tests = [block.place for block in blocks if block.kind == "file" and block.place.startswith("tests/")]
        assert tests or name == "A lint rule", name  # the tests of rules take their examples
        assert len(commands(name)) >= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_the_examples_work_as_they_stand(tmp_path: Path) -> None:
    """All in one copy: each command in a process of its own, and the tests of all examples in another one."""
    folder = tmp_path / "lossrun"
    copy_with(list(EXAMPLES), folder)
    # Tests that need the real MNIST are not what is tried here: without CI they are skipped.
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "100"}
    environment.pop("CI", None)
    asked = [shlex.split(command) for name in EXAMPLES for command in commands(name)]
    assert {words[0] for words in asked} == {"pytest", "lossrun"}
    tests = dict.fromkeys(word for words in asked if words[0] == "pytest" for word in words[1:])
    assert all((folder / path).is_file() for path in tests)
    pytest_ = ["pytest", *tests, "-n", "0", "-p", "no:cacheprovider", "--assert=plain"]
    asked = [pytest_, *(words[1:] for words in asked if words[0] == "lossrun")]
    for done in in_another_process(asked, folder, environment, apart=["torch", "lossrun.training.starting.start"]):
        assert done.code == 0, (done.arguments, done.out.decode(), done.err.decode())
