"""Plans from a pilot. Statistics themselves are in tests/analysis/values/test_planning.py."""

import math

import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.values.planning import deviation_limit, seeds_to_settle
from lossrun.errors import UsageError
from lossrun.report.comparison.formats import to_json, written
from lossrun.report.comparison.plan import plan_commands, plan_sentences

DIFFERENCES = (0.01, -0.02, 0.03, 0.0, 0.01)  # deviation 0.01817


@pytest.fixture
def pilot(make_run):
    def made(differences=DIFFERENCES, plan=0.02, runs=2, keys=None, environment=None, **options):
        found = []
        for number in range(runs):
            values = [1.0 + number * one for one in differences]
            rows = lambda epoch, seed, values=values: {"val_loss": 1 / epoch, "val_rmse": values[seed]}  # noqa: E731
            config = {"seeds": list(range(len(values))), "learning_rate": 0.1 * (number + 1), **(keys or {})}
            found.append(make_run(str(number), rows=rows, config=config, **(environment or {})))
        return compare(found, "val_rmse", plan=plan, **options)

    return made


def test_a_plan_uses_the_limit_of_the_deviation_and_shows_the_guess_beside_it(pilot):
    comparison = pilot()
    (plan,) = comparison.plans
    assert plan.deviation == pytest.approx(0.018166, abs=1e-6)
    assert plan.limit == deviation_limit(plan.deviation, 5)
    assert plan.needed.count == seeds_to_settle(0.02, plan.limit, 0.05)
    assert plan.guess.count == seeds_to_settle(0.02, plan.deviation, 0.05) < plan.needed.count
    # `write_run` records half a second for each of 4 epochs: two runs of 5 seeds, 2 seconds each.
    assert plan.seconds == pytest.approx(2 * 2 / 5)
    assert comparison.verdicts == ()


def test_the_commands_train_seeds_that_the_pilot_has_not_used(pilot):
    (plan,) = pilot().plans
    assert len(plan.commands) == 2
    assert all(command.endswith(f"--set seed=5 --set seeds={plan.needed.count}") for command in plan.commands)


def test_seeds_that_only_one_run_has_are_not_fresh_and_have_their_share_of_its_time(make_run):
    rows = lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": 1.0 + 0.1 * (seed % 3)}  # noqa: E731
    more = {"val_loss": 1.0, "val_rmse": 1.0}
    first = make_run("a", rows=rows, config={"seeds": list(range(10))})
    second = make_run("b", rows=lambda epoch, seed: more, config={"seeds": list(range(5)), "learning_rate": 0.2})
    (plan,) = compare([first, second], "val_rmse", plan=0.1).plans
    # Each run took 2 seconds: 10 seeds for the first, 5 for the second.
    assert plan.seconds == pytest.approx(2 / 10 + 2 / 5)
    assert all("--set seed=10 " in command for command in plan.commands)


def test_several_runs_get_as_many_fresh_seeds_each_and_one_command(pilot):
    """Of three runs the third differs twice as much from the first, and needs the most seeds."""
    comparison = pilot(runs=3)
    second, third = (plan.needed.count for plan in comparison.plans)
    assert second < third
    commands = plan_commands(comparison)
    assert len(commands) == 3
    assert all(command.endswith(f"--set seed=5 --set seeds={third}") for command in commands)
    assert any("largest number of seeds" in text for text in plan_sentences(comparison))


def test_a_pilot_on_folds_is_followed_by_random_splits_of_the_same_size(pilot):
    """Other seeds would have the same folds, so they would not be fresh."""
    samples = {
        part: "+".join(f"{part[0]}{seed}".ljust(16, "0") for seed in range(5)) for part in ("train", "validation")
    }
    recorded = {"data": samples, "samples": {"train": 64, "validation": 16, "test": 20}}
    (plan,) = pilot(plan=0.1, keys={"folds": 5}, environment={"environment": recorded}).plans
    assert (plan.over, plan.pilot) == ("splits", 5)
    count = plan.needed.count
    asked = f"--set seed=5 --set splits={count} --set seeds={count} --set folds=null --set dataset.test=0.2"
    assert all(command.endswith(asked) for command in plan.commands)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"differences": (0.01, 0.01, 0.01, 0.01)}, "the difference is the same on all 4 seeds of the pilot"),
        ({"differences": (0.0, 0.0, 0.0)}, "the difference is the same on all 3 seeds of the pilot"),
        (
            {"differences": (0.01, 0.02, math.nan, 0.04, 0.05)},
            "1 of 5 shared seeds has no value in one of the runs, .*; the other seeds of the pilot",
        ),
        ({"differences": DIFFERENCES[:2]}, "a pilot needs at least 3 shared seeds, and 5 are advised"),
        ({"plan": 0.0}, "expected a difference above 0"),
        ({"plan": float("nan")}, "expected a difference above 0"),
    ],
)
def test_what_is_no_pilot_is_refused(pilot, options, told):
    with pytest.raises(UsageError, match=told):
        pilot(**options)


def test_programs_and_documents_get_the_plan_too(pilot):
    comparison = pilot()
    assert '"needed": {' in to_json(comparison)
    assert "To find a difference of 0.02000 in val_rmse from A" in written(comparison, "md")
