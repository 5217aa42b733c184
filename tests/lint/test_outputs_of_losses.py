"""The whole table: every class loss, every form that it can be told, every last layer, and the rules that speak.

The losses of a row differ in their formulas and agree in what they take. What has to speak is written out by hand.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.catalog import DataFacts, Task
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.config import from_mapping
from lossrun.errors import ConfigError
from lossrun.lint.check import violations

Lint = Callable[..., list[str]]
Facts = Callable[..., DataFacts]

OUTPUTS = ("none", "sigmoid", "softmax", "log_softmax")
SOFTMAX = ("cross_entropy", "focal", "kl_divergence", "generalized_cross_entropy", "symmetric_cross_entropy")
MARGINS = ("multi_margin", "categorical_hinge")
TWICE, MISSING, SHAPE, MARGIN = "double_activation", "missing_activation", "output_shape", "margin_on_probabilities"
NEEDLESS = "needless_log_softmax"
QUESTIONS = "softmax_of_questions"

# Task, losses, `inputs` as told, and the rules that speak for each of OUTPUTS.
TABLE: list[tuple[Task, tuple[str, ...], str, tuple[set[str], set[str], set[str], set[str]]]] = [
    ("multiclass", SOFTMAX, "auto", (set(), {SHAPE}, set(), set())),
    ("multiclass", SOFTMAX, "logits", (set(), {TWICE, SHAPE}, {TWICE}, {NEEDLESS})),
    ("multiclass", SOFTMAX, "probabilities", ({MISSING}, {SHAPE}, set(), {MISSING})),
    ("multiclass", SOFTMAX, "log_probabilities", ({MISSING}, {MISSING, SHAPE}, {MISSING}, set())),
    ("multiclass", MARGINS, "", (set(), {MARGIN}, {MARGIN}, {MARGIN})),
    ("multiclass", ("mse", "mae"), "", (set(), set(), set(), {MISSING})),
    # One yes or no for each class: the probabilities of a softmax are of another question.
    ("multiclass", ("binary_cross_entropy",), "auto", (set(), set(), {QUESTIONS}, set())),
    ("multiclass", ("binary_cross_entropy",), "logits", (set(), {TWICE}, {TWICE}, {TWICE})),
    ("multiclass", ("binary_cross_entropy",), "probabilities", ({MISSING}, set(), {QUESTIONS}, {MISSING})),
    ("binary", ("binary_cross_entropy", "binary_focal"), "auto", (set(), set(), {SHAPE}, {SHAPE})),
    ("binary", ("binary_cross_entropy", "binary_focal"), "logits", (set(), {TWICE}, {TWICE, SHAPE}, {TWICE, SHAPE})),
    (
        "binary",
        ("binary_cross_entropy", "binary_focal"),
        "probabilities",
        ({MISSING}, set(), {SHAPE}, {MISSING, SHAPE}),
    ),
    ("binary", ("hinge", "squared_hinge"), "", (set(), {MARGIN}, {MARGIN, SHAPE}, {MARGIN, SHAPE})),
    ("binary", ("mse", "mae"), "", (set(), set(), {SHAPE}, {MISSING, SHAPE})),
    (
        "multilabel",
        ("binary_cross_entropy", "binary_focal", "dice", "tversky"),
        "auto",
        (set(), set(), {SHAPE}, {SHAPE}),
    ),
    (
        "multilabel",
        ("binary_cross_entropy", "binary_focal", "dice", "tversky"),
        "logits",
        (set(), {TWICE}, {TWICE, SHAPE}, {TWICE, SHAPE}),
    ),
    ("multilabel", ("multilabel_soft_margin",), "", (set(), {TWICE}, {TWICE, SHAPE}, {TWICE, SHAPE})),
    ("multilabel", ("mse", "mae"), "", (set(), set(), {SHAPE}, {MISSING, SHAPE})),
]


@pytest.mark.parametrize(("task", "losses", "inputs", "expected"), TABLE)
def test_the_rules_that_speak(
    lint: Lint, facts: Facts, task: Task, losses: tuple[str, ...], inputs: str, expected: tuple[set[str], ...]
) -> None:
    for loss in losses:
        told = f", inputs: {inputs}" if inputs else ""
        for output, rules in zip(OUTPUTS, expected, strict=True):
            lines = f"loss: {{name: {loss}{told}}}\nmodel: {{name: mlp, output: {output}}}\nlint: warn"
            warnings = lint(lines, facts(task))
            assert {warning.splitlines()[0].split("[")[-1].rstrip("]") for warning in warnings} == rules, lines


def test_a_softmax_of_two_classes_answers_both_questions(lint: Lint, facts: Facts) -> None:
    """-ln p for the right class and -ln(1 - q) for the other one are the same number, as q = 1 - p."""
    lines = "loss: binary_cross_entropy\nmodel: {name: mlp, output: softmax}"
    assert lint(lines, facts("multiclass", 2)) == []
    assert QUESTIONS in lint(lines, facts("multiclass", 3))[0]


def test_the_cure_of_probabilities_suits_a_loss_that_is_told_to_take_them(facts: Facts) -> None:
    for task, activation, loss in (("multiclass", "softmax", "cross_entropy"), ("multilabel", "sigmoid", "bce")):
        wrong = "sigmoid" if activation == "softmax" else "softmax"
        raw = {"loss": {"name": loss, "from_logits": False}, "model": {"name": "mlp", "output": wrong}}
        reading = from_mapping({**raw, "dataset": "own:data", "optimizer": "sgd", "learning_rate": 0.1}, Path())
        (found,) = violations(reading, facts(task))[SHAPE]
        assert found.cure == (f"model.output={activation}",)


def test_no_kind_of_class_loss_is_forgotten() -> None:
    """What a loss takes, can be told, and makes of outputs decides which rules speak; its formula does not."""

    def kind(loss: Loss) -> tuple[object, ...]:
        return loss.accepts, loss.prediction, loss.parameter("inputs") is not None

    every = {(task, kind(loss), loss.name) for loss in LOSSES for task in loss.tasks if task != "regression"}
    rows = {(task, loss) for task, losses, *_ in TABLE for loss in losses}
    in_rows = {(task, of) for task, of, name in every if (task, name) in rows}
    assert [name for task, of, name in sorted(every, key=str) if (task, of) not in in_rows] == []


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_what_auto_makes_of_a_loss_is_right_for_it(lint: Lint, facts: Facts, loss: Loss) -> None:
    for task in loss.tasks:
        size = 2 if task == "regression" else None
        assert lint(f"loss: {loss.name}", facts(task, size, target_range=(0.5, 1.0), least_magnitude=0.5)) == []


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_loss_made_for_other_targets_is_refused(lint: Lint, facts: Facts, loss: Loss) -> None:
    for task in {"regression", "binary", "multiclass", "multilabel"} - set(loss.tasks):
        with pytest.raises(ConfigError, match=r"\[loss_task\]"):
            lint(f"loss: {loss.name}", facts(task))
