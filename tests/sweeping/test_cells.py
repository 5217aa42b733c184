from collections.abc import Callable
from typing import Any

import pytest

from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.sweeping.cells import cells_of, pairs_of, tuning_seeds
from lossrun.sweeping.search_space.block import read_space


def test_each_cell_is_the_base_config_with_its_changes(with_block: Callable[..., SourcedConfig]) -> None:
    reading = with_block({"loss": ["mse", {"name": "huber", "delta": 2.0}], "optimizer": ["sgd", "adam"]})
    cells = cells_of(reading, read_space(reading))
    assert [(cell.config.loss.name, cell.config.optimizer.name) for cell in cells] == [
        ("mse", "sgd"),
        ("mse", "adam"),
        ("huber", "sgd"),
        ("huber", "adam"),
    ]
    assert cells[2].config.loss["delta"] == 2.0
    assert cells[2].label == "loss=huber(delta=2) optimizer=sgd"
    assert all(cell.config.model == reading.config.model for cell in cells)
    assert all(cell.config.learning_rate == reading.config.learning_rate for cell in cells)


def test_pairs_are_what_is_not_tuned(with_block: Callable[..., SourcedConfig]) -> None:
    reading = with_block({"learning_rate": [0.1, 0.01], "loss": ["mse", "mae"]})
    pairs = pairs_of(cells_of(reading, read_space(reading)))
    assert [[(cell.pair, cell.tuned) for cell in pair] for pair in pairs] == [
        [({"loss": loss}, {"learning_rate": rate}) for rate in (0.1, 0.01)] for loss in ("mse", "mae")
    ]


def test_a_value_that_is_wrong_is_told_where_it_is_written(written: Callable[[str], SourcedConfig]) -> None:
    reading = written("sweep:\n  loss: [mse, hubber]\n  optimizer: [{name: sgd, momentun: 0.9}]")
    with pytest.raises(ConfigError) as refused:
        cells_of(reading, read_space(reading))
    momentum, loss = sorted(refused.value.problems, key=lambda problem: "hubber" in problem)
    assert "c.yaml:9:27" in momentum
    assert "did you mean optimizer.momentum" in momentum
    assert "c.yaml:8:15" in loss
    assert "did you mean huber" in loss


def test_a_value_from_an_option_is_told_with_the_option(with_block: Callable[..., SourcedConfig]) -> None:
    reading = with_block(None)
    with pytest.raises(ConfigError, match="--over loss=hubber"):
        cells_of(reading, read_space(reading, ["loss=mse,hubber"]))


@pytest.mark.parametrize(
    "block",
    [
        {"loss": ["mse", "mean_squared_error"]},
        {"loss": ["mse", {"name": "mse"}]},
        {"loss": ["mse"], "loss.reduction": ["mean", "mean"]},
    ],
)
def test_two_alternatives_that_are_the_same_are_refused(
    with_block: Callable[..., SourcedConfig], block: dict[str, Any]
) -> None:
    reading = with_block(block)
    with pytest.raises(ConfigError, match=r"the same config|given twice"):
        cells_of(reading, read_space(reading))


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ("sweep:\n  loss: [mse, mae, MeanSquaredError]\n  learning_rate: [0.1, 1]", "c.yaml:8:20: "),
        ("sweep:\n  learning_rate: [0.1, 1]\n  optimizer: [sgd, adam, {name: sgd, momentum: 0}]", "c.yaml:9:26: "),
    ],
)
def test_the_same_alternative_in_other_words_is_told_once_where_it_is_written(
    written: Callable[[str], SourcedConfig], block: str, place: str
) -> None:
    reading = written(block)
    with pytest.raises(ConfigError) as refused:
        cells_of(reading, read_space(reading))
    (problem,) = refused.value.problems
    assert place in problem
    assert "keep one of them" in problem


def test_tuning_never_sees_a_seed_of_the_final_runs(with_block: Callable[..., SourcedConfig]) -> None:
    for seeds in (1, 5, [7, 3, 900], [2**63 - 1, 0, 3]):
        reading = with_block({"loss": ["mse", "mae"]}, seeds=seeds)
        cells = cells_of(reading, read_space(reading))
        found = tuning_seeds(cells, 4)
        assert len(set(found)) == 4
        assert max(found) < 2**63
        assert not set(found) & {seed for cell in cells for seed in cell.config.seeds}


@pytest.mark.parametrize(
    "order", [("optimizer", "optimizer.momentum"), ("optimizer.momentum", "optimizer")], ids=" before ".join
)
def test_a_part_of_an_alternative_changes_that_alternative_whatever_the_order(
    with_block: Callable[..., SourcedConfig], order: tuple[str, str]
) -> None:
    values = {"optimizer": ["sgd", {"name": "rmsprop"}], "optimizer.momentum": [0.5, 0.9]}
    reading = with_block({key: values[key] for key in order})
    optimizers = [cell.config.optimizer for cell in cells_of(reading, read_space(reading))]
    assert {(optimizer.name, optimizer["momentum"]) for optimizer in optimizers} == {
        ("sgd", 0.5),
        ("sgd", 0.9),
        ("rmsprop", 0.5),
        ("rmsprop", 0.9),
    }


@pytest.mark.parametrize(
    ("key", "values", "labels"),
    [
        ("model.hidden", [[300, 100], [100], []], ["[300,100]", "[100]", "[]"]),
        ("batch_size", [16, "full"], ["16", "full"]),
        ("schedule", ["cosine", None], ["cosine", "none"]),
        ("learning_rate", [0.1, 0.10000001], ["0.1", "0.10000001"]),
        ("dataset.corrupt", [None, {"outliers": 0.1}], ["none", "(outliers=0.1)"]),
    ],
)
def test_alternatives_of_every_kind_are_told_apart(
    with_block: Callable[..., SourcedConfig], key: str, values: list[Any], labels: list[str]
) -> None:
    reading = with_block({key: values})
    cells = cells_of(reading, read_space(reading))
    assert [cell.label for cell in cells] == [f"{key}={label}" for label in labels]
    assert len({str(cell.config.to_mapping()) for cell in cells}) == len(values)
