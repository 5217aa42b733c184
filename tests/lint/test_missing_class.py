"""A class that is trained on and does not occur among the held-out samples."""

from pathlib import Path

import pytest

from lossrun.config import from_mapping
from lossrun.errors import ConfigError
from lossrun.experiment import load_experiment

REST = {"model": "mlp", "optimizer": "adam", "learning_rate": 1e-3}


def warnings(dataset, loss, directory: Path):
    reading = from_mapping({**REST, "dataset": {"name": "inline", **dataset}, "loss": loss}, directory)
    return [line for line in load_experiment(reading, directory).warnings if line.endswith("[missing_class]")]


@pytest.mark.parametrize(
    ("targets", "task", "held_out", "told"),
    [
        ([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2], "multiclass", {"validation": 2}, ["no validation sample is of class 2"]),
        ([0] * 9 + [1] * 3, "binary", {"validation": 1}, ["no validation sample is of class 1"]),
        ([0] * 9 + [1] * 3, "binary", {"validation": 4, "test": 1}, ["no test sample is of class 1"]),
        ([0] * 9 + [1] * 3, "binary", {"validation": 4}, []),
        # Of 5 samples 3 are held out, 1 of them from each class of the largest remainder: 2 has but one.
        (
            [0, 0, 1, 1, 2],
            "multiclass",
            {"validation": 3},
            ["1 validation sample is of class 2, but no training sample is: no model can learn this"],
        ),
        # A class that nothing counts of is missed by nobody.
        ([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2], "multiclass", {"validation": 2, "ignore_index": 2}, []),
        ([0.5 * number for number in range(12)], "regression", {"validation": 2}, []),
        ([0] * 9 + [1] * 3, "binary", {"validation": 0}, []),
    ],
)
def test_it_is_named_with_its_part(targets, task, held_out, told, tmp_path):
    ignored = {name: value for name, value in held_out.items() if name == "ignore_index"}
    held_out = {name: value for name, value in held_out.items() if name not in ignored}
    dataset = {"inputs": list(range(len(targets))), "targets": targets, "task": task, "test": 0, **held_out}
    loss = {"multiclass": "cross_entropy", "binary": "binary_cross_entropy", "regression": "mse"}[task]
    found = warnings(dataset, {"name": loss, **ignored}, tmp_path)
    assert len(found) == len(told)
    assert all(text in line for text, line in zip(told, found, strict=True))


def test_a_label_that_no_held_out_sample_has_is_missing(tmp_path):
    targets = [[1, 0], [0, 0], [1, 0], [0, 0], [1, 1], [1, 0]] * 2
    # Which rows are held out is chosen so that the label 1 is not among them.
    for seed in range(20):
        dataset = {"inputs": list(range(12)), "targets": targets, "task": "multilabel", "validation": 2, "test": 0}
        found = warnings({**dataset, "split_seed": seed}, "binary_cross_entropy", tmp_path)
        if found:
            assert "no validation sample has the label" in found[0]
            return
    pytest.fail("every split held a sample with both labels")


def test_every_split_is_looked_at_where_seeds_have_their_own(tmp_path):
    def told(split_seed, seeds, rare):
        targets = [[number % 2, int(number < rare)] for number in range(12)]
        dataset = {"name": "inline", "inputs": list(range(12)), "targets": targets, "task": "multilabel"}
        held_out = {"validation": 4, "test": 0, "split_seed": split_seed}
        config = {**REST, "dataset": {**dataset, **held_out}, "loss": "binary_cross_entropy", "seeds": seeds}
        return [
            line
            for line in load_experiment(from_mapping(config, tmp_path), tmp_path).warnings
            if "missing_class" in line
        ]

    # A label of one sample is missing from one part or the other.
    each = [told(seed, [0], rare=1) for seed in range(8)]
    untrained = [seed for seed, (line,) in enumerate(each) if "1 validation sample has the label 1, but no" in line]
    unscored = [seed for seed, (line,) in enumerate(each) if "no validation sample has the label 1" in line]
    assert sorted(untrained + unscored) == list(range(8))
    (line,) = told("seed", [unscored[0], *untrained], rare=1)
    assert f"(split of seed {unscored[0]} and {len(untrained)} more of {len(untrained) + 1})" in line
    # Where all say the same there is no need to say which.
    (line,) = told("seed", unscored, rare=1)
    assert "split of" not in line
    # One of three samples is nearly always on both sides; the message need not be about the first split.
    broken = [seed for seed in range(40) if told(seed, [0], rare=3)]
    sound = [seed for seed in range(40) if seed not in broken]
    (line,) = told("seed", [sound[0], broken[0]], rare=3)
    assert f"(split of seed {broken[0]})" in line


def test_classes_have_their_names(tmp_path):
    rows = ["x,kind", *(f"{number},{'cat' if number % 2 else 'dog'}" for number in range(10)), "10,emu", "11,emu"]
    (tmp_path / "animals.csv").write_text("\n".join(rows) + "\n")
    reading = from_mapping(
        {
            **REST,
            "dataset": {"name": "csv", "path": "animals.csv", "target": "kind", "validation": 2, "test": 2},
            "loss": "cross_entropy",
        },
        tmp_path,
    )
    told = [line for line in load_experiment(reading, tmp_path).warnings if line.endswith("[missing_class]")]
    assert told
    assert all("is of class emu" in line for line in told)


@pytest.mark.parametrize(
    ("metric", "targets", "task", "held_out", "told"),
    [
        ("val_auc", [0] * 9 + [1] * 3, "binary", 1, "all validation samples are of one class"),
        ("val_average_precision", [0] * 9 + [1] * 3, "binary", 1, "no validation sample is of the positive class"),
        ("val_auc", [0] * 9 + [1] * 3, "binary", 4, None),
        ("val_f1", [0] * 9 + [1] * 3, "binary", 1, None),
        ("val_auc", [0] * 6 + [1] * 4 + [2] * 2, "multiclass", 1, "all validation samples are of one class"),
        ("val_average_precision", [0] * 6 + [1] * 4 + [2] * 2, "multiclass", 1, None),
        ("val_r2", [i / 7 for i in range(12)], "regression", 1, "the validation targets are all the same"),
        ("val_r2", [[i / 7, 0.5] for i in range(12)], "regression", 4, "targets are all the same in one column"),
        ("val_r2", [i / 7 for i in range(12)], "regression", 4, None),
        ("val_rmse", [i / 7 for i in range(12)], "regression", 1, None),
    ],
)
@pytest.mark.parametrize("key", ["best", "early_stopping", "schedule"])
def test_what_would_be_nan_in_every_epoch_cannot_be_watched(metric, targets, task, held_out, told, key, tmp_path):
    watched = {
        "best": {"best": metric},
        "early_stopping": {"early_stopping": {"metric": metric, "patience": 2}},
        "schedule": {"schedule": {"name": "reduce_on_plateau", "metric": metric}},
    }[key]
    dataset = {"name": "inline", "inputs": list(range(12)), "targets": targets, "task": task, "test": 0}
    loss = {"binary": "binary_cross_entropy", "multiclass": "cross_entropy", "regression": "mse"}[task]
    reading = from_mapping({**REST, "dataset": {**dataset, "validation": held_out}, "loss": loss, **watched}, tmp_path)
    if told is None:
        load_experiment(reading, tmp_path)
        return
    with pytest.raises(ConfigError, match=told):
        load_experiment(reading, tmp_path)
