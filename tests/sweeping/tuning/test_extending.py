import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.analysis.sweeps.trials import judged, repetitions
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.records.sweep_directory import read_events, read_plan
from lossrun.report.sweep import method
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.search_space.block import read_space
from lossrun.sweeping.tuning.extending import Extension, further_cells
from tests.sweeping.simulated import Trainings, planned, simulated
from tests.sweeping.test_course import made
from tests.written_sweeps import written_sweep

RATES = {"log_range": [1e-3, 1e-1], "points": 3}


def added(folder: Path, tuned: dict[Any, list[float]], times: int = 3, points: int = 3) -> list[Any]:
    sweep = written_sweep(folder, tuned, {})
    tuning = tuning_of(sweep)
    assert tuning is not None
    more = further_cells(Extension("learning_rate", 10.0, 0.0, points, times), tuning, read_plan(sweep))
    return [(cell.pair["loss"], cell.changes["learning_rate"], cell.config["learning_rate"]) for cell in more]


@pytest.mark.parametrize(
    ("mse", "mae", "expected"),
    [
        ((3, 2, 1), (2, 1, 2), [1.0]),
        ((1, 2, 3), (2, 1, 2), [0.001]),
        ((2, 1, 2), (2, 1, 2), []),
        ((3, 2, 1), (1, 2, 3), [0.001, 1.0]),
        ((1, 1, 2), (2, 1, 1), []),  # a value inside the range is as good
    ],
)
def test_every_pair_gets_the_value_beyond_the_edge_of_any(
    tmp_path: Path, mse: tuple[int, ...], mae: tuple[int, ...], expected: list[float]
) -> None:
    rates = (0.01, 0.05, 0.1)
    tuned = {
        (pair, rate): [float(score)]
        for pair, scores in ((("mse",), mse), (("mae",), mae))
        for rate, score in zip(rates, scores, strict=True)
    }
    assert added(tmp_path, tuned) == [(loss, rate, rate) for rate in expected for loss in ("mse", "mae")]


def test_the_range_grows_no_further_than_it_may(tmp_path: Path) -> None:
    rates = (0.01, 0.1, 1.0, 10.0)
    tuned: dict[Any, list[float]] = {(("mse",), rate): [1 / rate] for rate in rates}
    assert added(tmp_path / "may", tuned, times=2) == [("mse", 100.0, 100.0)]
    assert added(tmp_path / "may not", tuned, times=1) == []


@pytest.mark.slow
def test_a_sweep_grows_its_range_and_says_so(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    """With so few steps the largest rate is always the best until the runs diverge."""
    block = {"loss": ["mse", "mae"], "learning_rate": {"log_range": [1e-6, 1e-4], "points": 3}, "extend": 2}
    sweep = made(with_block({**block, "tune": {"seeds": 1}}), tmp_path / "runs")
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    result = result_of(sweep)
    assert result.tuning is not None
    tried = [sorted(trial.values["learning_rate"] for trial in pair.trials) for pair in result.tuning.pairs]
    assert tried == [[1e-6, 1e-5, 1e-4, 1e-3, 1e-2]] * 2
    events = read_events(sweep)
    assert [event["event"] for event in events] == ["started", "extended", "extended", "tuned", "finished"]
    assert [event["values"] for event in events if event["event"] == "extended"] == [[1e-3], [1e-2]]
    before = read_plan(sweep)
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    assert read_plan(sweep) == before


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("repeats", [1, 6])
def test_a_range_whose_values_are_drawn_grows_beyond_the_last_ones(sampler: str, repeats: int) -> None:
    """By the gap of 12 evenly spaced values, as often as it may: the score gets better with every larger rate."""
    if sampler == "tpe":
        pytest.importorskip("optuna")
    block = {"learning_rate": {"log_range": [1e-3, 1e-1]}, "samples": 12, "sampler": sampler, "extend": 2}
    plan = planned({**block, "tune": {"repeats": repeats}}, pairs=2)
    trainings = Trainings(np.random.default_rng(0), lambda rate, _: 0.5 + 0.1 * math.log10(rate), own=0.0, noise=0.0)
    tuning = simulated(plan, trainings).tuning
    assert tuning is not None
    assert tuning.grown == 2
    factor = 100 ** (1 / 11)
    for pair in tuning.pairs:
        assert pair.tried == (14,) * repeats
        for seeds, choice in zip(repetitions(pair.every, repeats), pair.choices, strict=True):
            rates = [trial.values["learning_rate"] for trial in judged(pair.every, seeds, repeats)]
            *drawn, last, added, best = sorted(rates)
            assert max(drawn) < last <= 0.1
            assert (added / last, best / added) == pytest.approx((factor, factor), rel=0.06)  # rounded to few digits
            assert choice is not None
            assert choice.values["learning_rate"] == best
    sampled = {"random": "drawn at random", "tpe": "drawn by a tree-structured Parzen estimator"}[sampler]
    said = f"learning_rate, {sampled} (2 of them added where a best value was on the edge of the range), on"
    assert said in method(simulated(plan, trainings))


@pytest.mark.parametrize(
    "block",
    [
        {"learning_rate": RATES, "extend": 0},
        {"learning_rate": RATES, "extend": "yes"},
        {"learning_rate": [0.1, 0.2, 0.3], "extend": True},
        {"learning_rate": RATES, "tune": False, "extend": True},
        {"learning_rate": {"log_range": [1e-3, 1e-1]}, "samples": 2, "extend": True},
        {"batch_size": {"range": [8, 9]}, "samples": 5, "extend": True},
        {"learning_rate": RATES, "optimizer.momentum": {"range": [0.0, 0.9], "points": 3}, "extend": True},
    ],
)
def test_what_cannot_grow_is_refused(with_block: Callable[..., SourcedConfig], block: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="extend"):
        read_space(with_block(block))
