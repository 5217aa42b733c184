"""Every rule is seen to fire on its own wrong example, and to be silent on its right one."""

from pathlib import Path

import pytest

from lossrun.config import from_mapping
from lossrun.config.reader import parse
from lossrun.errors import ConfigError
from lossrun.experiment import load_experiment
from lossrun.lint.rules import RULES

# What an example leaves out because it does not matter to the rule.
REST = {"model": "mlp", "optimizer": "adam", "learning_rate": 1e-3}


def problems(fragment: str, directory: Path) -> tuple[list[str], list[str]]:
    """Errors and warnings, each the first line."""
    given, _ = parse(fragment, "example")
    reading = from_mapping({**REST, **given}, directory)
    try:
        return [], [warning.splitlines()[0] for warning in load_experiment(reading, directory).warnings]
    except ConfigError as error:
        return [problem.splitlines()[0] for problem in error.problems], []


@pytest.mark.parametrize("name", RULES)
def test_the_wrong_example_is_told_once_and_as_seriously_as_declared(name: str, tmp_path: Path) -> None:
    rule = RULES[name]
    errors, warnings = problems(rule.example.wrong, tmp_path)
    told, others = (errors, warnings) if rule.severity == "error" else (warnings, errors)
    assert [line for line in told if line.endswith(f"[{name}]")] == told != []
    assert len(told) == 1
    assert others == []


@pytest.mark.parametrize("name", RULES)
def test_the_right_example_passes_in_silence(name: str, tmp_path: Path) -> None:
    assert problems(RULES[name].example.right, tmp_path) == ([], [])


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_looks_for_and_why(name: str) -> None:
    rule = RULES[name]
    for text in (rule.meaning, rule.why):
        assert text.endswith(".")
        assert "\n" not in text
    assert rule.severity == "error" or rule.runnable, "what cannot be run is not a mere warning"
    assert all(len(line) <= 100 for part in rule.example for line in part.splitlines()), "it is printed"
