"""Values that Optuna proposes: the same ones whenever the same scores are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.analysis.values.readings import spread
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.records.sweep_directory import PlannedCell, read_events, read_plan
from lossrun.report.sweep import method
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.search_space.block import read_space
from lossrun.sweeping.search_space.space import FIRST_DRAWS
from lossrun.sweeping.tuning.sampling import AT_A_TIME, Sampling, sampled_cells
from tests.sweeping.conftest import killed
from tests.sweeping.test_course import losses, made

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow
PAIR = {"loss": "mse"}
SPAN = {"log_range": [1e-4, 1]}
SAMPLING = Sampling(samples=30, seed=3, spans={"learning_rate": [1e-4, 1.0, True]})


def tuned(rates: list[float], best: float) -> tuple[TuningResult, list[PlannedCell]]:
    """A pair whose score is best near a rate; the largest rate diverged."""
    cells = [
        PlannedCell(
            f"tune-{n}", "tune", {"loss": "mse"}, {"loss": "mse", "learning_rate": rate}, {"learning_rate": rate}
        )
        for n, rate in enumerate(rates)
    ]
    trials = []
    for cell, rate in zip(cells, rates, strict=True):
        score = None if rate == max(rates) else spread({0: 1 + abs(rate / best - 1)})
        trials.append(Trial(cell, {"learning_rate": rate}, score, diverged=score is None, ended=True))
    return TuningResult(
        "val_rmse", "min", False, (PairTuning({"loss": "mse"}, tuple(trials), trials[0], (), None),)
    ), cells


RATES = [1e-4, 3e-4, 1e-3, 3e-3, 0.008, 0.009, 0.01, 0.012, 0.03, 0.1, 0.3, 1.0]


def test_the_same_scores_lead_to_the_same_proposals_near_the_best() -> None:
    found = sampled_cells(SAMPLING, *tuned(RATES, best=0.01))
    assert found == sampled_cells(SAMPLING, *tuned(RATES, best=0.01))
    assert len(found) == AT_A_TIME
    rates = sorted(cell.changes["learning_rate"] for cell in found)
    assert rates[0] >= 1e-4
    assert rates[-1] <= 1
    assert 1e-3 < rates[len(rates) // 2] < 0.1
    assert all(cell.config["learning_rate"] == cell.changes["learning_rate"] for cell in found)


def test_no_pair_gets_more_than_its_samples() -> None:
    assert len(sampled_cells(Sampling(13, 3, SAMPLING.spans), *tuned(RATES, best=0.01))) == 1
    assert sampled_cells(Sampling(12, 3, SAMPLING.spans), *tuned(RATES, best=0.01)) == []


def test_a_sweep_draws_as_many_values_for_each_pair_and_the_same_ones_after_a_kill(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    block = {"loss": ["mse", "mae"], "learning_rate": SPAN, "samples": 11, "sampler": "tpe", "tune": {"seeds": 1}}
    whole, stopped = (made(with_block(block, epochs=1), tmp_path / name) for name in ("whole", "stopped"))
    for sweep in (whole, stopped):
        assert len(read_plan(sweep)) == 2 * FIRST_DRAWS
        if sweep is stopped:
            killed(sweep, tmp_path, 2 * FIRST_DRAWS + 1)  # when the first of what was proposed has ended
            assert [event["event"] for event in read_events(sweep)] == ["started", "sampled"]
        run_sweep(sweep, data_dir=tmp_path, jobs=1)
    tuning = [cell for cell in read_plan(whole) if cell.phase == "tune"]
    assert [sum(cell.pair["loss"] == loss for cell in tuning) for loss in ("mse", "mae")] == [11, 11]
    assert read_plan(whole) == read_plan(stopped)
    assert losses(whole) == losses(stopped)
    assert "over 11 values of learning_rate, drawn by a tree-structured Parzen estimator, on 1 seed, by" in method(
        result_of(whole)
    )


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"learning_rate": SPAN, "samples": 20, "sampler": "bayes"}, "expected random or tpe"),
        ({"learning_rate": {**SPAN, "points": 5}, "sampler": "tpe"}, "set samples"),
        ({"learning_rate": SPAN, "samples": 10, "sampler": "tpe"}, "the first 10 values at random"),
        ({"learning_rate": SPAN, "samples": 20, "sampler": "tpe", "tune": False}, "learns from the tuning scores"),
    ],
)
def test_a_sampler_that_cannot_draw_is_refused(
    with_block: Callable[..., SourcedConfig], block: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(with_block(block), [])


def test_without_optuna_the_package_is_named(
    with_block: Callable[..., SourcedConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossrun.sweeping.search_space.block.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"lossrun\[optuna\]"):
        read_space(with_block({"learning_rate": SPAN, "samples": 20, "sampler": "tpe"}), [])
