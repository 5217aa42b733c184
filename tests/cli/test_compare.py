"""`lossrun compare` from the command line, on runs that were really trained."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

from lossrun.report.manual.verdicts import CI_EXAMPLE
from tests.conftest import write_run

RUNS = (("mse", "mse"), ("mae", "mae"))


@pytest.fixture
def trained(lossrun, config: Path) -> Path:
    for name, loss in RUNS:
        result = lossrun("train", str(config), "--set", f"loss={loss}", "--set", "seeds=6", "--name", name, "--quiet")
        assert result.code == 0, result.err
    return config.parent


def test_a_first_screen_says_what_differs_which_is_better_and_how_sure(trained, lossrun):
    text = lossrun("compare", "mse", "mae").out
    places = [text.index(words) for words in ("Differences", "95 % interval", "Test data at", "--curves shows")]
    assert places == sorted(places)
    assert "p-values are corrected for 2 comparisons (Holm)" in text
    assert "Epoch by epoch" not in text
    assert "Epoch by epoch" in lossrun("compare", "mse", "mae", "--curves").out


def test_every_format_and_option_works_together(trained, lossrun):
    options = ("--at", "2", "--margin", "100", "--target", "val_rmse=0.1", "--metric", "rmse")
    text = lossrun("compare", "mse", "mae", *options).out
    assert "are equivalent by val_rmse, to within 100.0" in text
    assert "Until val_rmse is at most 0.1" in text
    read = json.loads(lossrun("compare", "mse", "mae", *options, "--format", "json").out)
    assert (read["at"], read["margin"], read["verdicts"][0]["word"]) == (2, 100.0, "equivalent")
    assert lossrun("compare", "mse", "mae", *options, "--format", "latex").out.count(r"\begin{table}") == 4
    assert "**Validation data at epoch 2**" in lossrun("compare", "mse", "mae", *options, "--format", "md").out


def test_tidy_rows_hold_every_seed_of_every_metric(trained, lossrun):
    text = lossrun("compare", "mse", "mae", "--per-seed", "--format", "csv").out
    lines = [line for line in csv.DictReader(io.StringIO(text)) if line["metric"] == "test_rmse"]
    assert [line["seed"] for line in lines] == ["0", "1", "2", "3", "4", "5"] * 2
    assert len({line["value"] for line in lines}) == 12
    assert lossrun("compare", "mse", "mae", "--per-seed").out.count("test_rmse") == 12


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--at", "first"), "--at first: expected best, last, or the number of an epoch"),
        (("--at", "9"), "no run has an epoch 9"),
        (("--margin", "-1"), "expected a number above 0"),
        (("--target", "accuracy"), "such as val_accuracy=0.97"),
        (("--metric", "accuracy"), "they share"),
    ],
)
def test_mistakes_are_told(trained, lossrun, options, told):
    result = lossrun("compare", "mse", "mae", *options)
    assert result.code == 2
    assert told in " ".join(result.err.split())


def test_runs_are_called_as_the_user_says_wherever_they_are_named(trained, lossrun):
    labels = ("--label", "A=old | way", "--label", "mae=new_way")
    for more in ((), ("--only-table",), ("--curves",), ("--format", "json"), ("--format", "csv"), ("--format", "md"),
                 ("--format", "latex"), ("--per-seed", "--format", "csv"), ("--per-seed", "--format", "json"),
                 ("--format", "md", "--only-table"), ("--format", "latex", "--only-table")):  # fmt: skip
        text = lossrun("compare", "mse", "mae", *labels, *more).out.replace("\\", "")
        assert "old" in text, more
        assert "new_way" in text, more
        assert "loss=mse" not in text, more
    for text in ("old", "loss=x"):
        assert text in lossrun("plot", "mse", "mae", "--label", text).out
    assert lossrun("compare", "mse", "mae", "--label", "old", "--html", "page.html").code == 0
    page = (trained / "page.html").read_text()
    assert "A (old)" in page
    assert "--label A=old" in page
    for wrong in (["a", "b", "c"], ["C=x"], [""], ["a", "a"]):
        options = [word for text in wrong for word in ("--label", text)]
        assert lossrun("compare", "mse", "mae", *options).code == 2
        assert lossrun("plot", "mse", "mae", *options).code == 2


def test_only_the_tables_of_metrics(trained, lossrun):
    result = lossrun("compare", "mse", "mae", "--only-table")
    assert result.out.startswith("Test data at")
    assert "Validation data at" in result.out
    assert "Runs" not in result.out
    assert "interval" not in result.out
    text = lossrun("compare", "mse", "mae", "--only-table", "--format", "md").out
    assert text.startswith("**Test data at")
    assert text.count("| run |") + text.count("| metric |") == text.count("**Test") + text.count("**Validation")
    for other in (["--per-seed"], ["--format", "json"], ["--format", "csv"]):
        assert lossrun("compare", "mse", "mae", "--only-table", *other).code == 2


def test_a_requirement_is_an_exit_code_with_a_sentence(trained, lossrun):
    """For a script: 0, 7, 8, and 2 for a question that cannot be asked."""
    better = ("--require", "better", "--metric", "rmse")
    codes = [lossrun("compare", *runs, *better).code for runs in (("mse", "mae"), ("mae", "mse"))]
    assert sorted(codes) in ([0, 7], [8, 8])
    lossrun("train", "config.yaml", "--set", "loss=mse", "--set", "seeds=6", "--name", "again", "--quiet")
    result = lossrun("compare", "mse", "again", "--require", "better")
    assert result.code == 8
    assert "--require better: cannot tell whether B is better than A by test_rmse and test_mae" in " ".join(
        result.err.split()
    )
    assert "identical by test_rmse" in result.out  # the comparison itself is printed all the same
    not_worse = ("compare", "mse", "again", "--require", "not-worse", "--margin", "0.01")
    assert lossrun(*not_worse, "--over", "seeds").code == 0
    result = lossrun(*not_worse)
    assert (result.code, "20 test items cannot tell whether they always are" in result.err) == (8, True)
    for options, told in (
        (("--require", "not-worse"), "needs --margin NUMBER"),
        (("--require", "better", "--plan", "0.1"), "leave out one of the two"),
    ):
        result = lossrun("compare", "mse", "again", *options)
        assert (result.code, told in " ".join(result.err.split())) == (2, True)


def test_a_plan_is_made_of_a_pilot_instead_of_a_verdict(trained, lossrun):
    text = " ".join(lossrun("compare", "mse", "mae", "--plan", "0.05").out.split())
    assert "To find a difference of 0.05000 in test_rmse from A" in text
    assert "the pilot's seeds must not enter the verdict" in text
    assert "95 % interval +" not in text


def test_methods_are_compared_over_datasets(lossrun, tmp_path):
    for dataset in range(6):
        for loss, value in (("mse", 1.0), ("mae", 0.5 + 0.05 * dataset)):
            write_run(
                tmp_path / "runs",
                f"{loss}-{dataset}",
                rows=lambda epoch, _, value=value: {"val_loss": 1 / epoch, "val_rmse": value},
                config={
                    "loss": {"name": loss},
                    "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100 + dataset},
                },
            )
    result = lossrun("compare", "m*", "--by", "dataset", "--metric", "val_rmse", "--html", "ranks.html")
    assert result.code == 0, result.err
    text = " ".join(result.out.split())
    assert "over these datasets by val_rmse" in text
    assert "Mean ranks over 6 datasets; 1 is the best" in text
    assert "<circle" in (tmp_path / "ranks.html").read_text()
    read = json.loads(lossrun("compare", "m*", "--by", "dataset", "--metric", "val_rmse", "--format", "json").out)
    assert len(read["values"]) == 6
    result = lossrun("compare", "m*", "--by", "dataset", "--plan", "1")
    assert (result.code, "--plan is about runs on one dataset" in " ".join(result.err.split())) == (2, True)


def test_the_ci_job_of_the_manual_passes_and_fails_as_it_says(lossrun, tmp_path):
    """Its steps are run as they stand there."""
    steps = [shlex.split(line.partition("run: ")[2]) for line in CI_EXAMPLE.splitlines() if "run: " in line]
    assert [step[:2] for step in steps] == [["lossrun", "train"], ["lossrun", "train"], ["lossrun", "compare"]]
    keys = "dataset: {name: synthetic_regression, samples: 200}\nmodel: linear\nloss: mse\noptimizer: sgd\nepochs: 2\n"

    def job(rate: float) -> list[int]:
        (tmp_path / "baseline.yaml").write_text(f"{keys}learning_rate: 0.01\n")
        (tmp_path / "candidate.yaml").write_text(f"{keys}learning_rate: {rate}\n")
        return [lossrun(*step[1:]).code for step in steps]

    assert job(0.01) == [0, 0, 0]
    assert job(1e-5) == [0, 0, 7]
    assert job(0.0101) == [0, 0, 0]  # better


def test_ranks_are_plotted_on_the_terminal_and_into_files(lossrun, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for dataset in range(6):
        for method, mean in enumerate((1.0, 0.9, 0.8)):
            value = mean + 0.01 * dataset * method
            write_run(
                tmp_path / "runs",
                f"m{method}-{dataset}",
                rows=lambda epoch, _, value=value: {"val_loss": 1 / epoch, "val_rmse": value},
                config={
                    "learning_rate": 0.1 * (method + 1),
                    "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100 + dataset},
                },
            )
    by = ("plot", "m*", "--by", "dataset", "--metric", "val_rmse")
    shown = lossrun(*by).out
    assert "critical difference" in shown
    assert max(map(len, shown.splitlines())) <= 80
    result = lossrun(*by, "-o", "ranks.svg")
    assert result.code == 0, result.err
    drawn = (tmp_path / "ranks.svg").read_text()
    assert all(f'id="{name}"' in drawn for name in ("method0", "method2", "critical-difference"))
    assert lossrun(*by, "--log").code == 2
    text = " ".join(lossrun("compare", *by[1:]).out.split())
    assert "the mean ranks of all 3 methods differ over these datasets by val_rmse (Friedman's test: chi-square" in text
