"""Many metrics on a screen: those that decide first, those that describe quietly after them."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.values.readings import spread
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.report.comparison.compare import print_comparison
from lossrun.report.comparison.formats import to_csv, written
from lossrun.report.facts import facts
from lossrun.report.layout.numbers import format_spread
from lossrun.report.training import ending

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def screen(draw: Callable[[Console], None]) -> list[str]:
    """What is drawn on a terminal of 80 columns, line by line."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    draw(Console(file=file, width=80, height=50, force_terminal=True, _environ={"TERM": "dumb"}))
    file.seek(0)
    return file.read().splitlines()


@pytest.fixture
def comparison(make_run):
    """Best epochs are the first ones; only the second run has a log_cosh."""

    def rows(**more):
        return lambda epoch, seed: {
            "val_loss": float(epoch),
            "val_mse": 3e7 + epoch,
            "val_huber": 1e-9 * epoch,
            **more,
            "val_rmse": 0.1,
        }

    return compare(
        [make_run("a", rows=rows()), make_run("b", rows=rows(val_log_cosh=0.25, val_rmse=0.2), config={"loss": HUBER})]
    )


def test_a_comparison_shows_every_metric_once_and_what_decides_first(comparison):
    lines = screen(lambda console: print_comparison(comparison, console, curves=False))
    test, validation = (
        next(number for number, line in enumerate(lines) if line.startswith(f"{part} data at each run's best epoch"))
        for part in ("Test", "Validation")
    )
    assert test < validation
    assert lines[test + 1].split() == ["test_rmse", "test_mae"]
    names = ["val_rmse", "val_mse", "val_huber", "val_log_cosh"]
    assert lines[validation + 1].split() == names[:3]
    assert names[3] in lines[validation + 2]
    first, second = (line.split() for line in lines[validation + 5 : validation + 7])
    # No mark where there is but one value or all are alike, and a dash where there is nothing.
    assert first == ["A:", "loss=mse", "0.1000", "3.000e7", "1.000e-9", "-"]
    assert second == ["B:", "loss=huber", "0.1000", "3.000e7", "1.000e-9", "0.2500"]


def test_nothing_of_it_is_lost_in_a_file(comparison):
    values = [line.split(",")[2:] for line in to_csv(comparison).splitlines() if "val_mse" in line]
    assert sorted(values) == [
        ["0", "val_mse", "best", "1", "30000001.0"],
        ["0", "val_mse", "best", "1", "30000001.0"],
        ["0", "val_mse", "last", "4", "30000004.0"],
        ["0", "val_mse", "last", "4", "30000004.0"],
    ]
    table = written(comparison, "md").partition("**Validation data")[2]
    header, _, first, second = (line.split(" | ") for line in table.splitlines()[2:6])
    place = header.index("val_log_cosh lower |" if header[-1].startswith("val_log_cosh") else "val_log_cosh lower")
    assert [row[place].removesuffix(" |") for row in (first, second)] == ["-", "0.2500"]


def ended(at_best, at_last=None):
    seeds = {
        str(seed): {"best_epoch": 1, "test_at_best": best, "test_at_last": last}
        for seed, (best, last) in enumerate(zip(at_best, at_last or at_best, strict=True))
    }
    finished = {"epoch": 1, "seconds": 1.0, "seeds": seeds}
    return screen(lambda console: ending(console, finished, {"metric": "val_loss", "mode": "min"}, []))


def test_an_ending_tells_what_decides_from_what_describes():
    names = ["test_loss", "test_mse", "test_mae", "test_cross_entropy", "test_focal", "test_accuracy", "test_macro_f1"]
    lines = ended([dict.fromkeys(names, 0.5)], [dict.fromkeys(names, 0.25)])
    starts = [line.split()[0] for line in lines if line.startswith(("test_", "metric", "other"))]
    assert starts == [
        *("metric", "test_accuracy", "test_macro_f1", "test_loss"),
        *("other", "test_mse", "test_mae", "test_cross_entropy", "test_focal"),
    ]
    # Numbers of both tables stand below each other.
    assert len({len(line) for line in lines if line.startswith("test_")}) == 1


def test_an_ending_of_seeds_that_were_not_scored_alike():
    scores = {"test_rmse": 0.5, "test_mae": 0.25, "test_mape": 12.5}
    lines = ended([scores, {name: scores[name] for name in ("test_rmse", "test_mae")}])
    assert [line.split() for line in lines if "mape" in line] == [["test_mape", "12.50"]]


def test_a_deviation_is_written_like_a_large_mean():
    # Mean 3e7, deviation sqrt(2) * 1e6.
    assert format_spread(spread({0: 2.9e7, 1: 3.1e7}), "±") == "3.000e7 ± 1.4e6"
    assert format_spread(spread({0: 3e7, 1: 3e7}), "±") == "3.000e7 ± 0.0"
    # Mean 3e-9, deviation sqrt(2) * 1e-9.
    assert format_spread(spread({0: 2e-9, 1: 4e-9}), "±") == "3.000e-9 ± 1.4e-9"


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        ("poisson_nll", "poisson_nll (log_input on, eps 1e-08), logarithms of means vs. real-valued targets"),
        (
            {"name": "poisson_nll", "log_input": False},
            "poisson_nll (log_input off, eps 1e-08), outputs vs. real-valued targets",
        ),
        ("gaussian_nll", "gaussian_nll (eps 1e-06), means and log-variances vs. real-valued targets"),
        ("mae", "mae, outputs vs. real-valued targets"),
        ("bce", "binary_cross_entropy, logits vs. real-valued targets"),
    ],
)
def test_a_banner_says_what_a_loss_takes_outputs_for(tmp_path: Path, loss, line):
    config = {
        "dataset": {"name": "inline", "inputs": [1, 2, 3], "targets": [0.25, 0.5, 0.75]},
        **{"model": "linear", "loss": loss, "optimizer": "sgd", "learning_rate": 0.01, "lint": "warn"},
    }
    found = load_experiment(from_mapping(config, tmp_path, []), tmp_path)
    assert facts(found.config, found.facts)["loss"].startswith(line)
