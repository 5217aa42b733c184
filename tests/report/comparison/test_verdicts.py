import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.records import ledger, recorded
from lossrun.report.comparison.basis import basis
from lossrun.report.comparison.verdicts import format_p_value, sentences, verdicts_table

WORSE = (1.00, 1.10, 0.95, 1.05, 1.02, 0.98)
BETTER = (0.50, 0.58, 0.47, 0.56, 0.50, 0.49)
CLOSE = (1.08, 1.05, 1.04, 0.99, 1.09, 1.02)


@pytest.fixture
def pair(make_run):
    """A comparison on val_rmse of two runs with these values, a seed each."""

    def made(first, second, *, diverged=None, finish=True, **options):
        runs = []
        for number, values in enumerate((first, second)):
            config = {"seeds": list(range(len(values))), "learning_rate": 0.1 * (number + 1)}
            done = {} if finish or not number else {"finish": False, "epochs_done": 2}
            runs.append(
                make_run(
                    str(number),
                    rows=lambda epoch, seed, values=values: {"val_loss": 1 / epoch, "val_rmse": values[seed]},
                    config=config,
                    **done,
                )
            )
        if diverged is not None:
            ledger.append(runs[1].path / "ledger.jsonl", "diverged", seed=diverged, step=1)
            ledger.append(runs[1].path / "ledger.jsonl", "finished", seeds={})
        return compare([recorded.load(run.path) for run in runs], "val_rmse", **options)

    return made


def test_a_verdict_names_the_winner_first_whichever_was_given_first(pair):
    # Differences -0.5, -0.52, -0.48, -0.49, -0.52, -0.49: mean -0.5, deviation 0.01673, and t(0.975) of 5 degrees is
    # 2.571: half a width of 0.01756.
    said = sentences(pair(WORSE, BETTER))
    assert said[0] == (
        "B (lr=0.2) is better than A (lr=0.1) by val_rmse: B - A = -0.5000, "
        "95 % interval -0.5176 to -0.4824, B is better on 6 of 6 seeds (chance on a new seed: 54 to 100 %), p < 0.0001"
    )
    assert sentences(pair(BETTER, WORSE))[0] == (
        "A (lr=0.1) is better than B (lr=0.2) by val_rmse: B - A = +0.5000, "
        "95 % interval +0.4824 to +0.5176, A is better on 6 of 6 seeds (chance on a new seed: 54 to 100 %), p < 0.0001"
    )


def test_no_clear_difference_says_how_many_seeds_are_needed_and_warns_of_adding_seeds(pair):
    said = sentences(pair(WORSE, CLOSE))
    assert said[0].startswith("no clear difference between A (lr=0.1) and B (lr=0.2) by val_rmse: B - A = +0.0")
    assert "; seeds needed: about " in said[0]
    assert "wrong about one time in four" in said[-1]
    # The same except for 0.0017 on average: nobody would train enough seeds to show that.
    assert sentences(pair(WORSE, [value - 0.03 for value in CLOSE]))[0].endswith("; seeds needed: more than 1000")


def test_few_seeds_suggest_a_winner(pair):
    said = sentences(pair(WORSE[:4], BETTER[:4]))[0]
    assert said.startswith("B (lr=0.2) is probably better than A (lr=0.1) by val_rmse")
    assert "B is better on 4 of 4 seeds" in said
    assert "fewer than 6 shared seeds can only suggest a winner" in said


def test_equivalence_names_its_margin(pair):
    said = sentences(pair(WORSE, CLOSE, margin=0.25))[0]
    assert said.startswith("A (lr=0.1) and B (lr=0.2) are equivalent by val_rmse, to within 0.2500: B - A = ")


def test_one_seed_has_two_values_and_no_interval(pair):
    comparison = pair(WORSE[:1], BETTER[:1])
    assert sentences(comparison) == [
        "no clear difference between A (lr=0.1) and B (lr=0.2) by val_rmse: 1.000 for A, 0.5000 for B; "
        "one shared seed is not enough to decide: train both with `seeds: 6`"
    ]
    assert basis(comparison) == []


def test_values_without_an_interval_are_over_the_seeds_of_both(make_run):
    """Of three runs the third has two of the others' five seeds: 0 and 1."""
    runs = [
        make_run(
            str(number),
            rows=lambda epoch, seed, values=values: {"val_loss": 1 / epoch, "val_rmse": values[seed]},
            config={"seeds": list(range(len(values))), "learning_rate": 0.1 * (number + 1)},
        )
        for number, values in enumerate((WORSE[:5], CLOSE[:5], BETTER[:2]))
    ]
    said = next(
        text
        for text in sentences(compare(runs, "val_rmse"))
        if text.startswith("no clear difference between A (lr=0.1) and C")
    )
    # (1.00 + 1.10) / 2 and (0.50 + 0.58) / 2
    assert "val_rmse: 1.050 for A (over 2 of its seeds), 0.5400 for C; " in said


