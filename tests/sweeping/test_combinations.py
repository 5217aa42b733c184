"""Drawing, halving, a growing range and repeated tuning in one sweep: each repetition decides for itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.analysis.sweeps.trials import Trial, key_of, repetitions
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult, tuning_of
from lossrun.analysis.values.readings import spread
from lossrun.config import from_mapping
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan
from lossrun.report.sweep import method
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.tuning.extending import Extension, further_cells
from lossrun.sweeping.tuning.halving import Halving, halved_cells
from lossrun.sweeping.tuning.sampling import Sampling, sampled_cells
from tests.crash import inline_pool
from tests.sweeping.conftest import BASE, killed
from tests.sweeping.test_course import losses, made

pytest.importorskip("optuna")
TPE = {"learning_rate": {"log_range": [1e-4, 1]}, "samples": 12, "sampler": "tpe"}
GROWING = {"learning_rate": {"log_range": [1e-5, 1e-3], "points": 4}, "extend": 1}
LOSSES = {"loss": ["mse", "mae"]}
HALVING = {"halving": {"factor": 2}}
COMBINED: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    # The block, what else the config says, and when the sweep is killed: after this many cells.
    "extend, halving, repeats": ({**GROWING, **HALVING, "tune": {"repeats": 2}}, {"seeds": 2}, 14),
    "tpe, halving, folds": ({**TPE, **HALVING, "tune": {"seeds": 1}}, {"folds": 2, "seeds": 2}, 31),
}


def swept(name: str, folder: Path, *, stopped: bool = False) -> SweepDirectory:
    block, changes, cells = COMBINED[name]
    config = {**BASE, "epochs": 2, "lint": "warn", **changes, "sweep": {**LOSSES, **block}}
    sweep = made(from_mapping(config, folder), folder / "runs")
    if stopped:
        killed(sweep, folder, cells)
    with inline_pool.installed():
        run_sweep(sweep, data_dir=folder, jobs=1)
    return sweep


@pytest.fixture(scope="module", params=list(COMBINED))
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, SweepDirectory]:
    return request.param, swept(request.param, tmp_path_factory.mktemp("whole"))


def test_a_kill_changes_nothing(whole: tuple[str, SweepDirectory], tmp_path: Path) -> None:
    name, sweep = whole
    stopped = swept(name, tmp_path, stopped=True)
    assert read_plan(stopped) == read_plan(sweep)
    assert losses(stopped) == losses(sweep)
    assert read_events(sweep)[-1]["event"] == "finished"
    assert result_of(sweep).unfinished == 0


def test_each_repetition_gives_every_pair_as_much(whole: tuple[str, SweepDirectory]) -> None:
    """As many values in each round, counted in the plan: 12 values draw by draw, 10 and 2; or 4 values and one more."""
    name, sweep = whole
    tuning = tuning_of(sweep)
    assert tuning is not None
    plan = [cell for cell in read_plan(sweep) if cell.phase == "tune"]
    for pair in tuning.pairs:
        assert pair.tried == (12 if "tpe" in name else 5,) * tuning.repeats
        for seeds in repetitions(pair.every, tuning.repeats):
            of = [cell for cell in plan if cell.pair == pair.pair and set(seeds) <= set(cell.config["seeds"])]
            counts = Counter(cell.config["epochs"] for cell in of)
            assert counts == ({1: 12, 2: 5 + 1} if "tpe" in name else {1: 4, 2: 2 + 1})


def test_the_sentence_says_what_each_repetition_did(whole: tuple[str, SweepDirectory]) -> None:
    name, sweep = whole
    text = method(result_of(sweep))
    said = {
        "tpe": "over 12 values of learning_rate, drawn by a tree-structured Parzen estimator",
        "halving": "by successive halving",
        "extend": "over 5 values of learning_rate (1 of them added where a best value was on the edge of the range)",
        "repeats": "each pair was tuned 2 times",
        "folds": "each pair was tuned on each of 2 folds separately",
    }
    for part, words in said.items():
        assert (words in text) == (part in name)


def test_final_seeds_get_what_their_repetition_chose(whole: tuple[str, SweepDirectory]) -> None:
    """By the histories: the lowest best val_rmse among the longest trainings on the repetition's own tuning seed."""
    _, sweep = whole
    tuning = tuning_of(sweep)
    assert tuning is not None
    plan = read_plan(sweep)
    for pair in tuning.pairs:
        for number, seeds in enumerate(repetitions(pair.every, tuning.repeats)):
            scores = {
                key_of(trial.values): [trial.by_seed[seed] for seed in seeds]
                for trial in pair.every
                if set(seeds) <= trial.by_seed.keys() and trial.cell.config["epochs"] == 2
            }
            best = min(scores, key=lambda key: sum(scores[key]))
            final = {
                seed: cell.changes["learning_rate"]
                for cell in plan
                if cell.phase == "final" and cell.pair == pair.pair
                for seed in cell.config["seeds"]
            }
            assert key_of({"learning_rate": final[number]}) == best


