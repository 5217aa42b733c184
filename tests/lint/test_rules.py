from collections.abc import Callable
from typing import Any

import pytest

from lossrun.catalog import DataFacts
from lossrun.errors import ConfigError
from lossrun.lint.rules import columns

Lint = Callable[..., list[str]]
Facts = Callable[..., DataFacts]

BCE, CE = "binary_cross_entropy", "cross_entropy"
IMAGE = {"input_shape": (1, 28, 28)}

# rule, lines, task and facts, then the place and what the message must say: the reason and the fix.
FIRES: list[tuple[str, str, tuple[str, dict[str, Any]], str, str, str]] = [
    (
        "loss_task", "loss: cross_entropy", ("regression", {}), "1:7: loss",
        "cross_entropy is for multiclass targets, but own:data has regression targets",
        "use mse; `lossrun list losses --task regression` lists the others",
    ),
    (
        "loss_task", "loss: {name: huber, delta: 2}", ("binary", {}), "1:7: loss",
        "huber is for regression targets", "use binary_cross_entropy;",
    ),
    ("loss_task", "loss: cross_entropy", ("multilabel", {}), "1:7: loss", "multilabel targets", "use "
    "binary_cross_entr"),
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
        "configured for probabilities, but the model outputs logits", "or model.output: sigmoid",
    ),
    (
        "missing_activation", "loss: {name: cross_entropy, from_logits: false}\nmodel: {name: mlp, output: none}",
        ("multiclass", {}), "1:7: loss", "but the model outputs logits", "or model.output: softmax",
    ),
    (
        "missing_activation",
        "loss: {name: cross_entropy, from_logits: false}\nmodel: {name: mlp, output: log_softmax}",
        ("multiclass", {}), "1:7: loss", "but the model outputs log-probabilities", "set loss.from_logits: true",
    ),
    (
        "missing_activation", "loss: NLLLoss\nmodel: {name: mlp, output: softmax}", ("multiclass", {}), "1:7: loss",
        "for log-probabilities, but the model outputs probabilities", "set model.output: log_softmax",
    ),
    (
        "output_shape", "loss: binary_cross_entropy\nmodel: {name: mlp, output: softmax}", ("binary", {}),
        "2:28: model.output", "a softmax over one output is always 1", "set model.output: sigmoid, or logits",
    ),
    (
        "output_shape", "loss: cross_entropy\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {}),
        "2:28: model.output", "10 exclusive classes need one softmax",
        "set model.output: logits (better) or softmax",
    ),
    (
        "output_shape", "loss: mse\nmodel: {name: mlp, output: sigmoid}",
        ("regression", {"target_range": (-1.5, 9.0)}), "2:28: model.output",
        "sigmoid outputs values in [0, 1], but the targets range from -1.5 to 9", "set model.output: none",
    ),
    (
        "target_range", "loss: binary_cross_entropy", ("regression", {"target_range": (0.0, 2.0)}), "1:7: loss",
        "needs targets in [0, 1], but the targets range from 0 to 2", "use mse, mae, or huber",
    ),
    (
        "target_range", "loss: msle", ("regression", {"target_range": (0.0, 2.0), "held_out_range": (-1.5, 2.0)}),
        "1:7: loss", "targets of at least 0, but the held-out targets range from -1.5 to 2", "use mse, mae, or huber",
    ),
    (
        "zero_target", "loss: mape", ("regression", {"least_magnitude": 1.0, "held_out_magnitude": 0.0}), "1:7: loss",
        "divides by the held-out targets, and one is 0: it outweighs", "use mae",
    ),
    (
        "class_weights", "loss: {name: focal, class_weights: balanced}",
        ("multiclass", {"size": 3, "class_counts": (5, 0, 4), "classes": ("red", "green", "blue"), "numbered": False}),
        "1:36: loss.class_weights", "class green has no training samples", "list the weights",
    ),
    (
        "class_weights", "loss: {name: cross_entropy, class_weights: [1, 2]}", ("multiclass", {}),
        "1:44: loss.class_weights", "2 weights for 10 classes", "give 10 weights, in the order of the classes",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: [1]}", ("binary", {}),
        "1:34: loss.class_weights", "1 weight for 2 classes", "give 2 weights, in the order of the classes",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: [0, 0.0]}", ("binary", {}), "1:34: loss.class_weights",
        "all weights are 0", "give at least one class a weight above 0",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: balanced}", ("regression", {}), "1:34: loss.class_weights",
        "regression targets have no classes", "remove class_weights",
    ),
    (
        "watched_metric", "loss: mse\nbest: val_acuracy", ("binary", {}), "2:7: best.metric",
        "there is no val_acuracy for a binary task (did you mean val_accuracy?)", "choose one of train_loss, val_loss",
    ),
    (
        "watched_metric", "loss: mse\nbest: test_roc_auc", ("binary", {}), "2:7: best.metric",
        "there is no test_roc_auc for a binary task (did you mean val_auc?)", "choose one of train_loss, val_loss",
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
        "compared_metric", "loss: mse\ncompare_on: acuracy", ("binary", {}), "2:13: compare_on",
        "there is no metric acuracy for a binary task (did you mean accuracy?)", "choose one of",
    ),
    (
        "watched_validation", "loss: mse\nbest: val_rmse", ("regression", {"validation": 0}), "2:7: best.metric",
        "val_rmse needs validation data, but there are no validation data",
        "set dataset.validation: 0.1, or use train_loss",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 33", ("regression", {}),
        "3:13: batch_size", "the last batch of 100 samples in batches of 33 has one sample", "set drop_last: true",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: full",
        ("regression", {"train": 1}), "3:13: batch_size", "has one sample", "set model.batch_norm: false",
    ),
    (
        "lone_last_batch", "loss: mse\nmodel: {name: mlp, batch_norm: true}\nbatch_size: 1", ("regression", {}),
        "3:13: batch_size", "in batches of 1 has one sample", "another batch_size",
    ),
    (
        "no_batch", "loss: mse\ndrop_last: true\nbatch_size: 101", ("regression", {}), "2:12: drop_last",
        "100 samples do not fill a batch of 101", "set drop_last: false, or a smaller batch_size",
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
        "a cnn needs images (channels, height, width), not inputs of shape (4,)", "use mlp or linear for tables",
    ),
    (
        "model_shape", "loss: mse\nmodel: {name: cnn, layers: [{name: conv, kernel: 29, padding: valid}]}",
        ("regression", IMAGE), "2:8: model", "layer 1, conv, leaves nothing of the image", "smaller kernels",
    ),
    (
        "model_shape", "loss: mse\nmodel: {name: cnn, layers: [dense, conv]}", ("regression", IMAGE), "2:8: model",
        "layer 2, conv, comes after a dense layer", "use mlp",
    ),
    (
        "loss_task", "loss: hinge", ("multiclass", {}), "1:7: loss", "hinge is for binary targets",
        "use cross_entropy; `lossrun list losses --task multiclass` lists the others",
    ),
    (
        "loss_task", "dataset: {name: inline, inputs: [1], targets: [1]}\nloss: hinge", ("multiclass", {"size": 2}),
        "2:7: loss", "hinge is for binary targets", "or set dataset.task: binary;",
    ),
    (
        "loss_task", "dataset: {name: inline, inputs: [1], targets: [1]}\nloss: CrossEntropyLoss", ("binary", {}),
        "2:7: loss", "but inline has binary targets", "use binary_cross_entropy, or set dataset.task: multiclass;",
    ),
    (   # One label in every row: the columns are one-hot.
        "loss_task", "dataset: {name: csv, path: x.csv, target: [a, b]}\nloss: cross_entropy",
        ("multilabel", {"class_counts": (10, 20, 30, 30, 10)}), "2:7: loss", "has multilabel targets",
        "or set dataset.task: multiclass;",
    ),
    (
        "double_activation", "loss: multilabel_soft_margin\nmodel: {name: mlp, output: sigmoid}", ("multilabel", {}),
        "1:7: loss", "already ends in sigmoid, and multilabel_soft_margin applies it", "set model.output: logits [",
    ),
    (
        "double_activation", "loss: {name: CategoricalFocalCrossentropy, from_logits: true}\n"
        "model: {name: mlp, output: softmax}", ("multiclass", {}), "1:7: loss",
        "ends in softmax, and focal with inputs: logits", "from_logits: false",
    ),
    (   # The sigmoid of log-probabilities is something else, other than their softmax.
        "double_activation", "loss: BCEWithLogitsLoss\nmodel: {name: mlp, output: log_softmax}", ("multiclass", {}),
        "1:7: loss", "ends in log_softmax, and binary_cross_entropy", "set model.output: logits",
    ),
    (
        "missing_activation", "loss: {name: bce, inputs: log_probabilities}", ("binary", {}), "1:7: loss",
        "configured for log-probabilities, but the model outputs logits", "remove loss.inputs [",
    ),
    (
        "missing_activation", "loss: mse\nmodel: {name: mlp, output: log_softmax}", ("multiclass", {}),
        "2:28: model.output", "mse compares the targets with log-probabilities, which are never above 0", "set "
        "model.output: softmax",
    ),
    (
        "missing_activation", "loss: KLDivLoss\nmodel: {name: mlp, output: softmax}", ("multiclass", {}), "1:7: loss",
        "kl_divergence is configured for log-probabilities", "set model.output: log_softmax",
    ),
    (
        "margin_on_probabilities", "loss: categorical_hinge\nmodel: {name: mlp, output: softmax}", ("multiclass", {}),
        "2:28: model.output", "categorical_hinge needs outputs with a margin of at least 1", "set model.output: logits",
    ),
    (
        "output_shape", "loss: gce\nmodel: {name: mlp, output: sigmoid}", ("multiclass", {}), "2:28: model.output",
        "10 sigmoids do not add up to 1", "(better) or softmax",
    ),
    (
        "output_shape", "loss: bce\nmodel: {name: mlp, output: softmax}", ("multilabel", {}), "2:28: model.output",
        "a softmax lets only one of 5 labels be true", "set model.output: logits (better) or sigmoid",
    ),
    (
        "output_shape", "loss: cross_entropy", ("multiclass", {"size": 1}), "2:10: dataset", "with a single class, "
        "cross_entropy is always 0",
        "check the targets",
    ),
    (
        "output_shape", "loss: mse\nmodel: {name: mlp, output: softmax}", ("regression", {}), "2:28: model.output",
        "a softmax over one output is always 1", "set model.output: none",
    ),
    (
        "output_shape", "loss: gaussian_nll\nmodel: {name: mlp, output: sigmoid}", ("regression", {}),
        "2:28: model.output", "means and logarithms of variances, but sigmoid limits", "set model.output: none",
    ),
    (
        "output_shape", "loss: PoissonNLLLoss\nmodel: {name: mlp, output: sigmoid}",
        ("regression", {"target_range": (0.0, 1.0)}), "2:28: model.output", "logarithms of the mean, but sigmoid",
        "set model.output: none",
    ),
    (
        "output_shape", "dataset: {name: 'own:data', standardize: {targets: true}}\nloss: mse\n"
        "model: {name: mlp, output: sigmoid}", ("regression", {"target_range": (0.0, 1.0)}), "3:28: model.output",
        "but standardized targets are on both sides of 0", "or dataset.standardize: {targets: false}",
    ),
    (
        "negative_mean", "loss: poisson", ("regression", {}), "1:7: loss", "reads the outputs as means",
        "set loss.log_input: true",
    ),
    (
        "target_range", "loss: msle", ("regression", {"target_range": (-2.0, 2.0)}), "1:7: loss",
        "msle needs targets of at least 0, but the targets range from -2 to 2", "use mse, mae, or huber",
    ),
    (
        "target_range", "loss: PoissonNLLLoss", ("regression", {"target_range": (-1.0, 2.0)}), "1:7: loss",
        "poisson_nll needs targets of at least 0", "use mse",
    ),
    (   # Known before a number of the data is.
        "target_range", "dataset: {name: 'own:data', standardize: {targets: true}}\nloss: msle", ("regression", {}),
        "1:42: dataset.standardize", "standardized targets are on both sides of 0",
        "set dataset.standardize: {targets: false}",
    ),
    (
        "zero_target", "loss: mape", ("regression", {"target_range": (0.0, 9.0), "least_magnitude": 0.0}),
        "1:7: loss", "divides by the targets, and one is 0", "use mae, or msle",
    ),
    (
        "zero_target", "dataset: {name: 'own:data', standardize: {targets: true}}\nloss: mape",
        ("regression", {"target_range": (1.0, 9.0), "least_magnitude": 1.0}), "1:42: dataset.standardize",
        "standardized targets are close to 0", "set dataset.standardize: {targets: false}",
    ),
    (
        "few_targets", "loss: CosineSimilarity", ("regression", {}), "1:7: loss", "the targets are single numbers",
        "use mse",
    ),
    (
        "class_weights", "loss: {name: focal, class_weights: balanced}",
        ("multiclass", {"size": 3, "class_counts": (50, 0, 50)}), "1:36: loss.class_weights",
        "class 1 (counted from 0) has no training samples", "list the weights",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: balanced}",
        ("binary", {"class_counts": (100, 0)}), "1:34: loss.class_weights", "class 1 has no training samples", "list "
        "the",
    ),
    (
        "class_weights", "loss: {name: bce, class_weights: balanced}",
        ("multilabel", {"class_counts": (9, 8, 7, 6, 0)}), "1:34: loss.class_weights", "label 4 (counted", "list the",
    ),
    (
        "class_weights", "loss: {name: bce, pos_weight: [1, 2]}", ("multilabel", {}), "1:31: loss.pos_weight",
        "2 weights for 5 outputs", "give one number for all outputs, or 5 numbers",
    ),
    (
        "nothing_counts", "loss: {name: cross_entropy, class_weights: [0, 0, 1]}",
        ("multiclass", {"size": 3, "class_counts": (50, 50, 0)}), "1:7: loss", "is ignored or has weight 0",
        "give a class a weight above 0",
    ),
    (
        "nothing_counts", "loss: {name: cross_entropy, ignore_index: 1}",
        ("multiclass", {"size": 3, "class_counts": (0, 100, 0)}), "1:7: loss", "is ignored", "remove ignore_index",
    ),
    (
        "zero_loss", "loss: {name: tversky, alpha: 0, beta: 0}", ("multilabel", {}), "1:7: loss", "with alpha: 0 and "
        "beta: 0 is always 0",
        "set one of them above 0",
    ),
    (
        "watched_metric", "loss: hinge\nbest: val_binary_cross_entropy", ("binary", {}), "2:7: best.metric",
        "val_binary_cross_entropy cannot be used: a model trained with hinge", "val_hinge",
    ),
    (
        "watched_mode", "loss: mse\nearly_stopping: {metric: val_r2, mode: min}", ("regression", {}),
        "2:40: early_stopping.mode", "higher val_r2 is better", "set mode: max",
    ),
    (
        "watched_mode", "loss: mse\nepochs: 20\nschedule: {name: reduce_on_plateau, mode: max}", ("regression", {}),
        "3:43: schedule.mode", "lower val_loss is better", "set mode: min",
    ),
    (
        "contradiction", "loss: mse\nschedule: {name: piecewise_constant, boundaries: [3], fractions: [0.1, 0.2]}",
        ("regression", {}), "2:11: schedule", "1 and 2 entries", "expected one fraction for each boundary",
    ),
    (
        "lone_last_batch", "loss: cross_entropy\nmodel: {name: cnn, batch_norm: true}\nbatch_size: 33",
        ("multiclass", IMAGE), "3:13: batch_size", "has one sample", "set drop_last: true",
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


# rule, lines, task and facts, then the place and what the warning must say: the reason and the fix.
WARNS: list[tuple[str, str, tuple[str, dict[str, Any]], str, str, str]] = [
    (
        "needless_log_softmax", "loss: CrossEntropyLoss\nmodel: {name: mlp, output: log_softmax}", ("multiclass", {}),
        "1:7: loss", "already ends in log_softmax", "or loss.inputs: log_probabilities",
    ),
    (
        "targets_across_zero", "loss: mape", ("regression", {"target_range": (-3.0, 9.0), "least_magnitude": 0.1}),
        "1:7: loss", "which range from -3 to 9", "use mae or huber",
    ),
    (
        "unscaled_targets", "loss: huber", ("regression", {"target_range": (15000.0, 500000.0)}),
        "2:10: dataset.standardize", "targets range from 15000 to 500000", "targets: true}",
    ),
    (
        "unscaled_targets", "loss: gaussian_nll", ("regression", {"target_range": (25.0, 346.0)}),
        "2:10: dataset.standardize", "targets range from 25 to 346", "targets: true}",
    ),
    (
        "ignored_class", "loss: {name: cross_entropy, ignore_class: 10}", ("multiclass", {}), "1:7: loss.ignore_index",
        "no sample has the label 10, so nothing is ignored", "or use a label of the data: 0 to 9",
    ),
    (   # 32 samples, one value each: 0.1 * 32, and back.
        "reduction_rate", "loss: {name: cross_entropy, reduction: sum}", ("multiclass", {}), "5:16: learning_rate",
        "sum adds up batches of 32: 0.1 acts like 3.2 with", "set learning_rate: 0.00313",
    ),
    (   # 0.1 * 32 * 10 = 32; 0.1 / 320 = 0.0003125, to three digits.
        "reduction_rate", "loss: {name: mse, reduction: sum}", ("multiclass", {}), "5:16: learning_rate",
        "sum adds up batches of 32 and 10 outputs: 0.1 acts like 32 with", "set learning_rate: 0.000313, which",
    ),
    (   # 100 * 10 / 2 = 500.
        "reduction_rate", "loss: {name: mse, reduction: half_sum}\nbatch_size: full", ("multiclass", {}),
        "6:16: learning_rate", "half_sum adds up batches of 100 and 10 outputs and halves that: 0.1 acts like 50",
        "set learning_rate: 0.0002,",
    ),
    (   # No batch holds more samples than there are: 100 * 0.05 = 5.
        "reduction_rate", "learning_rate: 0.05\nloss: {name: mse, reduction: sum}\nbatch_size: 1000",
        ("regression", {}), "1:16: learning_rate", "batches of 100: 0.05 acts like 5", "set learning_rate: 0.0005",
    ),
    (   # The user's own loss gives one value per sample, a mean over outputs: 200 * 0.5 = 100.
        "reduction_rate", "learning_rate: 0.5\nloss: {name: 'own:loss', reduction: sample_mean}",
        ("regression", {"size": 200}), "1:16: learning_rate", "adds up 200 outputs: 0.5 acts like 100", "0.0025",
    ),
    (
        "unusual_rate", "loss: mse\noptimizer: adam\nlearning_rate: 0.5", ("regression", {}),
        "3:16: learning_rate", "far above the usual range for adam", "first epochs",
    ),
    (
        "unusual_rate", "loss: mse\nlearning_rate: 1e-6", ("regression", {}), "2:16: learning_rate",
        "far below the usual range for sgd", "first epochs",
    ),
    (
        "unusual_rate", "loss: mse\noptimizer: keras.Adadelta\nlearning_rate: 0.001", ("regression", {}),
        "3:16: learning_rate", "far below the usual range for adadelta", "first epochs",
    ),
    (
        "momentum_rate", "loss: mse\noptimizer: {name: sgd, momentum: 0.99}", ("regression", {}),
        "2:34: optimizer.momentum", "grow to 100 times their size: 0.1 acts like 10", "set optimizer.momentum: 0.9",
    ),
    (
        "coupled_decay", "loss: mse\noptimizer: {name: adam, weight_decay: 0.05}\nlearning_rate: 1e-3",
        ("regression", {}), "2:39: optimizer.weight_decay", "adds the decay of 0.05", "or optimizer: adamw",
    ),
    (
        "coupled_decay", "loss: mse\noptimizer: {name: radam, weight_decay: 0.05}\nlearning_rate: 1e-3",
        ("regression", {}), "2:40: optimizer.weight_decay", "radam adds", "decoupled_weight_decay: true, or",
    ),
    (
        "noisy_signs", "loss: mse\noptimizer: rprop\nlearning_rate: 0.01", ("regression", {}), "2:12: optimizer",
        "all 100 samples", "set batch_size: full",
    ),
    (
        "long_warmup", "loss: mse\nepochs: 2\nschedule: {name: cosine, warmup_epochs: 2}", ("regression", {}),
        "3:41: schedule.warmup_epochs", "the warm-up of 2 epochs does not end before the run of 2", "set a smaller "
        "schedule.",
    ),
    (
        "schedule_length", "loss: mse\nschedule: {name: MultiStepLR, milestones: [5, 10]}", ("regression", {}),
        "2:43: schedule.milestones", "milestones: [5, 10] goes beyond the run", "or epochs above 10",
    ),
    (
        "schedule_length", "loss: mse\nschedule: {name: linear, over_epochs: 12}", ("regression", {}),
        "2:39: schedule.over_epochs", "linear with over_epochs: 12", "set a smaller schedule.over_epochs",
    ),
    (
        "schedule_length", "loss: mse\nschedule: {name: exponential, every: 20}", ("regression", {}),
        "2:38: schedule.every", "exponential with every: 20", "set a smaller schedule.",
    ),
    (
        "long_patience", "loss: mse\nschedule: reduce_on_plateau", ("regression", {}), "2:11: schedule.patience",
        "reduce_on_plateau with a patience of 10 epochs never takes effect in a run of 10 epochs", "set a smaller",
    ),
    (
        "long_patience", "loss: mse\nepochs: 5\nearly_stopping: 5", ("regression", {}),
        "3:17: early_stopping.patience", "a patience of 5 epochs never takes effect", "or epochs above 5",
    ),
    (
        "stopped_before_reduced", "loss: mse\nepochs: 50\nschedule: reduce_on_plateau\nearly_stopping: 10",
        ("regression", {}), "4:17: early_stopping.patience",
        "reduce_on_plateau lowers the learning rate, after 11", "about twice",
    ),
    (
        "never_seen", "loss: mse\ndrop_last: true\nshuffle: false", ("regression", {}), "2:12: drop_last",
        "the last 4 of 100 samples", "set shuffle: true",
    ),
    (
        "same_weights", "loss: mse\nmodel: {name: mlp, init: {name: constant, value: 0.5}}", ("regression", {}),
        "2:26: model.init", "get the same gradient", "glorot_uniform",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "lines", "data", "place", "reason", "fix"), WARNS)
def test_what_may_be_meant_is_only_warned_of(
    lint: Lint, facts: Facts, rule: str, lines: str, data: tuple[str, dict[str, Any]], place: str, reason: str, fix: str
) -> None:
    (warning,) = lint(lines, facts(data[0], **data[1]))
    first = warning.splitlines()[0]
    assert first.startswith(f"c.yaml:{place}: ")
    assert reason in first
    assert fix in first
    assert first.endswith(f" [{rule}]")


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
    ("loss: mse\nepochs: 50\nearly_stopping: 20\nschedule: reduce_on_plateau", ("regression", {"validation": 0})),
    ("loss: cross_entropy\nbest: val_macro_f1\nepochs: 20\nschedule: {name: reduce_on_plateau, metric: val_accuracy}",
     ("multiclass", {})),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "data"), SENSIBLE)
def test_sensible_configs_pass_in_silence(
    lint: Lint, facts: Facts, lines: str, data: tuple[str, dict[str, Any]]
) -> None:
    assert lint(lines, facts(data[0], **data[1])) == []


def test_columns_are_the_metrics_of_the_task(facts: Facts) -> None:
    assert columns(facts("regression"))[:3] == ["train_loss", "val_loss", "val_mse"]
    assert {"val_rmse", "val_r2", "val_mae"} <= set(columns(facts("regression")))
    assert "val_accuracy" in columns(facts("multilabel"))
    assert "val_accuracy" not in columns(facts("regression"))
    assert "val_macro_f1" not in columns(facts("binary"))
