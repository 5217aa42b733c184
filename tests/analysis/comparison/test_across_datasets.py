"""Methods compared over datasets."""

import json

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.comparison.across_datasets import compare_across_datasets, least_datasets
from lossrun.errors import UsageError
from lossrun.report.comparison.across_datasets import ranks_table, sentences, values_table, written
from lossrun.report.html.across_datasets import to_html

DATASETS = 7
# Means of val_rmse by dataset: a baseline, one that is lower everywhere, and one that is not different.
VALUES = np.random.default_rng(1).uniform(0.5, 1.5, size=(DATASETS, 1)) + np.array([0.0, -0.2, 0.0])
VALUES[:, 1] -= np.linspace(0.01, 0.07, DATASETS)
VALUES[:, 2] += np.array([0.03, -0.02, 0.01, -0.04, 0.05, -0.06, 0.0])


@pytest.fixture
def make_runs(make_run):
    def made(datasets=DATASETS, methods=3, skip=(), **options):
        runs = []
        for dataset in range(datasets):
            for method in range(methods):
                if (dataset, method) in skip:
                    continue
                mean = VALUES[dataset, method]
                keys = {
                    "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100 + dataset},
                    "learning_rate": 0.1 * (method + 1),
                    "seeds": [0, 1],
                }
                runs.append(
                    make_run(
                        f"{dataset}-{method}",
                        rows=lambda epoch, seed, mean=mean: {
                            "val_loss": 1 / epoch,
                            "val_rmse": mean + 0.1 * (seed - 0.5),
                        },
                        config=keys | options.get("config", {}),
                    )
                )
        return runs

    return made


def test_values_are_means_over_seeds_and_ranks_scipys(make_runs):
    found = compare_across_datasets(make_runs(), "val_rmse")
    assert found.methods == ("lr=0.1", "lr=0.2", "lr=0.30000000000000004")
    assert found.datasets[:2] == ("samples=100", "samples=101")
    assert np.array(found.values) == pytest.approx(VALUES)
    expected = np.array([stats.rankdata(row) for row in np.round(VALUES, 9)])
    assert np.array(found.ranks) == pytest.approx(expected)
    assert found.mean_ranks == pytest.approx(expected.mean(axis=0).tolist())


def test_verdicts_are_of_signed_ranks_and_corrected_together(make_runs):
    found = compare_across_datasets(make_runs(), "val_rmse")
    second, third = found.against
    assert (second.wins, second.ties, second.losses, second.word) == (7, 0, 0, "better")
    assert second.ranks.p_value == pytest.approx(stats.wilcoxon(VALUES[:, 0] - VALUES[:, 1], method="exact").pvalue)
    assert second.corrected_p_value == pytest.approx(2 * second.ranks.p_value)
    assert (third.wins, third.ties, third.losses, third.word) == (3, 1, 3, "no clear difference")
    said = sentences(found)
    assert said[0].startswith("B (lr=0.2) is better than A (lr=0.1) over these datasets by val_rmse: B wins on 7, ")
    assert "equal on 1" in said[1]


def test_five_datasets_cannot_decide(make_runs):
    found = compare_across_datasets(make_runs(datasets=5, methods=2), "val_rmse")
    assert found.against[0].word == "no clear difference"
    assert sentences(found)[0].endswith("fewer than 6 datasets cannot decide")


def test_more_methods_need_more_datasets(make_runs):
    """A method that wins on all 6 of them has p = 2^-5, and twice that with a third method. With 7 it is 2^-5 again."""
    found = compare_across_datasets(make_runs(datasets=6), "val_rmse")
    assert found.against[0].wins == 6
    assert found.against[0].corrected_p_value == 2 / 32
    assert sentences(found)[0].endswith("fewer than 7 datasets cannot decide among 3 methods")
    assert "cannot decide" not in sentences(compare_across_datasets(make_runs(datasets=6, methods=2), "val_rmse"))[0]
    assert [least_datasets(count) for count in (2, 3, 4, 7, 30)] == [6, 7, 7, 8, 11]


