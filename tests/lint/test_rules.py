from collections.abc import Callable
from typing import Any

import pytest

from lossrun.catalog import DataFacts
from lossrun.errors import ConfigError
from lossrun.lint import RULES
from lossrun.lint.rules import columns

Lint = Callable[..., list[str]]
Facts = Callable[..., DataFacts]

BCE, CE = "binary_cross_entropy", "cross_entropy"
IMAGE = {"input_shape": (1, 28, 28)}

# rule, lines, task and facts, then the place and what the message must say: the reason and the fix.
FIRES: list[tuple[str, str, tuple[str, dict[str, Any]], str, str, str]] = [
    (
        "loss_task", "loss: cross_entropy", ("regression", {}), "1:7: loss",
        "cross_entropy is made for multiclass targets, but own:data has regression ones", "choose one of mse, mae, hub",
    ),
    (
        "loss_task", "loss: {name: huber, delta: 2}", ("binary", {}), "1:7: loss",
        "huber is made for regression targets", "choose one of mse, mae, binary_cross_entropy",
    ),
    ("loss_task", "loss: cross_entropy", ("multilabel", {}), "1:7: loss", "multilabel ones", "binary_cross_entropy"),
    (
        "double_activation", "loss: {name: bce, from_logits: true}\nmodel: {name: mlp, output: sigmoid}",
        ("binary", {}), "1:7: loss", "the model already ends in sigmoid", "set model.output: logits (better)",
    ),
    (
        "double_activation", "loss: CrossEntropyLoss\nmodel: {name: mlp, output: softmax}", ("multiclass", {}),
        "1:7: loss", "the model already ends in softmax", "or loss.from_logits: false",
    ),
    (
        "double_activation", "loss: {name: 'own:loss', inputs: logits}\nmodel: {name: mlp, output: softmax}",
        ("multiclass", {}), "1:7: loss", "own:loss with inputs: logits", "set model.output: logits",
    ),
    (
        "missing_activation", "loss: BCELoss\nmodel: {name: mlp, output: logits}", ("binary", {}), "1:7: loss",
        "told to expect probabilities, but the model gives logits", "or model.output: sigmoid",
    ),
    (
        "missing_activation", "loss: {name: cross_entropy, from_logits: false}\nmodel: {name: mlp, output: none}",
        ("multiclass", {}), "1:7: loss", "but the model gives logits", "or model.output: softmax",
    ),
    (
        "missing_activation",
        "loss: {name: cross_entropy, from_logits: false}\nmodel: {name: mlp, output: log_softmax}",
        ("multiclass", {}), "1:7: loss", "but the model gives log-probabilities", "set loss.from_logits: true",
    ),
    (
        "missing_activation", "loss: NLLLoss\nmodel: {name: mlp, output: softmax}", ("multiclass", {}), "1:7: loss",
        "expect log-probabilities, but the model ends in softmax", "set model.output: log_softmax",
    ),
    (
        "output_shape", "loss: binary_cross_entropy\nmodel: {name: mlp, output: softmax}", ("binary", {}), "2:8: model",
        "a softmax over one output is always 1", "set model.output: sigmoid, or logits",
    ),
    (
        "output_shape", "loss: cross_entropy\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {}), "2:8: model",
        "10 classes that exclude each other want one softmax", "set model.output: logits (better) or softmax",
    ),
    (
        "output_shape", "loss: mse\nmodel: {name: mlp, output: sigmoid}",
        ("regression", {"target_range": (-1.5, 9.0)}), "2:8: model",
        "sigmoid gives values in [0, 1], but the targets reach from -1.5 to 9", "set model.output: none",
    ),
    (
        "target_range", "loss: binary_cross_entropy", ("regression", {"target_range": (0.0, 2.0)}), "1:7: loss",
        "wants targets in [0, 1], but these reach from 0 to 2", "use mse, mae or huber",
    ),
    (
        "class_weights", "loss: {name: cross_entropy, class_weights: [1, 2]}", ("multiclass", {}),
        "1:44: loss.class_weights", "2 weights for 10 classes", "give 10 weights",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: [1]}", ("binary", {}),
        "1:34: loss.class_weights", "1 weights for 2 classes", "give 2 weights, in the order of the classes",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: [0, 0.0]}", ("binary", {}), "1:34: loss.class_weights",
        "every weight is 0", "give at least one class a weight above 0",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: balanced}", ("regression", {}), "1:34: loss.class_weights",
        "regression targets have no classes", "remove class_weights",
    ),
    (
        "watched_metric", "loss: mse\nbest: val_acuracy", ("binary", {}), "2:7: best.metric",
        "there is no val_acuracy for a binary task; did you mean val_accuracy?", "choose one of train_loss, val_loss",
    ),
    (
        "watched_metric", "loss: mse\nearly_stopping: {metric: val_accuracy}", ("regression", {}),
        "2:26: early_stopping.metric", "no val_accuracy for a regression task", "val_rmse",
    ),
    (
        "watched_metric", "loss: mse\nschedule: {name: reduce_on_plateau, metric: loss}", ("regression", {}),
        "2:45: schedule.metric", "there is no loss for a regression task", "choose one of",
    ),
    (
        "compared_yardstick", "loss: mse\ncompare_on: acuracy", ("binary", {}), "2:13: compare_on",
        "there is no yardstick acuracy for a binary task; did you mean accuracy?", "choose one of",
    ),
    (
        "watched_validation", "loss: mse\nbest: val_rmse", ("regression", {"validation": 0}), "2:7: best.metric",
        "val_rmse needs validation data, and there are none", "set dataset.validation, or train_loss",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 33", ("regression", {}),
        "3:13: batch_size", "the last batch of 100 samples in batches of 33 has one sample", "set drop_last: true",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: full",
        ("regression", {"train": 1}), "3:13: batch_size", "has one sample", "or another batch_size",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 1", ("regression", {}),
        "3:13: batch_size", "in batches of 1 has one sample", "another batch_size",
    ),
    (
        "no_batch", "loss: mse\ndrop_last: true\nbatch_size: 101", ("regression", {}), "2:12: drop_last",
        "100 samples do not fill one batch of 101", "set drop_last: false, or a smaller batch_size",
    ),
    (
        "nesterov", "loss: mse\noptimizer: {name: sgd, nesterov: true}", ("regression", {}), "2:34: optimizer.nesterov",
        "needs a momentum above 0 and a dampening of 0", "set optimizer.momentum: 0.9",
    ),
    (
        "nesterov", "loss: mse\noptimizer: {name: sgd, nesterov: true, momentum: 0.9, dampening: 0.1}",
        ("regression", {}), "2:34: optimizer.nesterov", "a dampening of 0", "or remove nesterov",
    ),
    (
        "model_shape", "loss: mse\nmodel: cnn", ("regression", {}), "2:8: model",
        "a cnn wants images (channels, height, width), not inputs of shape (4,)", "use mlp or linear for tables",
    ),
    (
        "model_shape", "loss: mse\nmodel: {name: cnn, layers: [{name: conv, kernel: 29, padding: valid}]}",
        ("regression", IMAGE), "2:8: model", "layer 1, conv, leaves nothing of the image", "smaller kernels",
    ),
    (
        "model_shape", "loss: mse\nmodel: {name: cnn, layers: [dense, conv]}", ("regression", IMAGE), "2:8: model",
        "layer 2, conv, comes after a dense layer", "use mlp",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "lines", "data", "place", "reason", "fix"), FIRES)