SEEDS = [7, 8]


def found(scores: Mapping[float, Sequence[float]]) -> tuple[TuningResult, list[PlannedCell]]:
    """Two equal pairs, tuned on seed 7 and again on seed 8: {rate: its scores}."""
    pairs, cells = [], []
    for loss in ("mse", "mae"):
        trials = []
        for rate, values in scores.items():
            changes = {"loss": loss, "learning_rate": rate}
            cell = PlannedCell(
                f"{loss}-{rate}", "tune", {"loss": loss}, changes, {**BASE, **changes, "epochs": 3, "seeds": SEEDS}
            )
            by_seed = dict(zip(SEEDS, values, strict=True))
            tuned = {"learning_rate": rate}
            trials.append(Trial(cell, tuned, spread(by_seed), diverged=False, ended=True, by_seed=by_seed))
            cells.append(cell)
        pairs.append(PairTuning({"loss": loss}, tuple(trials), None, (), None, (None, None), every=tuple(trials)))
    return TuningResult("val_rmse", "min", False, tuple(pairs), repeats=2), cells


def wanted(cells: Sequence[PlannedCell], seed: int) -> list[Any]:
    return [(cell.changes, cell.config["epochs"]) for cell in cells if seed in cell.config["seeds"]]


RATES = [10.0 ** (-4 + number / 4) for number in range(13)]
FIRST = {rate: abs(number - 3.3) for number, rate in enumerate(RATES)}
OTHERS = [
    {rate: abs(number - 9.2) for number, rate in enumerate(RATES)},
    {rate: -number for number, rate in enumerate(RATES)},
]
ASKED = {
    "tpe": lambda tuning, cells: sampled_cells(Sampling(20, 0, {"learning_rate": [1e-4, 0.1, True]}), tuning, cells),
    "halving": lambda tuning, cells: halved_cells(Halving(3, [3, 9]), tuning, cells),
    "extend": lambda tuning, cells: further_cells(Extension("learning_rate", 10**0.25, 0.0, 13, 3), tuning, cells),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_what_one_repetition_tries_does_not_depend_on_another(ask: Any) -> None:
    """Otherwise their choices would not be independent, and the interval over them too narrow."""
    tried = [ask(*found({rate: [FIRST[rate], other[rate]] for rate in RATES})) for other in OTHERS]
    assert wanted(tried[0], 7) == wanted(tried[1], 7)
    assert wanted(tried[0], 8) != wanted(tried[1], 8)


def test_repetitions_that_agree_share_a_cell() -> None:
    """The best third of 3 values on each seed; both seeds keep the first value."""
    tuning, cells = found({0.1: [1.0, 1.0], 0.2: [2.0, 3.0], 0.3: [3.0, 2.0]})
    kept = halved_cells(Halving(3, [3, 9]), tuning, cells)
    assert [(cell.changes, cell.config["seeds"]) for cell in kept] == [
        ({"loss": loss, "learning_rate": 0.1}, SEEDS) for loss in ("mse", "mae")
    ]


def test_each_draw_goes_through_the_rounds_by_itself() -> None:
    """By hand: of 3 values drawn first the best has gone on; of the 3 drawn next the best one goes on."""
    lines = [(0.1, 3, 5.0), (0.2, 3, 4.0), (0.3, 3, 6.0), (0.2, 9, 3.0), (0.4, 3, 9.0), (0.5, 3, 8.0), (0.6, 3, 7.0)]
    trials = []
    for number, (rate, epochs, score) in enumerate(lines):
        changes = {"learning_rate": rate}
        cell = PlannedCell(f"tune-{number}", "tune", {}, changes, {**changes, "epochs": epochs, "seeds": [7]})
        trials.append(Trial(cell, changes, spread({7: score}), diverged=False, ended=True, by_seed={7: score}))
    pair = PairTuning({}, tuple(trials), None, (), None, every=tuple(trials))
    tuning = TuningResult("val_rmse", "min", False, (pair,), rounds=(3, 9))
    kept = halved_cells(Halving(3, [3, 9]), tuning, [trial.cell for trial in trials])
    assert [(cell.changes["learning_rate"], cell.config["epochs"]) for cell in kept] == [(0.6, 9)]
    # Once that one has been trained as well, both draws are through.
    last = replace(trials[-1], cell=kept[0])
    through = replace(tuning, pairs=(replace(pair, every=(*trials, last)),))
    assert halved_cells(Halving(3, [3, 9]), through, []) == []
