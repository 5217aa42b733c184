from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping, read
from lossrun.experiment import load_experiment
from lossrun.report.facts import facts, layers, seed_line

SHORT = {
    "dataset": {"name": "synthetic_regression", "samples": 100, "features": 3},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": {"name": "huber", "delta": 2.0},
    "optimizer": {"name": "sgd", "momentum": 0.9},
    "learning_rate": 0.01,
    "epochs": 1,
}


@pytest.fixture
def examined(tmp_path: Path):
    return lambda **changes: load_experiment(from_mapping({**SHORT, **changes}, tmp_path, []), tmp_path)


def banner(found):
    return facts(found.config, found.facts, found.notes)


def test_a_banner_says_what_will_be_done(examined):
    lines = banner(examined())
    # 100 samples: 20 for test, a tenth of the other 80 for validation.
    assert lines["data"].splitlines() == [
        "synthetic_regression: 3 inputs, regression (1 target)",
        "72 training, 8 validation, 20 test samples (split with seed 0)",
    ]
    # 3 * 4 + 4 in the hidden layer, 4 + 1 in the output.
    assert lines["model"] == "mlp, 21 parameters, output: raw values"
    assert lines["loss"] == "huber (delta 2.0), outputs vs. real-valued targets, mean"
    assert lines["optimizer"] == "sgd (momentum 0.9), learning rate 0.01\n1 epoch of 3 steps, batches of 32"
    assert lines["seed"].startswith("0 (repeats exactly")


def test_counts_are_in_the_right_number(examined):
    lines = banner(examined(epochs=1000, batch_size="full", schedule="cosine", seeds=3))
    assert lines["optimizer"].endswith("learning rate 0.01, cosine\n1,000 epochs of 1 step, batches of 72")
    assert lines["seed"] == "0, 1, 2"
    line = {"name": "inline", "inputs": [1, 2, 3, 4], "targets": [3, 5, 7, 9]}
    assert banner(examined(dataset=line))["data"].startswith("inline: 1 input, regression (1 target)")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"train": 20}, "14 training, 2 validation, 4 test samples (split with seed 0)"),
        # Nothing is drawn.
        (
            {"train": 20, "val": 5, "test": 3},
            "20 training, 5 validation, 3 test samples (validation and test parts given by the data)",
        ),
        (
            {"train": 20, "test": 3},
            "18 training, 2 validation, 3 test samples (split with seed 0; test part given by the data)",
        ),
    ],
)
def test_a_split_is_drawn_only_where_the_data_bring_none(examined, tmp_path, parts, said):
    rows = np.random.default_rng(0).normal(size=(20, 3))
    arrays = {f"{what}_{part}": rows[:size] + size for part, size in parts.items() for what in "xy"}
    np.savez(tmp_path / "parts.npz", **arrays)
    assert banner(examined(dataset={"name": "npz", "path": "parts.npz"}))["data"].splitlines()[1] == said


def test_files_of_a_split_are_named_next_to_what_is_drawn(examined, tmp_path):
    table = "a,y\n" + "".join(f"{row},{row / 7}\n" for row in range(20))
    (tmp_path / "all.csv").write_text(table)
    (tmp_path / "new.csv").write_text("a,y\n0.5,0.1\n1.5,0.2\n")
    named = {"name": "csv", "path": "all.csv", "target": "y", "split": {"test": "new.csv"}}
    said = "18 training, 2 validation, 2 test samples (split with seed 0; test from new.csv)"
    assert banner(examined(dataset=named))["data"].splitlines()[1] == said


def test_classes_are_counted_and_their_outputs_named(examined):
    blobs = {"name": "synthetic_classification", "kind": "blobs", "samples": 100, "classes": 4}
    lines = banner(examined(dataset=blobs, loss="cross_entropy"))
    assert "multiclass classification (4 classes)" in lines["data"]
    assert "split with seed 0, stratified" in lines["data"]
    assert lines["model"].endswith("output: logits")
    assert lines["loss"] == "cross_entropy, logits vs. class indices, mean"
    squares = banner(examined(dataset=blobs, loss="mse"))
    assert "output: softmax" in squares["model"]
    assert squares["loss"] == "mse, probabilities vs. one-hot classes, mean"


def test_a_banner_is_ascii(examined):
    split = {**SHORT["dataset"], "split_seed": "seed", "corrupt": {"outliers": 0.1}}
    assert all(text.isascii() for text in banner(examined(dataset=split)).values())


def test_layers_follow_the_declaration(examined):
    found = examined()
    assert [(layer.name, layer.parameters) for layer in layers(found.config, found.facts)] == [
        ("hidden1", 16),
        ("output", 5),
    ]


CLASSES = {"name": "synthetic_classification", "kind": "blobs", "samples": 100, "classes": 3}


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        # What is not the default, a 0 too.
        ({"name": "cross_entropy", "ignore_index": 0}, "cross_entropy (ignore_index 0), logits"),
        ({"name": "focal", "gamma": 0}, "focal (gamma 0.0, alpha 1.0), logits"),
        (
            {"name": "cross_entropy", "class_weights": {1: 0, 2: 3}},
            "cross_entropy (class_weights {1: 0.0, 2: 3.0}), logits",
        ),
        ({"name": "cross_entropy", "label_smoothing": 0}, "cross_entropy, logits"),
    ],
)
def test_a_banner_shows_a_zero_that_was_chosen(examined, loss, shown):
    assert banner(examined(dataset=CLASSES, loss=loss))["loss"].startswith(shown)


def test_a_banner_shows_what_was_written_down(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "dataset: {name: synthetic_classification, kind: blobs, samples: 100, classes: 3}\n"
        "model: {name: mlp, hidden: [4], dropout: 0, batch_norm: false}\n"
        "loss: {name: cross_entropy, label_smoothing: 0}\n"
        "optimizer: {name: sgd, momentum: 0, nesterov: false}\nlearning_rate: 0.1\n"
    )
    found = load_experiment(read(tmp_path / "c.yaml", ["optimizer.weight_decay=0"]), tmp_path)
    lines = facts(found.config, found.facts, written=found.reading.source.written)
    assert ", dropout 0.0, batch norm off, " in lines["model"]
    assert lines["loss"].startswith("cross_entropy (label_smoothing 0.0),")
    assert lines["optimizer"].startswith("sgd (momentum 0.0, nesterov off, weight_decay 0.0)")
    assert "label_smoothing" not in banner(found)["loss"]


def test_a_banner_says_what_counts_nowhere(examined):
    lines = banner(examined(dataset=CLASSES, loss={"name": "cross_entropy", "ignore_index": 2}))
    assert lines["loss"].splitlines()[1] == "samples of class 2 are ignored in the loss and in the metrics"


@pytest.mark.parametrize(
    ("seeds", "line"),
    [
        ({"seeds": 3}, "0, 1, 2"),
        ({"seed": 5, "seeds": 20}, ", ".join(map(str, range(5, 25)))),
        ({"seed": 5, "seeds": 10_000}, "5 to 10004 (10,000 seeds)"),
        ({"seeds": [*range(40), 99]}, ", ".join(map(str, [*range(40), 99]))),
    ],
)
def test_many_seeds_are_named_by_the_first_and_the_last(seeds: dict[str, Any], line: str) -> None:
    config = {"dataset": "synthetic_regression", "model": "mlp", "loss": "mse", "optimizer": "adam", "learning_rate": 1}
    assert seed_line(from_mapping({**config, **seeds}, Path()).config) == line
