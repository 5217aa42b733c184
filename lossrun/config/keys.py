"""Declare the keys of a config file."""

from typing import Any, Final, Literal

from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Nested, Parameter

AUTO_MODE: Final = Parameter(
    "mode", Literal["auto", "min", "max"], "auto", "whether lower or higher is better; auto: as declared for the metric"
)

KEYS: Final[tuple[Key, ...]] = (
    Parameter("name", str | None, None, "name of the run; by default <dataset>-<model>-<loss>-<optimizer>"),
    Parameter("tags", list[str], [], "words for finding the run"),
    Nested("dataset", "dataset", REQUIRED, "data to learn from"),
    Nested("model", "model", REQUIRED, "model to train"),
    Nested("loss", "loss", REQUIRED, "loss to minimize"),
    Nested("optimizer", "optimizer", REQUIRED, "rule that turns gradients into updates of the weights"),
    Parameter("learning_rate", float, REQUIRED, "size of the optimizer's steps", above=0),
    Nested("schedule", "schedule", "constant", "how the learning rate changes during training"),
    Parameter("epochs", int, 10, "passes over the training data", at_least=1),
    Parameter(
        "batch_size",
        int | Literal["full"],
        32,
        "samples per step; full: all training samples",
        unit="samples",
        at_least=1,
    ),
    Parameter("shuffle", bool, True, "shuffle the samples in every epoch"),
    Parameter("drop_last", bool, False, "drop the last batch of an epoch if it is smaller"),
    Parameter("seed", int, 0, "seed of all randomness", at_least=0),
    Parameter(
        "seeds",
        int | list[int] | None,
        None,
        "how many seeds to train (seed, seed+1, ...), or a list of them",
        at_least=0,
    ),
    Parameter(
        "splits",
        int | list[int] | None,
        None,
        "how many random splits of the data to draw, each with its own seeds (then seeds is the total, a multiple of "
        "this); the intervals of compare then hold for new splits too. The first seed of each split draws it; a list "
        "gives the seeds that draw them",
        at_least=0,
        form="an integer of at least 2, a list of seeds that draw the splits, or null",
        example=10,
    ),
    Parameter(
        "folds",
        int | list[str] | None,
        None,
        "how many folds to divide the data into; each is the test data of one split, with its own seeds (then seeds is "
        "the total, a multiple of this). A list uses some of them: [1/5, 4/5]",
        at_least=2,
        pattern=r"[1-9][0-9]*/[1-9][0-9]*",
        form="an integer of at least 2, a list of folds such as 1/5, or null",
        example=5,
    ),
    KeyGroup(
        "checkpoint",
        (
            Parameter(
                "every",
                str,
                "1 epoch",
                "how often to save",
                pattern=r"[1-9][0-9]* (epochs?|steps?)",
                form="a length such as '1 epoch' or '200 steps'",
                endings=(" epochs", " steps"),
            ),
            Parameter("keep", int, 3, "how many of the newest checkpoints to keep, besides best and last", at_least=2),
        ),
        {},
        "when to save the full state",
        short_for="every",
    ),
    KeyGroup(
        "early_stopping",
        (
            Parameter("metric", str, "auto", "metric to watch; auto: val_loss"),
            AUTO_MODE,
            Parameter("patience", int, 5, "epochs without improvement before stopping", unit="epochs", at_least=1),
            Parameter("min_delta", float, 0.0, "the least change that counts as an improvement", at_least=0),
        ),
        None,
        "when to stop before the last epoch",
        short_for="patience",
    ),
    KeyGroup(
        "best",
        (
            Parameter(
                "metric", str, "auto", "metric that chooses; auto: val_loss, or train_loss without validation data"
            ),
            AUTO_MODE,
        ),
        {},
        "which epoch's weights to keep as the best",
        short_for="metric",
    ),
    Parameter(
        "on_divergence", Literal["stop", "continue"], "stop", "what the other seeds do when one of several diverges"
    ),
    Parameter(
        "lint",
        Literal["error", "warn"] | dict[str, Literal["error", "warn", "off"]],
        "error",
        "severity of the linter's errors: for all rules, or rule by rule",
        form="error, warn, or a mapping such as {double_activation: warn}",
    ),
    Parameter(
        "precision",
        Literal["float32", "float64", "bf16"],
        "float32",
        "precision of weights, data, and sums; bf16: the model in bfloat16, everything else in float32",
    ),
    Parameter(
        "step",
        Literal["auto", "eager", "recorded"],
        "auto",
        "how updates are computed; recorded: recorded once, then replayed; auto: recorded, except for models and "
        "losses of your own",
    ),
    Parameter(
        "device", Literal["auto", "cpu", "cuda", "mps"], "auto", "device to train on; auto: cuda if available, else cpu"
    ),
    Parameter("compare_on", str | None, None, "metric that decides comparisons"),
)

