"""`--require` as a function. Differences in these tests are written as gains: above 0 the second run is better."""

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.comparison.requirements import answer
from lossrun.errors import OtherBetterError, UndecidedError, UsageError
from lossrun.records import ledger, recorded
from lossrun.report.comparison.requirement import enforce

# Mean 0, deviation 0.001: of six, the 95 % interval is 2.571 * 0.001 / sqrt(6) = 0.00105 to either side.
SIX = (0.0012, -0.0005, -0.0011, 0.0008, -0.0009, 0.0005)


@pytest.fixture
def pair(make_run):
    def made(gains, *, metric="val_rmse", runs=2, diverged=None, **options):
        made_runs = []
        for number in range(runs):
            values = [1.0 - (gain if number else 0.0) for gain in gains]
            config = {"seeds": list(range(len(values))), "learning_rate": 0.1 * (number + 1)}
            rows = lambda epoch, seed, values=values: {"val_loss": 1 / epoch, "val_rmse": values[seed]}  # noqa: E731
            run = make_run(f"{metric}-{number}", rows=rows, config=config)
            if diverged is not None and number:
                ledger.append(run.path / "ledger.jsonl", "diverged", seed=diverged, step=1)
                ledger.append(run.path / "ledger.jsonl", "finished", seeds={})
            made_runs.append(recorded.load(run.path))
        return compare(made_runs, metric, **options)

    return made


def shifted(by):
    return tuple(one + by for one in SIX)


@pytest.mark.parametrize(("gain", "expected"), [(0.01, "yes"), (0.0, "cannot tell"), (-0.01, "the other")])
def test_better_is_what_the_verdict_says(pair, gain, expected):
    assert answer(pair(shifted(gain)), "better") == expected


@pytest.mark.parametrize(
    ("gain", "expected"),
    [(0.01, "yes"), (0.0, "yes"), (-0.0038, "yes"), (-0.0042, "cannot tell"), (-0.0058, "cannot tell"),
     (-0.0062, "the other")],
)  # fmt: skip
def test_not_worse_is_an_interval_on_the_right_side_of_the_margin(pair, gain, expected):
    # The interval ends 0.00105 on either side of the gain, the margin is 0.005.
    assert answer(pair(shifted(gain), margin=0.005), "not-worse") == expected


def test_few_seeds_never_answer(pair):
    assert answer(pair(shifted(0.01)[:5]), "better") == "cannot tell"
    assert answer(pair(shifted(0.0)[:5], margin=0.005), "not-worse") == "cannot tell"


def test_a_run_that_diverged_is_not_called_not_worse(pair):
    comparison = pair(shifted(0.0), margin=0.005, diverged=3)
    assert answer(comparison, "not-worse") == "cannot tell"


@pytest.mark.parametrize(("gain", "expected"), [(-0.0048, "cannot tell"), (-0.02, "the other")])
def test_a_run_that_diverged_and_is_worse_is_not_said_to_be_so_by_the_margin(pair, gain, expected):
    comparison = pair((*shifted(gain), gain), margin=0.005, diverged=6)
    assert comparison.verdicts[0].word == "worse"
    assert answer(comparison, "not-worse") == expected


def test_identical_runs_are_not_worse_and_not_better(pair):
    comparison = pair((0.0,) * 6, margin=0.005)
    assert answer(comparison, "not-worse") == "yes"
    assert answer(comparison, "better") == "cannot tell"


def test_what_cannot_be_answered_is_refused(pair):
    with pytest.raises(UsageError, match="compares 2 runs, the baseline first, and 3 were given"):
        answer(pair(SIX, runs=3), "better")
    with pytest.raises(UsageError, match="--require not-worse needs --margin"):
        answer(pair(SIX), "not-worse")


def test_the_exit_names_only_the_metrics_that_say_so(make_run):
    """Of two metrics one is clearly worse and the other is equal: only the first is named."""
    runs = []
    for number in range(2):
        scores = {
            seed: {"test_rmse": 1.0 + number * (0.5 + SIX[seed]), "test_mae": 1.0 + 0.1 * (seed % 2)}
            for seed in range(6)
        }
        ends = {str(seed): {"test_at_best": one, "test_at_last": one} for seed, one in scores.items()}
        config = {"seeds": list(range(6)), "learning_rate": 0.1 * (number + 1)}
        run = make_run(str(number), rows=lambda epoch, seed: {"val_loss": 1 / epoch}, config=config, finish=False)
        ledger.append(run.path / "ledger.jsonl", "finished", epoch=4, seeds=ends, seconds=2.0)
        runs.append(recorded.load(run.path))
    with pytest.raises(OtherBetterError, match=r"A \(lr=0.1\) is better than B \(lr=0.2\) by test_rmse$"):
        enforce(compare(runs), "better")
    with pytest.raises(UndecidedError, match=r"A \(lr=0.2\) by test_mae: identical on all 6 seeds"):
        enforce(compare(runs[::-1], margin=0.1), "better")
