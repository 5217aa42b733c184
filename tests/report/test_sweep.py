import io
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.sweeps.result import SweepResult, result_of
from lossrun.report.comparison.formats import written
from lossrun.report.html.figures import style
from lossrun.report.html.sensitivity import tuning_section
from lossrun.report.sweep import method, print_sweep, tuning_blocks
from tests.sweeping.simulated import Trainings, planned, simulated
from tests.written_sweeps import written_sweep

LOSSES = ("mse", "mae", "huber")
OPTIMIZERS = ("sgd", "adam", "rmsprop")
RATES = (0.001, 0.01, 0.1, 1.0)


def nine(folder: Path, samples: int | None = None) -> SweepResult:
    """Three losses by three optimizers; each is worse than the one before, and 0.1 is the best rate of all."""
    pairs = list(itertools.product(LOSSES, OPTIMIZERS))
    tuned = {(pair, rate): [place + abs(rate - 0.1)] for place, pair in enumerate(pairs, 1) for rate in RATES}
    final = {pair: [place + seed / 100 for seed in range(6)] for place, pair in enumerate(pairs, 1)}
    return result_of(written_sweep(folder, tuned, final, samples=samples))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    return nine(tmp_path_factory.mktemp("sweep"))


def shown(result: SweepResult, *, everything: bool = False, width: int = 80) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=50, force_terminal=True, _environ={"TERM": "dumb"})
    print_sweep(console, result, everything=everything)
    return file.getvalue().splitlines()


def test_nine_pairs_fit_on_sixty_lines_of_eighty_columns(result: SweepResult) -> None:
    lines = shown(result)
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("Leaderboard by test_rmse")


def test_the_leaderboard_is_in_the_order_of_the_scores(result: SweepResult) -> None:
    rows = [line.split() for line in shown(result)[:20] if "loss=" in line]
    assert [row[1:3] for row in rows] == [
        [f"loss={loss}", f"optimizer={optimizer}"] for loss in LOSSES for optimizer in OPTIMIZERS
    ]


def test_curves_and_map_have_every_pair(result: SweepResult) -> None:
    text = "\n".join(shown(result))
    picture = text.partition("gaps are values without a score")[2].partition("letters: as in the leaderboard")[0]
    # There are only eight other marks. Each pair was tried with three rates.
    assert all(picture.partition("learning_rate")[0].count(letter) >= 3 for letter in "ABCDEFGHI")
    assert "Best val_rmse in tuning, lower is better, by loss and optimizer" in text
    # 0.1 is the best rate, so the best scores are the places of the pairs.
    rows = [line.split() for line in text.partition("by loss and optimizer")[2].splitlines()[3:6]]
    assert rows == [
        ["mse", "1.000", "*", "2.000", "3.000"],
        ["mae", "4.000", "5.000", "6.000"],
        ["huber", "7.000", "8.000", "9.000"],
    ]


def test_all_has_the_tuning_and_the_intervals_too(result: SweepResult) -> None:
    few, everything = "\n".join(shown(result)), "\n".join(shown(result, everything=True))
    for part in ("range that", "epochs to", "Tuning curve", "95 % interval"):
        assert part not in few
        assert part in everything
    assert "--all" in few
    assert "--all" not in everything


@pytest.mark.parametrize(("samples", "noted"), [(200, True), (999, True), (1000, False)])
def test_few_validation_samples_are_noted(tmp_path: Path, samples: int, noted: bool) -> None:
    tuned = {((loss,), rate): [1.0] for loss in LOSSES for rate in RATES}
    final = {(loss,): [1.0, 1.1] for loss in LOSSES}
    lines = shown(result_of(written_sweep(tmp_path, tuned, final, samples=samples)), width=1000)
    assert any("another tuning may differ" in line for line in lines) is noted


def test_a_verdict_is_about_the_runs_as_they_were_tuned(tmp_path: Path) -> None:
    tuned = {((loss,), rate): [score] for loss, score in (("mse", 1.0), ("mae", 2.0)) for rate in RATES}
    final = {("mse",): [1 + seed / 100 for seed in range(6)], ("mae",): [2 + seed / 101 for seed in range(6)]}
    text = "\n".join(shown(result_of(written_sweep(tmp_path, tuned, final)), width=1000))
    assert (
        "A as tuned by this sweep (learning_rate 0.1) is better than B as tuned by it (learning_rate 0.1) by test_rmse"
    ) in text