def test_the_picture_places_mean_ranks_on_a_scale(make_runs):
    found = compare_across_datasets(make_runs(), "val_rmse")
    table = ranks_table(found)
    scale, (*rows, critical) = table.columns[-1].header, table.columns[-1].cells
    assert [scale.index(rank) for rank in "123"] == [0, 20, 40]
    assert table.key.cells[0] == "B: lr=0.2"
    for row, rank in zip(rows, sorted(found.mean_ranks), strict=True):
        assert row.index("●") == round((rank - 1) * 20)
    # Three methods on seven datasets: 2.343 sqrt(3 4 / (6 7)) = 1.2524 ranks (Demsar 2006), 20 characters each.
    assert found.together.critical_difference == pytest.approx(1.2524, abs=1e-3)
    assert critical.strip() == "├" + "─" * 24 + "┤"
    assert table.columns[1].cells == ("a", "b", "b", "")
    assert all(set(row) <= set("-o| ") for row in ranks_table(found, unicode=False).columns[-1].cells)
    page = to_html(found)
    assert page.count("<circle") == 3 * DATASETS
    assert "mean rank: 1.00" in page
    assert page.count('class="group"') == 2  # one group of methods, and the critical difference


def test_every_format_has_the_values(make_runs):
    found = compare_across_datasets(make_runs(), "val_rmse")
    read = json.loads(written(found, "json"))
    assert np.array(read["values"]) == pytest.approx(VALUES)
    assert len(written(found, "csv").splitlines()) == 1 + 3 * DATASETS
    assert "samples=103" in written(found, "md")
    assert written(found, "latex").count(r"\begin{table}") == 2
    assert values_table(found).columns[1].emphasis == frozenset(range(DATASETS))
    first = {"dataset": "samples=100", "method": "lr=0.1", "metric": "val_rmse"}
    assert found.records()[0] == first | {"value": found.values[0][0], "rank": found.ranks[0][0]}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"datasets": 1}, "all these runs are on one dataset"),
        ({"methods": 1}, "one method on several datasets"),
        ({"skip": [(2, 1)]}, "do not have the same methods"),
    ],
)
def test_what_is_missing_is_said(make_runs, options, told):
    with pytest.raises(UsageError, match=told):
        compare_across_datasets(make_runs(**options), "val_rmse")


def test_a_run_that_is_not_finished_is_named(make_runs, make_run):
    runs = make_runs(methods=1)
    for dataset in range(DATASETS):
        keys = {"dataset": runs[dataset].config["dataset"], "learning_rate": 0.5, "seeds": [0, 1]}
        end = {"epochs_done": 2, "finish": False} if dataset == 3 else {}
        rows = lambda epoch, seed: {"val_loss": 1 / epoch, "val_rmse": 1.0}  # noqa: E731
        runs.append(make_run(f"other-{dataset}", rows=rows, config=keys, **end))
    with pytest.raises(UsageError, match=r"on samples=103, the status of lr=0\.5 is interrupted"):
        compare_across_datasets(runs, "val_rmse")


def test_runs_with_rates_of_their_own_are_matched_by_name(make_run):
    runs = [
        make_run(
            f"{dataset}-{method}",
            rows=lambda epoch, seed, mean=VALUES[dataset, method]: {"val_loss": 1 / epoch, "val_rmse": mean},
            config={
                "name": method_name,
                "dataset": {"name": "synthetic_regression", "kind": "linear", "samples": 100 + dataset},
                "learning_rate": 0.1 * (dataset + 1) + method,
            },
        )
        for dataset in range(6)
        for method, method_name in enumerate(("ours", "theirs"))
    ]
    found = compare_across_datasets(runs, "val_rmse")
    assert len(found.methods) == 2
    assert found.against[0].wins == 6
