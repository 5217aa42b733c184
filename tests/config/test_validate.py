from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import Choice, SourcedConfig, from_mapping
from lossrun.config.keys import KEYS
from lossrun.config.seeds import MAX_SEEDS
from lossrun.config.source import MAX_PROBLEMS
from lossrun.errors import ConfigError

Read = Callable[..., SourcedConfig]
Problems = Callable[..., list[str]]
OneProblem = Callable[..., str]

# The longer example of the design, verbatim.
LONGER = """\
name: mnist-mlp
tags: [lecture]
dataset: {name: mnist, validation: 5000, standardize: false, corrupt: {label_noise: 0.2, seed: 0}}
model: {name: mlp, hidden: [300, 100], activation: relu, output: auto, init: glorot_uniform, dropout: 0.2, batch_norm: false}
loss: {name: cross_entropy, label_smoothing: 0.1, class_weights: balanced, reduction: mean}
optimizer: {name: sgd, momentum: 0.9, nesterov: true, weight_decay: 1e-4}
learning_rate: 0.1
schedule: {name: cosine, warmup_epochs: 1}
epochs: 10
batch_size: 128
seeds: 5                       # seed, seed+1, ...; or a list (then without seed)
checkpoint: {every: 1 epoch, keep: 3}      # or "200 steps"
early_stopping: {metric: val_loss, patience: 5}
best: {metric: val_accuracy, mode: max}
on_divergence: continue        # per seed: the others go on; exit 6 only if all diverged
lint: {double_activation: warn}
precision: float32
"""  # noqa: E501
LINES = [
    "dataset: {name: synthetic_regression, kind: linear, samples: 1000, features: 10, "
    "noise: {name: gaussian, std: 0.1}, seed: 0, corrupt: {outliers: 0.05, outlier_scale: 10}}",
    "dataset: {name: synthetic_classification, kind: moons, samples: 1000, classes: 2, noise: 0.1, seed: 0}",
    "dataset: {name: csv, path: houses.csv, target: price, drop: [id], task: regression, encode: one_hot, "
    "missing: mean, standardize: {inputs: true, targets: true}}",
    "dataset: {name: inline, inputs: [[1], [2], [3], [4]], targets: [3, 5, 7, 9]}",
    "model: {name: mlp, hidden: [30], activation: sigmoid, output: sigmoid, init: {name: normal, std: 1.0}}",
]


def replaced(text: str, line: str) -> str:
    """`text` with `line` in the place of the line of the same key."""
    key = line.partition(":")[0]
    kept = [old for old in text.splitlines() if not old.startswith(f"{key}:")]
    return "\n".join([*kept, line])


def test_the_shortest_file_and_its_defaults(read_text: Read, shortest: str) -> None:
    config = read_text(shortest).config
    # The table of defaults in the design.
    assert config.seeds == (0,)
    assert (config.epochs, config.batch_size, config.shuffle, config.drop_last) == (10, 32, True, False)
    assert (config.dataset["validation"], config.dataset["test"], config.dataset["split_seed"]) == (0.1, "official", 0)
    assert config.dataset["standardize"] == {"inputs": False, "targets": False}
    assert config.dataset["corrupt"] is None
    assert (config.model["hidden"], config.model["activation"], config.model["output"]) == ([100], "relu", "auto")
    assert (config.model["dropout"], config.model["batch_norm"], config.model["init"]) == (0, False, {"name": "torch"})
    assert (config.loss["reduction"], config.loss["inputs"], config.loss["label_smoothing"]) == ("mean", "auto", 0)
    assert config.loss["class_weights"] is None
    assert (config.schedule.name, config.early_stopping, config.precision) == ("constant", None, "float32")
    assert (config.checkpoint.every_epochs, config.checkpoint.every_steps, config.checkpoint.keep) == (1, None, 3)
    assert (config.best.metric, config.best.mode, config.lint, config.on_divergence) == (
        "auto",
        "auto",
        "error",
        "stop",
    )
    assert config.run_name == "mnist-mlp-cross_entropy-adam"


def test_the_longer_file(read_text: Read) -> None:
    config = read_text(LONGER).config
    assert config.seeds == (0, 1, 2, 3, 4)
    assert config.dataset["corrupt"] == {"label_noise": 0.2, "outliers": 0.0, "outlier_scale": 10.0, "seed": 0}
    assert config.model["init"] == {"name": "glorot_uniform", "bias": 0.0}
    assert config.optimizer == Choice(
        "sgd", {"momentum": 0.9, "nesterov": True, "dampening": 0.0, "weight_decay": 1e-4}
    )
    assert config.lint == {"double_activation": "warn"}


@pytest.mark.parametrize("line", LINES)
def test_the_other_lines_of_the_design(read_text: Read, shortest: str, line: str) -> None:
    config = read_text(replaced(shortest, line)).config
    assert f"name: {getattr(config, line.partition(':')[0]).name}" in line


