"""Check losses of classes that train, but badly: what they make of outputs and labels."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.lint.models import HIGH
from lossrun.lint.rule import Case, Example, Rule, Violation


def unbounded_outputs(case: Case) -> Iterator[Violation]:
    """Find a loss that compares raw outputs with the 0 and 1 of classes."""
    declared, facts = case.loss, case.facts
    if declared is None or facts.task == "regression" or declared.prediction != "mean":
        return
    # With small steps, least squares on classes works; a linear model with it is the classifier of the textbooks.
    optimizer, parameters = case.optimizer, case.config.model.parameters
    large_steps = optimizer is not None and optimizer.scales_with_gradient and case.config.learning_rate > HIGH
    grows = bool(parameters.get("hidden") or parameters.get("layers")) and parameters.get("activation") == "none"
    if not (large_steps or grows):
        return
    if case.output == "none":
        usual, probabilities = USUAL_LOSSES[facts.task], "softmax" if facts.task == "multiclass" else "sigmoid"
        yield Violation(
            ("model", "output"),
            f"{declared.name} compares outputs without bounds with classes, which are 0 or 1: outputs beyond 1 cost as "
            "much as wrong ones",
            f"set loss: {usual} with model.output: logits, or model.output: {probabilities}",
            (f"loss={usual}", "model.output=logits"),
        )


def exclusive_labels(case: Case) -> Iterator[Violation]:
    """Find one-hot classes that are trained as labels of their own."""
    facts = case.facts
    if facts.task == "multilabel" and facts.exclusive and facts.target_size > 2:
        share = 1 - 1 / facts.target_size
        yield Violation(
            ("dataset",),
            f"each sample has exactly one of {facts.target_size} labels, so they are classes; as separate labels, "
            f"always answering no has an accuracy of {share:.4g}",
            "set dataset.task: multiclass with loss: cross_entropy and model.output: logits",
            ("dataset.task=multiclass", "loss=cross_entropy", "model.output=logits"),
        )


_BLOBS: Final = "dataset: synthetic_classification\n"
_ROWS: Final = (
    "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4, 5, 6]\n"
    "  targets: [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]\n"
)

CLASS_LOSS_RULES: Final[dict[str, Rule]] = {
    "unbounded_outputs": Rule(
        check=unbounded_outputs,
        explains=True,
        severity="warn",
        meaning="With large steps, a loss of numbers on classes gets probabilities from the model.",
        why="Squared errors of raw outputs grow without bound, and so do their gradients. A learning rate that suits "
        "probabilities makes such a network diverge within a few steps.",
        example=Example(
            f"{_BLOBS}model: {{name: mlp, output: none}}\nloss: mse\noptimizer: sgd\nlearning_rate: 3.0",
            f"{_BLOBS}model: {{name: mlp, output: softmax}}\nloss: mse\noptimizer: sgd\nlearning_rate: 3.0",
        ),
    ),
    "exclusive_labels": Rule(
        check=exclusive_labels,
        explains=True,
        severity="warn",
        meaning="Labels that exclude each other are classes.",
        why="With one loss for each label, always answering no is nearly right for all of them: accuracy is high and "
        "nothing is learned. One softmax over the classes makes them compete.",
        example=Example(
            f"{_ROWS}  task: multilabel\nloss: binary_cross_entropy",
            f"{_ROWS}  task: multiclass\nloss: cross_entropy",
        ),
    ),
}
