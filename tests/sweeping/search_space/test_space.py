import re
from collections.abc import Callable
from typing import Any

import pytest

from lossrun.config import Draft, SourcedConfig
from lossrun.errors import ConfigError
from lossrun.sweeping.cells import cells_of
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from lossrun.sweeping.search_space.block import MOST_CELLS, read_space
from lossrun.sweeping.search_space.over_option import over_option

RATES = {"log_range": [1e-4, 1], "points": 5}


def test_lists_make_a_grid_in_the_order_of_the_block(with_block: Callable[..., SourcedConfig]) -> None:
    space = read_space(with_block({"loss": ["mse", "mae"], "optimizer.momentum": [0, 0.9, 0.99]}))
    found = [{key: value for key, (value, _) in one.items()} for one in space.combinations()]
    assert found == [
        {"loss": loss, "optimizer.momentum": momentum} for loss in ("mse", "mae") for momentum in (0, 0.9, 0.99)
    ]
    assert space.size == len(found)
    assert space.tuning is None


def test_a_logarithmic_range_is_evenly_spaced_and_readable(with_block: Callable[..., SourcedConfig]) -> None:
    (rates,) = read_space(with_block({"learning_rate": RATES})).alternatives
    assert rates.values == (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    (rates,) = read_space(with_block({"learning_rate": {"log_range": [1e-4, 1], "points": 7}})).alternatives
    assert rates.values == (0.0001, 0.000464, 0.00215, 0.01, 0.0464, 0.215, 1.0)  # 10 ** (-4 + 4 k / 6), 3 digits
    (momenta,) = read_space(with_block({"optimizer.momentum": {"range": [0, 0.8], "points": 3}})).alternatives
    assert momenta.values == (0.0, 0.4, 0.8)


@pytest.mark.parametrize(
    ("block", "tuned"),
    [
        ({"loss": ["mse", "mae"]}, ()),
        ({"loss": ["mse", "mae"], "learning_rate": [0.1, 0.01]}, ("learning_rate",)),
        ({"loss": ["mse", "mae"], "learning_rate": [0.1, 0.01], "tune": False}, ()),
        ({"optimizer.momentum": {"range": [0, 0.9], "points": 3}}, ("optimizer.momentum",)),
        ({"learning_rate": {"log_range": [1e-3, 1]}, "samples": 4}, ("learning_rate",)),
        # One rate leaves nothing to choose: it is part of every pair.
        ({"loss": ["mse", "mae"], "learning_rate": [0.1]}, ()),
        (
            {"learning_rate": [0.1], "optimizer.momentum": {"range": [0, 0.9], "points": 3}},
            ("optimizer.momentum",),
        ),
    ],
)
def test_rates_and_ranges_are_tuned(
    with_block: Callable[..., SourcedConfig], block: dict[str, Any], tuned: tuple[str, ...]
) -> None:
    assert read_space(with_block(block)).tuned == tuned


def test_every_pair_gets_the_same_draws(with_block: Callable[..., SourcedConfig]) -> None:
    block = {"loss": ["mse", "mae"], "learning_rate": {"log_range": [1e-3, 1]}, "samples": 5, "seed": 3}
    drawn: dict[str, list[float]] = {}
    for one in read_space(with_block(block)).combinations():
        drawn.setdefault(one["loss"][0], []).append(one["learning_rate"][0])
    assert drawn["mse"] == drawn["mae"]
    assert len(set(drawn["mse"])) == 5
    assert all(1e-3 <= rate <= 1 for rate in drawn["mse"])
    again = [one["learning_rate"][0] for one in read_space(with_block({**block, "seed": 4})).combinations()]
    assert again[:5] != drawn["mse"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss=mse,mae", ("loss", ["mse", "mae"])),
        ("learning_rate=1e-2, 0.1", ("learning_rate", [0.01, 0.1])),
        ("learning_rate=log:1e-4:1:7", ("learning_rate", {"log_range": [1e-4, 1], "points": 7})),
        ("optimizer.momentum=lin:0:0.9:4", ("optimizer.momentum", {"range": [0, 0.9], "points": 4})),
        ("learning_rate=log:1e-4:1", ("learning_rate", {"log_range": [1e-4, 1]})),
        ("model.hidden=[300, 100],[100]", ("model.hidden", [[300, 100], [100]])),
        ("loss={name: huber, delta: 2},mse", ("loss", [{"name": "huber", "delta": 2}, "mse"])),
        ("dataset.path='a,b.csv',d'e.csv", ("dataset.path", ["a,b.csv", "d'e.csv"])),
        ('dataset={name: csv, path: "a,b.csv"},moons', ("dataset", [{"name": "csv", "path": "a,b.csv"}, "moons"])),
    ],
)
def test_options_say_what_a_block_says(text: str, expected: tuple[str, Any]) -> None:
    assert over_option(text) == expected