def test_inline_data_are_not_split_by_default(read_text: Read, shortest: str) -> None:
    config = read_text(replaced(shortest, LINES[3])).config
    assert (config.dataset["validation"], config.dataset["test"]) == (0, 0)


def test_all_mistakes_at_once_in_file_order_with_place_and_caret(problems: Problems) -> None:
    text = """\
dataset: {name: mnits, validation: 5000}
model: {name: mlp, hidden: [300, 0], activaton: relu}
lr: 0.1
optimizer: {name: adam, betas: [0.9, 1.5]}
epochs: ten
seeds: [1, 1]
\u00e9t\u00e9: 1
"""
    assert problems(text) == [
        "c.yaml:1:1: loss: missing: loss to minimize; expected a loss such as mse, mae, huber\n"
        "    dataset: {name: mnits, validation: 5000}\n    ^",
        "c.yaml:1:17: dataset.name: there is no dataset 'mnits'; did you mean mnist?\n"
        "    dataset: {name: mnits, validation: 5000}\n                    ^",
        "c.yaml:2:34: model.hidden[1]: 0 is not allowed; expected an integer of at least 1\n"
        "    model: {name: mlp, hidden: [300, 0], activaton: relu}\n" + " " * 37 + "^",
        "c.yaml:2:38: model.activaton: there is no such key; did you mean model.activation?\n"
        "    model: {name: mlp, hidden: [300, 0], activaton: relu}\n" + " " * 41 + "^",
        "c.yaml:3:1: lr: there is no such key; did you mean learning_rate?\n    lr: 0.1\n    ^",
        "c.yaml:4:38: optimizer.betas[1]: 1.5 is not allowed; expected a number of at least 0 and below 1\n"
        "    optimizer: {name: adam, betas: [0.9, 1.5]}\n" + " " * 41 + "^",
        "c.yaml:5:9: epochs: 'ten' is a string; expected an integer of at least 1\n    epochs: ten\n            ^",
        "c.yaml:6:8: seeds: [1, 1]; expected at least one seed, each only once\n    seeds: [1, 1]\n           ^",
        f"c.yaml:7:1: \u00e9t\u00e9: there is no such key; expected one of {', '.join(key.name for key in KEYS)}\n"
        "    \u00e9t\u00e9: 1\n    ^",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b", "just words", "3"])
def test_what_is_no_mapping(problems: Problems, text: str) -> None:
    (found,) = problems(text)
    assert "expected keys such as dataset, model, loss, optimizer, learning_rate" in found


@pytest.mark.parametrize("key", ["dataset", "model", "loss", "optimizer", "learning_rate"])
def test_a_required_key_must_be_there_and_not_empty(problem: OneProblem, key: str) -> None:
    assert problem("epochs: 3", replaces=key).split(": ")[1:3] == [key, "missing"]
    assert f"{key}: empty; expected a" in problem(f"{key}:", replaces=key)
    assert f"{key}: empty; expected a" in problem(f"{key}: null", replaces=key)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("epochs: true", "epochs: true is a boolean; expected an integer of at least 1"),
        ("epochs: 2.0", "epochs: 2.0 is not allowed; expected an integer of at least 1; write 2"),
        ("epochs: 1e3", "epochs: 1000.0 is not allowed; expected an integer of at least 1; write 1000"),
        (
            "model: {name: mlp, hidden: [1e3]}",
            "model.hidden[0]: 1000.0 is not allowed; expected an integer of at least 1; write 1000",
        ),
        ("epochs: 1" + 30 * "0", "epochs: 1e+30 is too large; expected an integer of at least 1"),
        ("epochs: 1e308", "epochs: 1e+308 is too large; expected an integer of at least 1"),
        ("seeds: [1e30]", "seeds[0]: 1e+30 is too large; expected an integer"),
        ("epochs: '3'", "epochs: '3' is a string; expected an integer of at least 1"),
        ("epochs: 0", "epochs: 0 is not allowed; expected an integer of at least 1"),
        ("epochs: [3]", "epochs: [3] is a list; expected an integer of at least 1"),
        ("epochs: 1e400", "epochs: inf is not a finite number; expected"),
        ("learning_rate: true", "learning_rate: true is a boolean; expected a number above 0"),
        ("learning_rate: 0", "learning_rate: 0 is not allowed; expected a number above 0"),
        ("learning_rate: -1e-3", "learning_rate: -0.001 is not allowed; expected a number above 0"),
        ("learning_rate: .nan", "learning_rate: nan is not a finite number; expected a number above 0"),
        ("learning_rate: .inf", "learning_rate: inf is not a finite number; expected a number above 0"),
        ("learning_rate: {a: 1}", "learning_rate: {'a': 1} is a mapping; expected a number above 0"),
        (
            "batch_size: ful",
            "batch_size: 'ful' is not known; did you mean full? Expected an integer of at least 1, or",
        ),
        ("shuffle: yes", "shuffle: 'yes' is a string; expected true or false"),
        ("shuffle: 1", "shuffle: 1 is not allowed; expected true or false"),
        ("name: 3", "name: 3 is not allowed; expected a string"),
        ("name: true", "name: true is a boolean; expected a string"),
        ("tags: lecture", "tags: 'lecture' is a string; expected a list, each a string; write it as ['lecture']"),
        ("tags: [a, 1]", "tags[1]: 1 is not allowed; expected a string"),
        ("precision: float16", "precision: 'float16' is not allowed: lossrun does not scale losses"),
        ("precision: float23", "precision: 'float23' is not known; did you mean float32?"),
        ("device: gpu", "device: 'gpu' is not known"),
        ("checkpoint: sometimes", "checkpoint.every: 'sometimes' is not allowed; expected a length such as '1 epoch'"),
        ("checkpoint: 0 epochs", "checkpoint.every: '0 epochs' is not allowed; expected a length"),
        ("checkpoint: {keep: 1}", "checkpoint.keep: 1 is not allowed; expected an integer of at least 2"),
        ("early_stopping: [3]", "early_stopping: [3]; expected a mapping with metric, mode, patience, min_delta"),
        (
            "early_stopping: {patience: 0}",
            "early_stopping.patience: 0 is not allowed; expected an integer of",
        ),
        ("lint: off", "lint: 'off' is not known; expected error, warn, or a mapping"),
        ("lint: {double_activation: wran}", "lint.double_activation: 'wran' is not known; did you mean warn?"),
        (
            "optimizer: {name: sgd, momentum: 1}",
            "optimizer.momentum: 1 is not allowed; expected a number of at",
        ),
        ("optimizer: {momentum: 0.9}", "optimizer: no name; expected an optimizer such as sgd"),
        ("optimizer: 3", "optimizer: name 3 is not a string"),
        ("optimizer: [adam]", "optimizer: ['adam']; expected an optimizer: its name"),
        (
            "model:\n  name: mlp\n  hidden: (64, 32)",
            "expected a list, each an integer of at least 1; write it as [64, 32]",
        ),
        ("model:\n  name: mlp\n  hidden: 64 32", "write it as [64, 32]"),
        ("seeds: 1, 2", "write it as [1, 2]"),
        ("tags: a, b c", "write it as [a, b c]"),
        ("model: {name: mlp, hidden: 100}", "expected a list, each an integer of at least 1; write it as [100]"),
        ("model: {name: mlp, init: normall}", "model.init: there is no initializer 'normall'; did you mean normal?"),
        ("model: {name: cnn, layers: lenet}", "model.layers: 'lenet'; expected a list of layers, or one of lenet5"),
        ("model: {name: cnn, layers: [conw]}", "model.layers[0]: there is no layer 'conw'; did you mean conv?"),
        ("dataset: {name: csv, target: y}", "dataset.path: missing: the file, relative to the config; expected a str"),
        ("dataset: {name: csv, target: y, path: }", "dataset.path: missing: the file"),
        ("dataset: {name: inline, inputs: [[1], [x]], targets: [1, 2]}", "dataset.inputs[1][0]: 'x' is a string; exp"),
        ("dataset: {name: inline, inputs: [1, [2]], targets: [1, 2]}", "dataset.inputs[1]: [2] is a list; expected a"),
        ("dataset: {name: synthetic_regression, noise: {std: 1}}", "dataset.noise: no name; expected a noise such as"),
        ("dataset: {name: mnist, standardize: 1}", "dataset.standardize.inputs: 1 is not allowed; expected true or"),
        ("loss: {name: cross_entropy, inputs: logit}", "loss.inputs: 'logit' is not known; did you mean logits?"),
        ("loss: {name: cross_entropy, class_weights: [1, -1]}", "loss.class_weights[1]: -1 is not allowed; expected a"),
        (
            "schedule: {name: cosine, final_fraction: 1.1}",
            "schedule.final_fraction: 1.1 is not allowed; expected a num",
        ),
        ("optimizer: {name: adam, eps: 1e-8, epsilon: 1e-7}", "optimizer.epsilon: the same key as eps; keep one"),
    ],
)
def test_values_are_taken_strictly(problem: OneProblem, line: str, complaint: str) -> None:
    assert complaint in problem(line, replaces=line.partition(":")[0])


