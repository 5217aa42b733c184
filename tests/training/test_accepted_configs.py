"""What `lossrun check` accepts, trains: over settings from the whole catalogue, put together at random."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import COMPONENTS
from lossrun.config import from_mapping
from lossrun.errors import LossrunError
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.untold import parts_to_try
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.other_values import required, variants

# So many that every loss, optimizer and schedule is trained, some of them twice.
TRIED = 52
FEATURES = {"name": "csv", "path": "t.csv", "inputs": ["a", "b"]}
TARGETS: dict[str, Any] = {"regression": ["y", "z"], "binary": "l", "multiclass": "c", "multilabel": ["l", "m"]}
DATA: dict[str, list[Any]] = {
    "weight": ["w"],
    "split": [{"groups": "g"}, {"order": "d"}, {"column": "p"}],
    "validation": [0, 1, 0.4],
    "test": [0, 1],
    "split_seed": ["seed"],
    "standardize": [True, {"inputs": True, "targets": True}],
    "corrupt": [{"label_noise": 0.3}, {"outliers": 0.2}],
}
LOSS: dict[str, list[Any]] = {
    "class_weights": ["balanced", [1, 2], [1, 2, 0]],
    "ignore_index": [0, -100],
    "label_smoothing": [0.2],
    "reduction": ["sum"],
}
WATCHED = ["val_loss", "train_loss", "val_accuracy", "val_mae", "val_macro_f1", "val_auc"]
RUN: dict[str, list[Any]] = {
    "batch_size": [1, 3, 5, 100],
    "drop_last": [True, True, False],
    "early_stopping": [1, *({"metric": metric, "patience": 1} for metric in WATCHED)],
    "best": WATCHED,
    "precision": ["bf16", "float64"],
    "seeds": [2, 3],
    "splits": [2],
    "folds": [3, ["1/3"]],
    "step": ["eager", "recorded"],
}


def table(folder: Path) -> None:
    draw = random.Random(5)
    lines = [
        f"{draw.gauss(0, 1)},{draw.gauss(5, 2)},g{draw.randrange(6)},{i},{('train', 'train', 'val', 'test')[i % 4]},"
        f"{draw.choice([0, 1, 2.5])},{1 + draw.random()},{draw.random()},{'xyz'[min(2, draw.randrange(5))]},{i % 2},"
        f"{draw.randrange(2)}"
        for i in range(41)
    ]
    (folder / "t.csv").write_text("\n".join(["a,b,g,d,p,w,y,z,c,l,m", *lines]))


def some(draw: random.Random, keys: dict[str, list[Any]], share: float) -> dict[str, Any]:
    return {key: draw.choice(values) for key, values in keys.items() if draw.random() < share}


def component(draw: random.Random, kind: str, name: str) -> dict[str, Any]:
    """A component with up to two parameters changed, by values of its declaration."""
    declared = next(one for one in COMPONENTS[kind] if one.name == name)
    changes = variants(declared)
    chosen = {"name": name, **required(declared)}
    for change in draw.sample(changes, min(len(changes), draw.randrange(3))):
        chosen |= change
    return chosen


def simpler(draw: random.Random, config: dict[str, Any]) -> dict[str, Any] | None:
    """The config without one of the settings that it does not need; None if there is none."""
    places = [(config, key) for key in config if key in (*RUN, "schedule")]
    for kind in ("dataset", "model", "loss", "optimizer"):
        needed = ("name", "path", "inputs", "target", "task")
        places += [(config[kind], key) for key in config[kind] if key not in needed]
    if not places:
        return None
    holder, key = draw.choice(places)
    del holder[key]
    return config


def accepted(config: dict[str, Any], folder: Path) -> Experiment:
    """The experiment, if `lossrun check` finds nothing to refuse. Raises LossrunError."""
    experiment = load_experiment(from_mapping(config, folder), folder)
    if parts_to_try(experiment.config, experiment.facts, experiment.data.values()):
        prepare(experiment)
    return experiment


def experiments(folder: Path) -> Iterator[tuple[dict[str, Any], Experiment]]:
    draw = random.Random(1)
    names = {kind: [one.name for one in COMPONENTS[kind]] for kind in ("loss", "optimizer", "schedule")}
    for number in range(TRIED):
        loss, optimizer, schedule = (some_[number % len(some_)] for some_ in names.values())
        task = draw.choice(next(one.tasks for one in COMPONENTS["loss"] if one.name == loss))
        config: dict[str, Any] | None = {
            "dataset": {**FEATURES, "task": task, "target": TARGETS[task], **some(draw, DATA, 0.2)},
            "model": {**component(draw, "model", "mlp"), "batch_norm": draw.random() < 0.7},
            "loss": {**component(draw, "loss", loss), **some(draw, LOSS, 0.15)},
            "optimizer": component(draw, "optimizer", optimizer),
            "schedule": component(draw, "schedule", schedule),
            "learning_rate": 1e-3,
            "epochs": 1,
            **some(draw, RUN, 0.4),
        }
        while config is not None:
            try:
                yield config, accepted(config, folder)
                break
            except LossrunError:
                config = simpler(draw, config)


@pytest.mark.slow
def test_what_check_accepts_trains(tmp_path: Path) -> None:
    table(tmp_path)
    trained: dict[str, set[str]] = {"loss": set(), "optimizer": set(), "schedule": set()}
    for config, experiment in experiments(tmp_path):
        with begin(prepare(experiment), tmp_path / "runs") as session:
            epochs = list(train(session, lambda: None))
        assert epochs, config
        for kind, names in trained.items():
            names.add(getattr(experiment.config, kind).name)
    for kind, names in trained.items():
        assert names >= {one.name for one in COMPONENTS[kind]}, kind
