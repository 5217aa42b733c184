"""The tree of errors: drawn in its docstring, and within reach of `import lossrun`."""

import copy
import re
import subprocess
import sys

import pytest

import lossrun
from lossrun import errors


def tree(branch: type[errors.LossrunError] = errors.LossrunError) -> list[type[errors.LossrunError]]:
    """A class and all below it, in the order of their definition."""
    below = [one for one in branch.__subclasses__() if one.__module__ == errors.__name__]
    return [branch, *(deeper for one in below for deeper in tree(one))]


def test_the_drawing_shows_every_error_with_its_exit_code() -> None:
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+Error) +(\d+)\b", f"{errors.__doc__}", re.MULTILINE)
    assert [(name, int(code)) for _, name, code in drawn] == [(one.__name__, one.exit_code) for one in tree()]
    depths = {name: len(lines) // 4 for lines, name, _ in drawn}
    assert depths == {one.__name__: one.__mro__.index(errors.LossrunError) for one in tree()}


@pytest.mark.parametrize("error", tree(), ids=lambda error: error.__name__)
def test_each_is_a_public_name_of_lossrun(error: type[errors.LossrunError]) -> None:
    assert getattr(lossrun, error.__name__) is error
    assert error.__name__ in lossrun.__all__
    assert error.__name__ in dir(lossrun)


@pytest.mark.parametrize(
    "error",
    [
        *(one("first", "second") for one in tree() if one is not errors.ConfigError),
        errors.ConfigError([errors.Problem((2, 0), "first", ("loss", "delta"), "--set loss.delta=x"), "second"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_reaches_another_process_unchanged(error: errors.LossrunError) -> None:
    arrived = copy.copy(error)  # as multiprocessing sends an exception, by `__reduce_ex__`
    assert type(arrived) is type(error)
    assert str(arrived) == "first\nsecond"
    assert vars(arrived) == vars(error)


def test_every_public_name_is_there_and_no_other() -> None:
    assert len(lossrun.__all__) == len(set(lossrun.__all__))
    for name in lossrun.__all__:
        assert getattr(lossrun, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'LossError'"):
        _ = lossrun.LossError


def test_importing_lossrun_imports_nothing_and_catching_an_error_no_torch() -> None:
    program = """
import sys
import lossrun
print([name for name in sys.modules if name.startswith("lossrun.")])
try:
    lossrun.train({"epoch": 3})
except lossrun.ConfigError as problem:
    assert isinstance(problem, lossrun.UsageError)
    print(any("epoch: there is no such key" in text for text in problem.problems))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules, told, torch = done.stdout.splitlines()
    assert modules == "['lossrun.version']"
    assert (told, torch) == ("True", "False")