# The sweep block is next to these keys in a file: it describes many configs, and is not part of any of them.
SWEEP: Final = Parameter(
    "sweep",
    dict[str, Any] | None,
    None,
    "alternatives for other keys, which the command sweep trains",
    form="a mapping such as {loss: [mse, mae], learning_rate: {log_range: [1e-4, 1], points: 7}, "
    "tune: {metric: val_rmse, seeds: 2}}",
)

# What else a sweep block may hold: {name: what it says}.
SWEEP_OPTIONS: Final[dict[str, str]] = {
    "tune": "how values are chosen for each pair: {metric: val_rmse, seeds: 2}; with repeats: 6, they are chosen six "
    "times, once for each final seed; false for a plain grid",
    "samples": "how many values to draw for each pair from ranges without points",
    "sampler": "random, or tpe, which draws more where the first values did well and needs Optuna; with repeats, each "
    "of them draws by its own scores",
    "seed": "the seed of the draws, 0 by default",
    "halving": "{factor: 3} trains all values for a ninth of the epochs, the best third of each pair for a third, and "
    "the best of these for all; with tpe, each draw goes through these rounds before the next one",
    "extend": "true, or how many values may be added where the best one is on the edge of its range; with repeats, "
    "each of them adds its own",
}

# Names of keys in other programs, by path, and the key that they mean here.
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
    "cv": "folds",
    "n_splits": "folds",
    "k_folds": "folds",
    "n_repeats": "splits",
    "schedule.t_max": "schedule.over_epochs",
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
    **dict.fromkeys(("model.conv", "model.conv_layers", "model.filters", "model.kernel_size"), "model.layers"),
    **dict.fromkeys(("model.neurons", "model.num_layers", "model.layer_sizes"), "model.hidden"),
    **dict.fromkeys(("model.kernel_initializer", "model.initializer", "weight_initialization"), "model.init"),
    **dict.fromkeys(("gpu", "gpus", "accelerator"), "device"),
    **dict.fromkeys(("val_split", "validation_data"), "dataset.validation"),
    "test_size": "dataset.test",
    "dtype": "precision",
    "sample_weight": "dataset.weight",
    **dict.fromkeys(("warmup", "warmup_steps"), "schedule.warmup_epochs"),
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

# Answers to keys of other programs that have no counterpart here.
ANSWERS: Final[dict[str, str]] = {
    "metrics": "every metric and loss of the task is always computed; compare_on chooses the one that decides",
    "callbacks": "use the keys early_stopping, checkpoint, schedule, and best instead",
    "verbose": "use the option --quiet to show less",
    **dict.fromkeys(
        ("optimizer.clipnorm", "optimizer.clipvalue", "optimizer.global_clipnorm", "gradient_clip_val", "clipnorm"),
        "gradients are not clipped; a warm-up (schedule.warmup_epochs) keeps the first steps small",
    ),
    **dict.fromkeys(
        ("steps_per_epoch", "max_steps"),
        "an epoch is one pass over the training data, in batches of batch_size",
    ),
    **dict.fromkeys(
        ("model.input_shape", "model.in_features", "model.num_classes", "model.output_size"), "it follows from the data"
    ),
    **dict.fromkeys(("output_dir", "log_dir"), "the option --runs-dir names the folder of the runs"),
    "save_best_only": "the weights of the best epoch are always kept; best chooses the metric",
    "early_stopping.restore_best_weights": "the weights of the best epoch are always kept, and scored next to the last",
    **dict.fromkeys(
        ("model.kernel_regularizer", "model.regularizer", "model.l2", "loss.l2"),
        "the loss has no penalty on weights; in sgd, optimizer.weight_decay of twice Keras' factor is the same",
    ),
    "model.output_bias": "the first biases are those of model.init",
    "schedule.decay_steps": "lengths are in epochs here: every, or over_epochs for cosine, linear and polynomial",
    "workers": "data are kept in memory, so there are no workers",
    "num_workers": "data are kept in memory, so there are no workers",
}
