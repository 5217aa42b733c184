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
        "how many random splits of the data to draw, each with its own seeds; seeds is then the total, a multiple of "
        "splits. The intervals of compare then also hold for new splits. Each split is drawn with its first seed; a "
        "list gives these seeds",
        at_least=0,
        form="an integer of at least 2, a list of seeds that draw the splits, or null",
        example=10,
    ),
    Parameter(
        "folds",
        int | list[str] | None,
        None,
        "how many folds to divide the data into. Each fold is the test data of one split, with its own seeds; seeds "
        "is then the total, a multiple of folds. A list uses only some folds: [1/5, 4/5]",
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
            Parameter(
                "keep", int, 3, "how many of the newest checkpoints to keep, apart from best and last", at_least=2
            ),
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
        spellings={
            **dict.fromkeys(("fp32", "32", "32-true"), "float32"),
            **dict.fromkeys(("fp64", "64", "64-true", "double"), "float64"),
            **dict.fromkeys(("bfloat16", "mixed_bfloat16", "bf16-mixed"), "bf16"),
        },
        refused=dict.fromkeys(
            ("float16", "fp16", "half", "16-mixed", "mixed_float16"),
            "lossrun does not scale losses, which float16 needs; use bf16",
        ),
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
    "extend": "true, or how many values may be added where the best one is on the edge of its range; every pair then "
    "gets the same number of values; with repeats, each repetition adds its own",
}