def test_a_divergence_is_told_beside_a_verdict_and_instead_of_one(pair):
    assert sentences(pair(WORSE, BETTER, diverged=2))[0].startswith("no clear difference between A (lr=0.1) and B")
    assert "1 of 6 seeds of B diverged" in sentences(pair(WORSE, BETTER, diverged=2))[0]
    said = sentences(pair(BETTER, WORSE, diverged=2))[0]
    assert said.startswith("A (lr=0.1) is better than B")
    assert said.endswith("1 of 6 seeds of B diverged")


def test_an_unfinished_run_is_shown_and_not_subtracted(pair):
    said = sentences(pair(WORSE, BETTER, finish=False))
    # Means 1.0167 and 0.5167.
    assert said == [
        "no clear difference between A (lr=0.1) and B (lr=0.2) by val_rmse: 1.017 for A, 0.5167 for B; "
        "B is not finished (2 of 4 epochs)"
    ]


def test_a_few_verdicts_are_no_table(pair):
    assert verdicts_table(pair(WORSE, BETTER)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.0312, "0.031"),
        (0.00049, "0.00049"),
        (1e-5, "<0.0001"),
        (0.0, "<0.0001"),
        (0.0498, "0.050"),
        (0.05, "0.050"),
        (0.0504, "0.0504"),
        (0.05001, "0.05001"),
    ],
)
def test_p_values_have_two_digits_unless_these_hide_the_side_of_the_level(value, text):
    assert format_p_value(value) == text


def test_equal_seeds_are_called_equal(pair):
    assert sentences(pair(WORSE, WORSE))[0] == ("A (lr=0.1) and B (lr=0.2) are identical by val_rmse on all 6 seeds")
    assert len(sentences(pair(WORSE, WORSE))) == 1  # there is no interval to explain
    few = "A (lr=0.1) and B (lr=0.2) are identical by val_rmse on all 3 seeds: fewer than 6 shared seeds cannot tell"
    assert sentences(pair(WORSE[:3], WORSE[:3])) == [f"{few} whether they always are"]
    said = sentences(pair(WORSE, (*WORSE[:2], *BETTER[2:])))[0]
    assert "B is better on 4 of 6 seeds, identical on 2" in said


def test_the_chance_on_a_new_seed_is_rounded_outwards(pair):
    """13 wins of 17 by Clopper and Pearson: 50.1 to 93.2 %; 15 of 21: 47.8 to 88.7 %; 21 of 29: 52.8 to 87.3 %."""
    told = {}
    for won, count in ((13, 17), (15, 21), (21, 29)):
        values = [1.0 - 0.01 * (-1 if seed < won else 1) + 0.001 * seed for seed in range(count)]
        said = sentences(pair([1.0 + 0.001 * seed for seed in range(count)], values))[0]
        told[won] = said.partition("chance on a new seed: ")[2].partition(" %")[0]
    assert told == {13: "50 to 94", 15: "47 to 89", 21: "52 to 88"}


def test_runs_with_different_numbers_of_splits_have_different_factors(make_run):
    """Of the splits of A, B has eight and C six: two factors, and both are said."""
    splits = {"dataset": {"name": "synthetic_regression", "test": 0.2, "validation": 0.1, "split_seed": "seed"}}
    runs = []
    for number, count in enumerate((8, 8, 6)):
        seeds = range(count)
        data = {part: "+".join(f"{part[0]}{seed}".ljust(16, "0") for seed in seeds) for part in ("train", "validation")}
        runs.append(
            make_run(
                str(number),
                rows=lambda epoch, seed, number=number: {
                    "val_loss": 1 / epoch,
                    "val_rmse": 1.0 + 0.1 * number + 0.01 * (seed * (number + 2) % 5),
                },
                config={"seeds": list(seeds), "learning_rate": 0.1 * (number + 1), **splits},
                environment={"data": data, "samples": {"train": 72, "validation": 8, "test": 20}},
            )
        )
    said = basis(compare(runs, "val_rmse"))
    assert "here 1/8 + 0.11 or 1/6 + 0.11 (Nadeau and Bengio 2003)" in said[1]
