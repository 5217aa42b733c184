from collections.abc import Callable

import pytest

from lossrun.catalog import DataFacts
from lossrun.errors import ConfigError
from lossrun.lint.rules import RULES

Lint = Callable[..., list[str]]
Facts = Callable[..., DataFacts]

# The tutorial's mistake, which can be shown to a class ...
TWICE = "loss: BCEWithLogitsLoss\nmodel: {name: mlp, output: sigmoid}\n"
# ... and one that cannot be run at all.
IMPOSSIBLE = "loss: mse\nbest: val_accuracy\n"


def test_errors_stop_by_default(lint: Lint, facts: Facts) -> None:
    with pytest.raises(ConfigError, match=r"\[double_activation\]"):
        lint(TWICE, facts("binary"))
    with pytest.raises(ConfigError, match=r"\[double_activation\]"):
        lint(TWICE + "lint: error", facts("binary"))


@pytest.mark.parametrize("setting", ["warn", "{double_activation: warn}"])
def test_warn_shows_the_same_text(lint: Lint, facts: Facts, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lint(TWICE, facts("binary"))
    assert lint(f"{TWICE}lint: {setting}", facts("binary")) == caught.value.problems


def test_off_is_silent(lint: Lint, facts: Facts) -> None:
    assert lint(TWICE + "lint: {double_activation: off}", facts("binary")) == []


def test_a_rule_not_named_keeps_its_severity(lint: Lint, facts: Facts) -> None:
    with pytest.raises(ConfigError, match=r"\[double_activation\]"):
        lint(TWICE + "lint: {missing_activation: off}", facts("binary"))


@pytest.mark.parametrize("setting", ["warn", "{watched_metric: warn}", "{watched_metric: off}"])
def test_what_cannot_be_run_stays_an_error(lint: Lint, facts: Facts, setting: str) -> None:
    with pytest.raises(ConfigError, match=r"\[watched_metric\]"):
        lint(f"{IMPOSSIBLE}lint: {setting}", facts("regression"))


def test_which_rules_can_be_shown_to_a_class() -> None:
    shown = {name for name, rule in RULES.items() if rule.runnable and rule.severity == "error"}
    assert shown == {
        *("double_activation", "missing_activation", "margin_on_probabilities", "output_shape", "negative_mean"),
        *("target_range", "zero_target", "few_targets", "nothing_counts", "zero_loss", "watched_mode"),
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [("double_activaton", "did you mean double_activation?"), ("zzz", "expected one of loss_task, double_")],
)
def test_an_unknown_rule(lint: Lint, facts: Facts, name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lint(f"loss: mse\nlint: {{{name}: warn}}", facts("regression"))
    (problem,) = caught.value.problems
    assert problem.startswith(f"c.yaml:2:8: lint.{name}: there is no such lint rule; {hint}")


def test_all_errors_come_at_once_in_file_order(lint: Lint, facts: Facts) -> None:
    lines = "best: val_acc\nloss: huber\noptimizer: {name: sgd, nesterov: true}\nlint: {nonsense: warn}"
    with pytest.raises(ConfigError) as caught:
        lint(lines, facts("binary"))
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "c.yaml:1:7",
        "c.yaml:2:7",
        "c.yaml:3:34",
        "c.yaml:4:8",
    ]


def test_all_warnings_come_at_once(lint: Lint, facts: Facts) -> None:
    warnings = lint(
        "loss: {name: cross_entropy, from_logits: true}\nmodel: {name: mlp, output: sigmoid}\nlint: warn",
        facts("multiclass"),
    )
    assert [warning.splitlines()[0].split()[-1] for warning in warnings] == ["[double_activation]", "[output_shape]"]
