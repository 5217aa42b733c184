"""What a sweep reports where each repetition of tuning chose for itself, from simulated scores."""

import numpy as np
import pytest

from lossrun.analysis.sweeps.trials import judged, repetitions
from lossrun.analysis.sweeps.tuning_course import by_rounds
from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.comparison.tuning import tuning_notes
from lossrun.report.sweep import method
from tests.sweeping.simulated import Trainings, bump, planned, simulated

GRID = {"learning_rate": {"log_range": [1e-3, 1], "points": 7}}
SPLITS = {"splits": 6}


class LosingHinge(Trainings):
    """The first repetition of tuning hinge has no score."""

    def diverges(self, cell: PlannedCell, seed: int) -> bool:
        return bool(cell.pair["loss"] == "hinge" and seed == cell.config["seeds"][0])


@pytest.mark.parametrize("seeds", [6, 12])
def test_a_repetition_that_found_no_value_counts_against_its_pair(seeds: int) -> None:
    """Its other seeds are those that went well, so however good they are, there is no verdict for this pair."""
    block = {**GRID, "tune": {"seeds": 1}}
    better = LosingHinge(np.random.default_rng(0), lambda rate, _: 0.9, own=0.0, noise=0.0)
    result = simulated(planned(block, pairs=2, seeds=seeds, **SPLITS), better)
    (board,) = result.boards
    assert sorted(map(len, board.untuned.values())) == [0, seeds // 6]
    assert result.comparison is not None
    (verdict,) = result.comparison.verdicts
    assert verdict.incomplete
    lacking = next(run.letter for run in result.comparison.runs if run.label == "loss=hinge")
    assert lacking == "B"  # its tuning score is over fewer seeds, so it is not the best one
    assert f"the tuning of {lacking} found no value for {seeds // 6} of {seeds} seeds" in verdict.because
    each = "1 other seed," if seeds == 6 else "2 other seeds,"
    assert f"trained on it with {each}" in method(result)


def test_the_score_of_a_pair_is_that_of_what_each_repetition_chose() -> None:
    """From the trials: the best on each repetition's own seed. In a round of halving likewise."""
    block = {**GRID, "halving": {"factor": 3}, "tune": {"repeats": 6}}
    result = simulated(planned(block, pairs=2), Trainings(np.random.default_rng(0), bump, own=1.0))
    assert result.tuning is not None
    for pair in result.tuning.pairs:
        bests = {}
        for epochs in (1, 3, 9):
            every = [trial for trial in pair.every if trial.cell.config["epochs"] == epochs]
            groups = repetitions(pair.every, 6)
            bests[epochs] = {seed: max(trial.by_seed[seed] for trial in judged(every, [seed], 6)) for (seed,) in groups}
        assert pair.score is not None
        assert pair.score.per_seed == bests[9]
        points = by_rounds(pair, "max", (1, 3, 9))
        assert [point.score.per_seed for point in points if point.score] == list(bests.values())


def test_an_edge_is_told_with_its_end() -> None:
    """Half of the repetitions or more chose it; a single one may do so by chance."""
    block = {"learning_rate": {"log_range": [1e-3, 1e-1], "points": 3}, "tune": {"repeats": 6}}
    rising = Trainings(np.random.default_rng(0), lambda rate, _: 0.5 + rate, own=0.0, noise=0.0)
    tuning = simulated(planned(block, pairs=2), rising).tuning
    assert tuning is not None
    assert tuning_notes(tuning)[0] == (
        "in half of the tunings or more, the best learning_rate of loss=binary_cross_entropy and of loss=hinge is the "
        "largest one tried; a wider range may do better"
    )