NO_OPTIONS = ["loss", "=mse", "loss=", "learning_rate=[0.1", "loss=mse,", "loss=mse,,mae"]
# Ranges as other programs write them.
NO_RANGES = ["log:1:2:3:4", "linear:0.1:1:3", "range:0.1:1:3", "0.1:1:3", "1e-4:1", "loguniform:1e-4:1"]


@pytest.mark.parametrize("text", [*NO_OPTIONS, *(f"learning_rate={one}" for one in NO_RANGES)])
def test_an_option_without_key_or_values_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--over"):
        over_option(text)


@pytest.mark.parametrize(
    ("option", "like"),
    [
        ("loss=[mse, mae]", "loss=mse,mae"),
        ("learning_rate=[0.1, 0.01]", "learning_rate=0.1,0.01"),
        ("learning_rate={log_range: [0.1, 1], points: 3}", "learning_rate=log:0.1:1:3"),
        ("model.hidden=[[4], [5]]", "model.hidden=[4],[5]"),
    ],
)
def test_an_option_may_have_its_values_as_a_block_has_them(
    with_block: Callable[..., SourcedConfig], option: str, like: str
) -> None:
    one, other = (read_space(with_block(None), [text]) for text in (option, like))
    assert one.alternatives == other.alternatives


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["loss=mse", "loss=mae"], "loss is given twice"),
        (["tune=val_mae", "loss=mse"], "--set sweep.tune=val_mae"),
        (["seed=1,2"], "seeds are repetitions"),
    ],
)
def test_options_that_no_block_would_say_are_refused(
    with_block: Callable[..., SourcedConfig], options: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(with_block(None), options)


# A block in YAML, and what the message says. Each one points at its line.
REFUSED = {
    "sweep: {los: [mse, mae]}": "did you mean loss",
    "sweep: {lr: [0.1, 1]}": "did you mean learning_rate",
    "sweep: {colour: [red]}": "there is no key colour",
    "sweep: {loss: []}": "the list is empty",
    "sweep: {loss: mse}": "expected a list of alternatives",
    "sweep: {learning_rate: {values: [0.1, 0.01]}}": r"write learning_rate: \[0.1, 0.01\]",
    "sweep: {optimizer: {name: [sgd, adam]}}": r"write optimizer: \[sgd, adam\]",
    "sweep: {loss: {name: huber, delta: [1, 2]}}": r"\[{name: huber, delta: 1}, {name: huber, delta: 2}\]",
    "sweep: {model.hidden: {range: [10, 100], points: 3}}": "is itself a list, so it cannot have a range",
    "sweep: {loss: ['mine:own', mse], loss.gamma: [1, 2]}": 'loss: .mse, {name: "mine:own", gamma: ...}',
    "sweep: [mse, mae]": "expected a mapping",
    "sweep: {loss: [mse, mae, mse]}": "mse is given twice",
    "sweep: {loss: [{name: huber}, {name: huber}]}": "huber is given twice",
    "sweep: {'loss ': [mse, mae]}": "there is no key 'loss '; did you mean loss",
    "sweep: {'.': [mse, mae]}": "there is no key .;",
    "sweep: {loss.: [mse, mae]}": "did you mean loss",
    "sweep: {sweep.loss: [mse, mae]}": "name the key as the config has it: loss",
    "sweep: {samplr: tpe, loss: [mse, mae]}": "did you mean sampler",
    "sweep: {metric: val_rmse, loss: [mse, mae]}": "write tune: {metric: ...}",
    "sweep: {loss: [mse, huber], loss.delta: [1, 2]}": "mse has no delta; write it inside .* {name: huber, delta: ...}",
    "sweep: {optimizer: [SGD, {name: adam}], optimizer.momentum: {range: [0, 1], points: 3}}": "adam has no momentum",
    "sweep: {model.hidden: [300, 100]}": r"\[\[300, 100\]\] for one alternative, or \[\[300\], \[100\]\] for 2",
    "sweep: {seeds: [1, 2]}": "seeds are repetitions",
    "sweep: {learning_rate: {log_range: [0, 1], points: 3}}": "two numbers above 0",
    "sweep: {learning_rate: {log_range: [1, 0.1], points: 3}}": "the smaller one first",
    "sweep: {learning_rate: {log_range: [0.1, 1], points: 1}}": "from 2 to",
    "sweep: {learning_rate: {log_range: [0.1, 1], points: 9}, halving: {factor: 4}}": "set epochs to at least 4",
    "sweep: {learning_rate: {log_range: [0.1, 1]}}": "a range needs points",
    "sweep: {learning_rate: {log_range: [0.1, 1], steps: 3}}": "there is no steps",
    "sweep: {loss: [mse, mae], tune: val_rmse}": "nothing to tune",
    "sweep: {learning_rate: [0.1, 1], tune: {metric: test_rmse}}": "not measured on validation data",
    "sweep: {learning_rate: [0.1, 1], tune: {seeds: 0}}": "expected an integer from 1",
    "sweep: {learning_rate: [0.1, 1], tune: {seeds: [7, 8]}}": "seeds that the final runs do not use",
    "sweep: {learning_rate: {log_range: [0.1, 1]}, samples: 10000000}": "10,000,000 cells; at most 10,000: give fewer",
    "sweep: {learning_rate: [0.1, 1], tune: {metrics: val_rmse}}": "there is no metrics in tune",
    "sweep: {loss: [mse, mae], samples: 3}": "nothing to draw",
    "sweep: {seed: [1, 2], loss: [mse, mae]}": "seeds are repetitions",
    "sweep: {optimizer: {momentum: [0, 0.9]}}": r"write optimizer.momentum: \[...\]",
    "sweep: {loss: {range: [0, 1], points: 3}}": "loss does not take numbers",
    "sweep: {batch_size: {range: [8.5, 16], points: 3}}": "expected two integers",
    "sweep: {batch_size: {log_range: [8, 10], points: 9}}": "only 3 of them are",
    "sweep: {learning_rate: {range: [0.1, 1e999], points: 3}}": "expected two numbers",
    "sweep: {learning_rate: [0.1, 1], optimizer.momentum: {range: [0, 0.9]}, samples: 9, sampler: tpe}": "every tuned",
}


@pytest.mark.parametrize(("block", "message"), REFUSED.items(), ids=list(REFUSED))
def test_mistakes_are_told_at_their_place(written: Callable[[str], SourcedConfig], block: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        read_space(written(block))
    assert all("c.yaml:7:" in problem for problem in refused.value.problems)
    assert all(problem.rstrip().endswith("^") for problem in refused.value.problems)


# Blocks in which a key is wrong and not its value, and this key.
WRONG_KEYS = {
    "sweep: {los: [mse, mae]}": "los:",
    "sweep: {seeds: [1, 2]}": "seeds:",
    "sweep: {tags: [a, b]}": "tags:",
    "sweep: {learning_rate: {log_range: [0.1, 1], steps: 3}}": "steps:",
    "sweep: {learning_rate: [0.1, 1], tune: {metrics: val_rmse}}": "metrics:",
    "sweep: {loss: [mse, huber], loss.delta: [1, 2]}": "loss.delta:",
    "sweep: {optimizer.betas: [[0.9, 0.9], [0.9, 0.99]]}": "optimizer.betas:",
    "sweep: {dataset.path: [a.csv, b.csv]}": "dataset.path:",
    "sweep: {model.depth: [1, 2]}": "model.depth:",
    "sweep: {splits: [2, 3], learning_rate: [0.1, 1]}": "splits:",
}


@pytest.mark.parametrize(("block", "key"), WRONG_KEYS.items(), ids=list(WRONG_KEYS))
def test_a_key_that_is_wrong_is_told_once_at_the_key(
    written: Callable[[str], SourcedConfig], block: str, key: str
) -> None:
    reading = written(block)
    with pytest.raises(ConfigError) as refused:
        plan_sweep(read_sweep(reading), reading.directory, reading.directory)
    (problem,) = refused.value.problems
    assert f"c.yaml:7:{block.rindex(key) + 1}: " in problem


@pytest.mark.parametrize("over", [[], ["model.dropout=lin:0:2:5"]])
def test_a_range_with_several_wrong_values_is_one_mistake(
    with_block: Callable[..., SourcedConfig], over: list[str]
) -> None:
    reading = with_block(None if over else {"model.dropout": {"range": [0, 2], "points": 5}})
    with pytest.raises(ConfigError) as refused:
        cells_of(reading, read_space(reading, over))
    assert len(refused.value.problems) == 1


def test_a_key_that_is_wrong_is_told_once_with_its_option(with_block: Callable[..., SourcedConfig]) -> None:
    reading = with_block(None)
    with pytest.raises(ConfigError) as refused:
        cells_of(reading, read_space(reading, ["dataset.path=a.csv,b.csv"]))
    assert len(refused.value.problems) == 1


# A line of the base config, a sweep block, options, and each mistake: the word at its caret, or its option.
MISTAKES: dict[str, tuple[str, str, list[str], list[str]]] = {
    "block": ("epochs: 3", "{los: [mse], batch_size: [], samples: 0}", [], ["los", "", "0"]),
    "range": ("epochs: 3", "{los: [mse], batch_size: {range: [9, 8], points: -1}}", [], ["los", "", "-1"]),
    "base and block": ("epochs: 0", "{los: [mse], tune: {metrics: x}}", [], ["0", "los", "metrics"]),
    "base and alternatives": (
        "epochs: 0",
        "{loss: [mse, {name: huber, delta: -2}], optimizer: [adm, sgd]}",
        [],
        ["0", "-2", "adm"],
    ),
    "all three": ("epochs: 0", "{loss: [mse, hubber], los: [mae]}", [], ["0", "hubber", "los"]),
    "options": (
        "epochs: 0",
        "{loss: [mse, hubber]}",
        ["batch_size=0,8", "x", "model.dropout=lin:0:2:5"],
        ["--over batch_size=0", "--over model.dropout=1", "--over x", "0", "hubber"],
    ),
    "too many cells": (
        "epochs: 3",
        "{optimizer.momentum: {range: [0, 0.9], points: 1000}, batch_size: {range: [0, 999], points: 1000}}",
        [],
        ["sweep", ""],
    ),
    # What depends on a wrong key may be right.
    "a part of a wrong key": ("epochs: 3", "{loss: huber, loss.delta: [1, 2], optimizer: [adm]}", [], ["huber", "adm"]),
    "a part of a wrong option": ("epochs: 3", "{optimizer: [adm]}", ["loss=", "loss.delta=1"], ["--over loss=", "adm"]),
    "an alternative to a wrong value": ("loss: hubber", "{loss: [mse, mae]}", [], ["hubber"]),
}


@pytest.mark.parametrize(("line", "block", "over", "mistakes"), MISTAKES.values(), ids=list(MISTAKES))
def test_all_mistakes_are_told_at_once(
    draft: Callable[[str], Draft], line: str, block: str, over: list[str], mistakes: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_sweep(draft(f"{line}\nsweep: {block}"), over)
    found = []
    for problem in refused.value.problems:
        told, *excerpt = problem.splitlines()
        if excerpt:
            shown, caret = excerpt
            found.append(re.split(r"[^\w-]", shown[caret.index("^") :])[0])
        else:
            found.append(told.partition(": ")[0])
    assert found == mistakes


def test_too_many_cells_are_refused_before_they_are_made(with_block: Callable[..., SourcedConfig]) -> None:
    many = {"points": 101, "range": [0.0, 1.0]}
    block = dict.fromkeys(("optimizer.momentum", "optimizer.dampening", "optimizer.weight_decay"), many)
    with pytest.raises(ConfigError, match=f"101 x 101 x 101 = 1,030,301 cells; at most {MOST_CELLS:,}"):
        read_space(with_block(block))


def test_a_config_without_alternatives_has_nothing_to_sweep_over(with_block: Callable[..., SourcedConfig]) -> None:
    for block in (None, {}, {"tune": False}):
        with pytest.raises(ConfigError, match="sweep"):
            read_space(with_block(block))


@pytest.mark.parametrize(
    ("over", "way"),
    [
        ("tune=false", "--set sweep.tune=false"),
        ("sweep.tune=false", "--set sweep.tune=false"),
        ("tune.seeds=3", "--set sweep.tune.seeds=3"),
        ("model.hidden=4,8", "--over 'model.hidden=[4,8]' for one alternative, or --over 'model.hidden=[4],[8]' for 2"),
    ],
)
def test_an_option_that_cannot_be_meant_is_told_with_one_that_can(
    with_block: Callable[..., SourcedConfig], over: str, way: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_space(with_block({"loss": ["mse", "mae"]}), [over])
    assert str(refused.value).endswith(f"write {way}")