def test_an_integer_is_taken_for_a_number(read_text: Read, shortest: str) -> None:
    rate = read_text(replaced(shortest, "learning_rate: 1")).config.learning_rate
    assert rate == 1.0
    assert type(rate) is float


@pytest.mark.parametrize(
    ("lines", "seeds"),
    [
        ("", (0,)),
        ("seed: 3", (3,)),
        ("seeds: 3", (0, 1, 2)),
        ("seed: 7\nseeds: 2", (7, 8)),
        ("seeds: [5, 1, 3]", (5, 1, 3)),
        ("seeds: null\nseed: 2", (2,)),
        ("seed: null\nseeds: [4]", (4,)),
    ],
)
def test_seeds_count_up_from_the_seed_or_are_listed(
    read_text: Read, shortest: str, lines: str, seeds: tuple[int, ...]
) -> None:
    assert read_text(shortest + lines).config.seeds == seeds


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("seeds: 0", "seeds: 0 seeds; expected 1 to"),
        (f"seeds: {MAX_SEEDS + 1}", "seeds; expected 1 to"),
        ("seeds: 99999999999999999999", "seeds; expected 1 to"),  # a range of this length would not fit in memory
        ("seeds: []", "seeds: []; expected at least one seed"),
        ("seeds: [2, 2]", "each only once"),
        ("seeds: [[1], [2]]", "seeds[0]: [1] is a list"),
        ("seeds: [1, -1]", "seeds[1]: -1 is not allowed"),
        ("seeds: -2", "seeds: -2 is not allowed"),
        ("seeds: false", "seeds: false is a boolean"),
        ("seeds: three", "seeds: 'three' is a string"),
        ("seed: 1\nseeds: [2, 3]", "seed: seeds already lists the seeds; keep one of them"),
        ("seed: -1", "seed: -1 is not allowed; expected an integer of at least 0"),
    ],
)
def test_impossible_seeds_are_refused_with_what_is_expected(problem: OneProblem, lines: str, complaint: str) -> None:
    assert complaint in problem(lines)


