"""The keys of a config file, declared in the catalogue's words."""

from typing import Any, Final, Literal

from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Nested, Parameter

AUTO_MODE: Final = Parameter(
    "mode", Literal["auto", "min", "max"], "auto", "which way is better; auto: as the metric says"
)

KEYS: Final[tuple[Key, ...]] = (
    Parameter("name", str | None, None, "of the run; left out: <dataset>-<model>-<loss>-<optimizer>"),
    Parameter("tags", list[str], [], "words to find the run by"),
    Nested("dataset", "dataset", REQUIRED, "what to learn from"),
    Nested("model", "model", REQUIRED, "what learns"),
    Nested("loss", "loss", REQUIRED, "what training minimises"),
    Nested("optimizer", "optimizer", REQUIRED, "how gradients become updates of the weights"),
    Parameter("learning_rate", float, REQUIRED, "size of the optimizer's steps", above=0),
    Nested("schedule", "schedule", "constant", "how the learning rate moves"),
    Parameter("epochs", int, 10, "passes over the training data", at_least=1),
    Parameter(
        "batch_size", int | Literal["full"], 32, "samples per step; full: all of them", unit="samples", at_least=1
    ),
    Parameter("shuffle", bool, True, "a new order for every epoch"),
    Parameter("drop_last", bool, False, "leave out the last batch of an epoch where it is smaller"),
    Parameter("seed", int, 0, "start of all randomness", at_least=0),
    Parameter(
        "seeds", int | list[int] | None, None, "how many seeds to train (seed, seed+1, ...), or which", at_least=0
    ),
    KeyGroup(
        "checkpoint",
        (
            Parameter(
                "every",
                str,
                "1 epoch",
                "how often",
                pattern=r"[1-9][0-9]* (epochs?|steps?)",
                form="a length such as '1 epoch' or '200 steps'",
                endings=(" epochs", " steps"),
            ),
            Parameter("keep", int, 3, "how many of the newest, best and last besides", at_least=2),
        ),
        {},
        "when to save the full state",
        short_for="every",
    ),
    KeyGroup(
        "early_stopping",
        (
            Parameter("metric", str, "auto", "what to watch; auto: val_loss"),
            AUTO_MODE,
            Parameter("patience", int, 5, "epochs without improvement to allow", unit="epochs", at_least=1),
            Parameter("min_delta", float, 0.0, "improvement that counts", at_least=0),
        ),
        None,
        "when to stop before the last epoch",
        short_for="patience",
    ),
    KeyGroup(
        "best",
        (
            Parameter("metric", str, "auto", "what chooses; auto: val_loss, or train_loss without validation"),
            AUTO_MODE,
        ),
        {},
        "which epoch's weights to keep as the best",
        short_for="metric",
    ),
    Parameter(
        "on_divergence", Literal["stop", "continue"], "stop", "when one of several seeds diverges: the other seeds"
    ),
    Parameter(
        "lint",
        Literal["error", "warn"] | dict[str, Literal["error", "warn", "off"]],
        "error",
        "how strictly the linter's errors are taken: all of them, or rule by rule",
        form="error, warn, or a mapping such as {double_activation: warn}",
    ),
    Parameter(
        "precision",
        Literal["float32", "float64", "bf16"],
        "float32",
        "of weights, data and sums; bf16: the model computes in bfloat16, all else in float32",
    ),
    Parameter(
        "step",
        Literal["auto", "eager", "recorded"],
        "auto",
        "how updates are computed; recorded: once, then replayed; auto: recorded but for models and losses of your own",
    ),
    Parameter("device", Literal["auto", "cpu", "cuda", "mps"], "auto", "where to train; auto: cuda if there, else cpu"),
    Parameter("compare_on", str | None, None, "the metric that comparisons are decided by"),
)

# The sweep block stands beside these keys: it describes many configs, and is no part of any of them.
SWEEP: Final = Parameter(
    "sweep",
    dict[str, Any] | None,
    None,
    "alternatives of other keys, which the command sweep trains",
    form="a mapping such as {loss: [mse, mae], learning_rate: {log_range: [1e-4, 1], points: 7}, "
    "tune: {metric: val_rmse, seeds: 2}}",
)

# What people write who come from elsewhere, by path, and the key that they mean.
HABITS: Final[dict[str, str]] = {
    "lr": "learning_rate",
    "optimizer.lr": "learning_rate",
    "optimizer.learning_rate": "learning_rate",
    "rate": "learning_rate",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "batch": "batch_size",
    "data": "dataset",
    "validation_split": "dataset.validation",
    "criterion": "loss",
    "loss_fn": "loss",
    "objective": "loss",
    "class_weight": "loss.class_weights",
    "loss.class_weight": "loss.class_weights",
    "loss.weight": "loss.class_weights",
    "from_logits": "loss.from_logits",
    "label_smoothing": "loss.label_smoothing",
    "monitor": "early_stopping.metric",
    "early_stopping.monitor": "early_stopping.metric",
    "patience": "early_stopping.patience",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "random_state": "seed",
    "random_seed": "seed",
    "schedule.t_max": "schedule.over_epochs",
    "schedule.decay_steps": "schedule.over_epochs",
    "schedule.eta_min": "schedule.final_fraction",
    "schedule.end_learning_rate": "schedule.final_fraction",
    "schedule.max_lr": "learning_rate",
    "optimizer.etas": "optimizer.etaminus",
    "optimizer.step_sizes": "optimizer.step_size_min",
    "optimizer.beta_1": "optimizer.betas",
    "optimizer.beta_2": "optimizer.betas",
    "model.units": "model.hidden",
    "model.hidden_units": "model.hidden",
    "model.hidden_layers": "model.hidden",
    "dataset.normalize": "dataset.standardize",
    "dataset.n_samples": "dataset.samples",
    "dataset.validation_split": "dataset.validation",
    "dataset.test_size": "dataset.test",
    "dataset.test_split": "dataset.test",
    "dataset.val": "dataset.validation",
    "dataset.sep": "dataset.delimiter",
    "dataset.separator": "dataset.delimiter",
    "dataset.file": "dataset.path",
    "dataset.target_column": "dataset.target",
    "dataset.label": "dataset.target",
    "dataset.na_values": "dataset.missing_values",
    "model.output_activation": "model.output",
}

# Of keys that have no counterpart, where what they are for is found.
ANSWERS: Final[dict[str, str]] = {
    "metrics": "every metric and loss of the task is computed anyway; compare_on names the one that decides",
    "callbacks": "early_stopping, checkpoint, schedule and best are keys of their own",
    "verbose": "the command says how much is shown: --quiet",
    "optimizer.clipnorm": "gradients are not clipped; a warm-up (schedule.warmup_epochs) tames the first steps",
    "workers": "data lie in memory and need no workers",
    "num_workers": "data lie in memory and need no workers",
}