def test_one_mistake_is_told_once_with_place_reason_fix_and_rule(
    lint: Lint, facts: Facts, rule: str, lines: str, data: tuple[str, dict[str, Any]], place: str, reason: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        lint(lines, facts(data[0], **data[1]))
    (problem,) = caught.value.problems
    first = problem.splitlines()[0]
    assert first.startswith(f"c.yaml:{place}: ")
    assert reason in first
    assert fix in first
    assert first.index(reason) < first.index(fix)
    assert first.endswith(f" [{rule}]")


# rule, lines, the place and what the warning must say: the reason and the fix.
WARNS: list[tuple[str, str, str, str, str]] = [
    (
        "unusual_rate", "loss: mse\noptimizer: adam\nlearning_rate: 0.5",
        "3:16: learning_rate", "far above what adam", "first epochs",
    ),
    ("unusual_rate", "loss: mse\nlearning_rate: 1e-6", "2:16: learning_rate", "far below what sgd", "first epochs"),
    (
        "long_warmup", "loss: mse\nepochs: 2\nschedule: {name: cosine, warmup_epochs: 2}",
        "3:41: schedule.warmup_epochs", "a warm-up of 2 epochs leaves nothing of the 2", "shorten",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "lines", "place", "reason", "fix"), WARNS)
def test_what_may_be_meant_is_only_warned_of(
    lint: Lint, facts: Facts, rule: str, lines: str, place: str, reason: str, fix: str
) -> None:
    (warning,) = lint(lines, facts("regression"))
    first = warning.splitlines()[0]
    assert first.startswith(f"c.yaml:{place}: ")
    assert reason in first
    assert fix in first
    assert first.endswith(f" [{rule}]")


def test_every_rule_is_seen_to_fire() -> None:
    assert {row[0] for row in (*FIRES, *WARNS)} == set(RULES)


# What sensible people write: no rule may say a word.
SENSIBLE: list[tuple[str, tuple[str, dict[str, Any]]]] = [
    ("loss: mse", ("regression", {"target_range": (-5.0, 50.0)})),
    ("loss: mae\nmodel: linear", ("regression", {})),
    ("loss: huber\nmodel: {name: mlp, output: none}", ("regression", {"target_range": (-5.0, 50.0)})),
    ("loss: mse\nmodel: {name: mlp, output: sigmoid}", ("regression", {"target_range": (0.0, 1.0)})),
    ("loss: mse\nmodel: {name: mlp, output: sigmoid}", ("regression", {})),
    ("loss: binary_cross_entropy\nmodel: {name: mlp, output: sigmoid}", ("regression", {"target_range": (0.0, 1.0)})),
    ("loss: binary_cross_entropy", ("regression", {"target_range": (0.0, 1.0)})),
    ("loss: binary_cross_entropy", ("binary", {})),
    ("loss: binary_cross_entropy\nmodel: {name: mlp, output: sigmoid}", ("binary", {})),
    ("loss: BCEWithLogitsLoss", ("binary", {})),
    ("loss: BCEWithLogitsLoss\nmodel: {name: linear, output: logits}", ("binary", {})),
    ("loss: BCELoss", ("binary", {})),
    ("loss: BCELoss\nmodel: {name: mlp, output: sigmoid}", ("multilabel", {})),
    ("loss: keras.BinaryCrossentropy\nmodel: {name: mlp, output: sigmoid}", ("binary", {})),
    ("loss: {name: bce, from_logits: true}\nmodel: {name: mlp, output: none}", ("binary", {})),
    ("loss: {name: bce, class_weights: [1, 3]}", ("binary", {})),
    ("loss: {name: bce, class_weights: balanced}", ("multilabel", {})),
    ("loss: bce", ("multilabel", {})),
    ("loss: bce\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {})),
    ("loss: mse", ("binary", {})),
    ("loss: mse\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {})),
    ("loss: {name: mse, reduction: half_sample_mean}\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {})),
    ("loss: mae", ("multiclass", {})),
    ("loss: mse\nmodel: {name: mlp, output: logits}", ("multiclass", {})),
    ("loss: cross_entropy", ("multiclass", {})),
    ("loss: cross_entropy\nmodel: {name: mlp, output: softmax}", ("multiclass", {})),
    ("loss: cross_entropy\nmodel: {name: mlp, output: log_softmax}", ("multiclass", {})),
    ("loss: {name: cross_entropy, from_logits: false}\nmodel: {name: mlp, output: softmax}", ("multiclass", {})),
    ("loss: CrossEntropyLoss\nmodel: {name: mlp, output: logits}", ("multiclass", {})),
    ("loss: NLLLoss", ("multiclass", {})),
    ("loss: NLLLoss\nmodel: {name: mlp, output: log_softmax}", ("multiclass", {})),
    ("loss: {name: cross_entropy, class_weights: [1, 1, 0]}", ("multiclass", {"size": 3})),
    ("loss: cross_entropy\nmodel: cnn", ("multiclass", IMAGE)),
    ("loss: cross_entropy\nmodel: {name: cnn, layers: two_conv, batch_norm: true}", ("multiclass", IMAGE)),
    ("loss: cross_entropy\nmodel: linear", ("multiclass", IMAGE)),
    ("loss: own:loss\nmodel: {name: mlp, output: softmax}", ("multiclass", {})),
    ("loss: own:loss\nmodel: own:model", ("regression", {"validation": 0})),
    ("loss: bce\nmodel: own:model", ("binary", {})),
    ("loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 32", ("regression", {})),
    ("loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 33\ndrop_last: true", ("regression", {})),
    ("loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: full", ("regression", {})),
    ("loss: mse\nbatch_size: 33", ("regression", {})),
    ("loss: mse\ndrop_last: true\nbatch_size: 100", ("regression", {})),
    ("loss: mse\ndrop_last: true\nbatch_size: full", ("regression", {})),
    ("loss: mse\nbatch_size: 1000", ("regression", {})),
    ("loss: mse\noptimizer: {name: sgd, nesterov: true, momentum: 0.9}", ("regression", {})),
    ("loss: mse\nbest: val_r2\nearly_stopping: {metric: val_rmse}", ("regression", {})),
    ("loss: mse\nbest: train_loss\nearly_stopping: {metric: train_loss}", ("regression", {"validation": 0})),
    ("loss: mse\nearly_stopping: 3\nschedule: reduce_on_plateau", ("regression", {"validation": 0})),
    ("loss: cross_entropy\nbest: val_macro_f1\nschedule: {name: reduce_on_plateau, metric: val_accuracy}",
     ("multiclass", {})),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "data"), SENSIBLE)
def test_sensible_configs_pass_in_silence(
    lint: Lint, facts: Facts, lines: str, data: tuple[str, dict[str, Any]]
) -> None:
    assert lint(lines, facts(data[0], **data[1])) == []


def test_columns_are_the_yardsticks_of_the_task(facts: Facts) -> None:
    assert columns(facts("regression")) == [
        "train_loss",
        "val_loss",
        *("val_mse", "val_mae", "val_huber", "val_binary_cross_entropy", "val_rmse", "val_r2"),
    ]
    assert "val_accuracy" in columns(facts("multilabel"))
    assert "val_macro_f1" not in columns(facts("binary"))