def test_null_restores_every_default(read_text: Read, shortest: str) -> None:
    plain = read_text(shortest).config
    keys = [key for key in plain.to_mapping() if f"{key}:" not in shortest]
    assert read_text(shortest + "".join(f"{key}: null\n" for key in keys)).config == plain
    for key in ("dataset", "model", "loss", "optimizer"):
        choice = getattr(plain, key)
        nulls = {"name": choice.name, **dict.fromkeys(choice.parameters)}
        assert from_mapping({**plain.to_mapping(), key: nulls}, Path()).config == plain


def test_a_mapping_of_any_keys_is_checked() -> None:
    raw: Any = {"dataset": "mnist", "model": "mlp", "loss": "mse", "optimizer": "sgd", "learning_rate": 1, 2: 3}
    with pytest.raises(ConfigError, match="config: 2: there is no such key"):
        from_mapping(raw, Path())


def test_after_many_mistakes_the_rest_is_not_looked_at(problems: Problems, shortest: str) -> None:
    found = problems(shortest + "".join(f"k{i}: 1\n" for i in range(5_000)))
    assert len(found) == MAX_PROBLEMS + 1
    assert f"{MAX_PROBLEMS} mistakes; the rest was not checked" in found[-1]
    layers = "{name: cnn, layers: [" + "{name: conv, kernel: -1}, " * 5_000 + "]}"
    assert len(problems(replaced(shortest, f"model: {layers}"))) == MAX_PROBLEMS + 1


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        *(("shuffle", word, "write false") for word in ("no", "No", "off", "n", "false", 0)),
        *(("shuffle", word, "write true") for word in ("yes", "on", "Y", "TRUE", 1)),
        ("shuffle", "maybe", "expected true or false"),
        ("checkpoint.every", 200, "write 200 epochs or 200 steps"),
        ("checkpoint.every", "200", "write 200 epochs or 200 steps"),
        ("checkpoint.every", "200steps", "write 200 steps"),
        ("checkpoint.every", "2 Epochs", "write 2 epochs"),
        ("checkpoint.every", "often", "expected a length such as '1 epoch' or '200 steps'"),
        ("checkpoint.every", 0, "expected a length such as '1 epoch' or '200 steps'"),
        ("checkpoint.every", 2.5, "expected a length such as '1 epoch' or '200 steps'"),
        ("seeds", ["a"], "expected an integer of at least 0"),
        ("model.hidden", [4, "a"], "expected an integer of at least 1"),
    ],
)
def test_a_wrong_value_is_answered_with_how_to_write_it(key: str, value: Any, fix: str) -> None:
    raw: dict[str, Any] = {
        "dataset": "synthetic_regression",
        "model": {"name": "mlp"},
        "loss": "mse",
        "optimizer": "adam",
        "learning_rate": 0.01,
    }
    group, _, leaf = key.rpartition(".")
    given = {leaf: value} if not group else {group: {**raw.get(group, {}), leaf: value}}
    with pytest.raises(ConfigError) as refused:
        from_mapping({**raw, **given}, Path())
    (problem,) = refused.value.problems
    assert problem.endswith(f"; {fix}")