def test_the_method_says_where_pairs_tried_different_numbers_of_values(tmp_path: Path) -> None:
    """A range that grows where the best lies on its edge does so for one pair and not for another."""
    tuned = {(("mse",), rate): [1.0] for rate in RATES} | {(("mae",), rate): [1.0] for rate in RATES[1:]}
    text = " ".join(shown(result_of(written_sweep(tmp_path, tuned, {("mse",): [1.0], ("mae",): [2.0]})), width=1000))
    assert "each pair was tuned over 3 to 4 values of learning_rate on 1 seed, by validation rmse" in text


def test_more_pairs_than_letters_all_have_a_name(tmp_path: Path) -> None:
    names = [f"own:{number}" for number in range(28)]
    tuned = {((name,), rate): [1.0 + place] for place, name in enumerate(names) for rate in RATES}
    final = {(name,): [1.0 + place, 1.1 + place] for place, name in enumerate(names)}
    lines = shown(result_of(written_sweep(tmp_path, tuned, final)), width=200)
    assert any(line.split()[:2] == ["B2", "loss=own:27"] for line in lines)
    assert not any(" ? " in line for line in lines)


def test_a_single_final_run_shows_its_scores(tmp_path: Path) -> None:
    result = result_of(written_sweep(tmp_path, {(("mse",), rate): [1.0] for rate in RATES}, {("mse",): [0.5, 0.7]}))
    lines = shown(result, width=1000)
    assert lines[0].startswith("loss=mse learning_rate=0.1: test_rmse 0.6000")
    assert not any("are compared" in line for line in lines)


def test_a_document_has_the_tables_of_the_tuning_and_the_sentence_of_a_paper(result: SweepResult) -> None:
    assert result.comparison is not None
    text = written(result.comparison, "md", more=tuning_blocks(result.boards[0], result, result.comparison))
    for title in ("Tuning", "Tuning curve: .*", "Best val_rmse in tuning, .*"):
        assert re.search(rf"^\*\*{title}\*\*$", text, re.MULTILINE)
    assert text.rstrip().splitlines()[-1].startswith("- each pair was tuned over 4 values of learning_rate on 1 seed,")
    assert written(result.comparison, "csv", curves=False, per_seed=False).startswith("run,label,")
    only = written(result.comparison, "md", curves=False, per_seed=False, only_table=True, more=[["more"]])
    assert "more" not in only


def test_columns_of_a_document_are_headed_by_letters_where_labels_are_long(result: SweepResult) -> None:
    assert result.comparison is not None
    differences = written(result.comparison, "latex").partition(r"\caption{Differences}")[2].partition(r"\midrule")[0]
    assert r"key & A & B & C & D & E & F & G & H & I \\" in differences


def test_curves_of_the_page_have_letter_and_style_of_their_runs(result: SweepResult) -> None:
    (board,) = result.boards
    assert result.tuning is not None
    # In another order than the pairs; and only two of them have a run.
    for pairs in (board.pairs, board.pairs[::-1], board.pairs[3:5]):
        page = "".join(map(str, tuning_section(result.tuning, pairs)))
        drawn = {letter: style for style, letter in re.findall(r'class="end ([^"]*)">(\w)</text>', page)}
        assert list(map(drawn.get, letters(len(pairs)))) == [style(place) for place in range(len(pairs))]
        for place, pair in enumerate(pairs):
            assert f'<span class="name">{letters(len(pairs))[place]} {pair}</span>' in page
        assert len(set(re.findall(r'<g class="(c\d d\d)"><circle', page))) == len(result.tuning.pairs)


def test_the_sentence_counts_combinations_where_several_keys_are_tuned() -> None:
    rates = {"learning_rate": {"log_range": [1e-3, 1e-1], "points": 3}, "batch_size": {"range": [8, 9], "points": 2}}
    trainings = Trainings(np.random.default_rng(0), lambda rate, _: -math.log10(rate), own=0.1, noise=0.1)
    text = method(simulated(planned(rates, pairs=2), trainings))
    assert "over 6 combinations of learning_rate and batch_size on 2 seeds" in text
    assert "the best combination of each was then trained" in text
