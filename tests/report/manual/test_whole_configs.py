"""Every example is a whole config that can be trained as it is."""

from pathlib import Path

import pytest

from lossrun.catalog.lookup import COMPONENTS
from lossrun.config import from_mapping
from lossrun.config.key_paths import file_keys
from lossrun.config.reader import parse
from lossrun.experiment import experiment_without_data
from lossrun.report.manual.whole_configs import whole_config
from lossrun.report.reference.examples import yaml_lines
from lossrun.report.reference.key_topic import key_example

EXAMPLES = {
    **{f"{kind}-{one.name}": tuple(yaml_lines(one)) for kind, every in COMPONENTS.items() for one in every},
    **{f"key-{key.path}": key_example(key).lines for key in file_keys().values()},
}
# Weights that are all alike are what this initializer is for, and what the linter warns of.
WARNED = {"initializer-constant": "same_weights", "activation-none": "linear_hidden"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_holds_the_lines_and_the_linter_has_nothing_to_say(name: str) -> None:
    config = whole_config(EXAMPLES[name])
    assert EXAMPLES[name][-1] in config
    reading = from_mapping(parse("\n".join(config), "example")[0], Path())
    experiment = experiment_without_data(reading, Path())
    if experiment is None:  # a file that is not there
        assert reading.config.dataset.name in ("csv", "npz")
    else:
        told = [warning.partition("[")[2].partition("]")[0] for warning in experiment.warnings]
        assert told == ([WARNED[name]] if name in WARNED else [])


def test_nothing_given_is_the_shortest_config() -> None:
    assert [line.partition(":")[0] for line in whole_config([])] == [
        "dataset",
        "model",
        "loss",
        "optimizer",
        "learning_rate",
    ]


def test_of_several_lines_for_a_key_the_last_is_taken() -> None:
    config = whole_config(["loss: huber", "loss: {name: huber, delta: 2.0}"])
    assert "loss: {name: huber, delta: 2.0}" in config
    assert "loss: huber" not in config


def test_lines_that_continue_a_key_stay_with_it() -> None:
    lines = ["dataset:", "  name: inline", "  inputs: [1, 2]", "  targets: [1, 2]"]
    assert whole_config([*lines, "epochs: 3"]) == (
        *lines,
        "model: mlp",
        "loss: mse",
        "optimizer: adam",
        "learning_rate: 0.0005",
        "epochs: 3",
    )
