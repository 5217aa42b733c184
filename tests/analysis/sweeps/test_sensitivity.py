from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lossrun.analysis.sweeps.sensitivity import heat_map, sensitivity
from lossrun.analysis.sweeps.speed import epochs_to, target_of
from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult, by_data
from lossrun.analysis.values.readings import spread
from lossrun.records.sweep_directory import PlannedCell


def tuning(pairs: list[Mapping[str, Any]], values: Mapping[str, list[Any]], score: float | None = 1.0) -> TuningResult:
    """Every pair tried with every value of one key; the score rises with the number of the pair and of the value."""
    ((key, tried),) = values.items()
    found = []
    for number, pair in enumerate(pairs):
        trials = []
        for place, value in enumerate(tried):
            cell = PlannedCell(f"tune-{number}-{place}", "tune", pair, {**pair, key: value}, {"seeds": [1]})
            measured = None if score is None else spread({1: score + number + place / 10})
            trials.append(Trial(cell, {key: value}, measured, diverged=False, ended=True))
        found.append(PairTuning(pair, tuple(trials), None if score is None else trials[0], (), None))
    return TuningResult("val_rmse", "min", False, tuple(found))


def test_each_pair_is_a_line_in_ascending_order() -> None:
    found = sensitivity(tuning([{"loss": "mse"}, {"loss": "mae"}], {"learning_rate": [1.0, 0.01, 0.1]}))
    assert found is not None
    assert (found.key, found.metric, found.goal, found.log) == ("learning_rate", "val_rmse", "min", True)
    assert [line.label for line in found.lines] == ["loss=mse", "loss=mae"]
    assert [line.xs for line in found.lines] == [(0.01, 0.1, 1.0)] * 2
    assert [[score.mean for score in line.scores if score] for line in found.lines] == [
        pytest.approx([1.1, 1.2, 1.0]),
        pytest.approx([2.1, 2.2, 2.0]),
    ]


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ({"learning_rate": [0.1, 0.2, 0.4]}, False),
        ({"optimizer.momentum": [0.0, 0.5, 0.9]}, False),
        ({"optimizer.weight_decay": [1e-6, 1e-4, 1e-2]}, True),
    ],
)
def test_the_axis_is_logarithmic_from_a_decade_on(values: Mapping[str, list[float]], log: bool) -> None:
    found = sensitivity(tuning([{}], values))
    assert found is not None
    assert found.log is log


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ({"learning_rate": [0.1, 0.2]}, 1.0),
        ({"schedule": ["cosine", "constant", "step"]}, 1.0),
        ({"learning_rate": [0.1, 0.2, 0.4]}, None),
    ],
)
def test_too_few_numbers_make_no_curve(values: Mapping[str, list[Any]], score: float | None) -> None:
    assert sensitivity(tuning([{}], values, score)) is None


def test_two_keys_make_a_map() -> None:
    pairs = [{"loss": loss, "optimizer": name} for loss in ("mse", "mae") for name in ("sgd", "adam", "lion")]
    found = heat_map(tuning(pairs, {"learning_rate": [0.1, 0.2]}))
    assert found is not None
    assert (found.keys, found.rows, found.columns) == (
        ("loss", "optimizer"),
        ("mse", "mae"),
        ("sgd", "adam", "lion"),
    )
    assert [[score.mean for score in row if score] for row in found.scores] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("losses", "optimizers", "keys"),
    [
        ("ab", "abcd", ("loss", "optimizer")),
        ("ab", "abcde", ("optimizer", "loss")),
        ("abcde", "ab", ("loss", "optimizer")),
        ("abcde", "abcde", ("loss", "optimizer")),
    ],
)
def test_a_map_of_many_columns_is_turned(losses: str, optimizers: str, keys: tuple[str, str]) -> None:
    pairs = [{"loss": loss, "optimizer": name} for loss in losses for name in optimizers]
    found = heat_map(tuning(pairs, {"learning_rate": [0.1, 0.2]}))
    assert found is not None
    assert found.keys == keys
    pair = dict(zip(keys, (found.rows[-1], found.columns[0]), strict=True))
    score = found.scores[-1][0]
    assert score is not None
    assert score.mean == 1.0 + pairs.index(pair)


@pytest.mark.parametrize(
    "pairs",
    [
        [{"loss": "mse"}, {"loss": "mae"}],
        [{"loss": "mse", "optimizer": "sgd"}, {"loss": "mae", "optimizer": "sgd"}],
        [{"loss": "mse", "optimizer": "sgd", "epochs": 3}, {"loss": "mae", "optimizer": "adam", "epochs": 4}],
        [{}],
    ],
)
def test_other_pairs_make_no_map(pairs: list[Mapping[str, Any]]) -> None:
    assert heat_map(tuning(pairs, {"learning_rate": [0.1, 0.2]})) is None


def test_the_map_of_one_dataset_has_the_keys_that_differ_there() -> None:
    """A key with one value makes neither a row nor a column, and scores on different data share no map."""
    pairs = [
        {"dataset": data, "loss": loss, "optimizer": name}
        for data in ("a", "b")
        for loss in ("mse", "mae")
        for name in ("sgd", "adam")
    ]
    parts = by_data(tuning(pairs, {"learning_rate": [0.1, 0.2]}))
    assert [part.about for part in parts] == ["dataset=a", "dataset=b"]
    found = heat_map(parts[1])
    assert found is not None
    assert found.keys == ("loss", "optimizer")
    # The score rises with the number of the pair, so the first of b is its best one and the last its worst.
    assert [[found.shade(row, column) for column in (0, 1)] for row in (0, 1)] == [
        pytest.approx([1, 2 / 3]),
        pytest.approx([1 / 3, 0]),
    ]


def test_every_pair_reaches_the_target_of_its_speed() -> None:
    found = tuning([{"loss": "mse"}, {"loss": "mae"}], {"learning_rate": [0.1, 0.2, 0.4]})
    target = target_of(found)
    assert target == pytest.approx(2.2)  # the worse pair has 2.0; its error may be a tenth larger
    first = found.pairs[0]
    assert first.chosen is not None
    courses = [(9.0, 2.1, 1.0), (9.0, 8.0, 2.21, 2.0), (9.0,)]
    pairs = [replace(first, chosen=replace(first.chosen, courses={0: course})) for course in courses]
    assert [epochs_to(2.2, pair, "min") for pair in pairs] == [2, 4, None]
    accuracies = replace(first, chosen=replace(first.chosen, courses={0: (0.1, 0.5, 0.4, 0.9)}))
    assert epochs_to(0.5, accuracies, "max") == 2
