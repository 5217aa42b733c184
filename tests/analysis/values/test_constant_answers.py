"""The scores of one answer to every sample, against scikit-learn's on that very answer, and what is said of runs."""

import numpy as np
import pytest
import sklearn.metrics as sk

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.comparison.remarks import remarks
from lossrun.analysis.values.constant_answers import constant_remark, constant_scores, no_better, sentence
from lossrun.records import ledger, recorded
from tests.conftest import write_run

COUNTS = {"binary": [17, 3], "multiclass": [3, 9, 0, 8], "multilabel": [3, 15, 0, 10]}
SAMPLES = 20


def truths(task):
    """Targets in which the classes occur so often: (N,), of labels (N, K)."""
    if task == "multilabel":
        return np.stack([np.arange(SAMPLES) < count for count in COUNTS[task]], axis=1).astype(int)
    return np.repeat(np.arange(len(COUNTS[task])), COUNTS[task])


def test_yes_or_no():
    found, t = constant_scores("binary", COUNTS["binary"], SAMPLES), truths("binary")
    yes, share = np.ones(SAMPLES), np.full(SAMPLES, 3 / 20)
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(t, 0 * yes),
            "f1": sk.f1_score(t, yes),
            "precision": sk.precision_score(t, yes),
            "auc": sk.roc_auc_score(t, share),
            "average_precision": sk.average_precision_score(t, share),
            "brier": sk.brier_score_loss(t, share),
            "binary_cross_entropy": sk.log_loss(t, share),
        }
    )


def test_one_of_several_classes():
    found, t = constant_scores("multiclass", COUNTS["multiclass"], SAMPLES), truths("multiclass")
    most, shares = np.full(SAMPLES, 1), np.tile(np.array(COUNTS["multiclass"]) / SAMPLES, (SAMPLES, 1))
    averaged = {"average": "macro", "zero_division": 0}
    one_hot = np.eye(4)[t]
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(t, most),
            "macro_f1": sk.f1_score(t, most, **averaged),
            "precision": sk.precision_score(t, most, **averaged),
            "recall": sk.recall_score(t, most, **averaged),
            "auc": 0.5,
            # Class 2 does not occur.
            "average_precision": np.mean([sk.average_precision_score(t == k, shares[:, k]) for k in (0, 1, 3)]),
            "brier": ((shares - one_hot) ** 2).sum(axis=1).mean(),
            "cross_entropy": -np.log(shares[np.arange(SAMPLES), t]).mean(),
        }
    )


def test_constant_answers_to_labels_score_as_computed_sample_by_sample():
    found, t = constant_scores("multilabel", COUNTS["multilabel"], SAMPLES), truths("multilabel")
    shares = np.tile(np.array(COUNTS["multilabel"]) / SAMPLES, (SAMPLES, 1))
    most = shares > 0.5
    assert found == pytest.approx(
        {
            "accuracy": (most == t).mean(),
            "macro_f1": sk.f1_score(t, np.ones_like(t), average="macro", zero_division=0),
            "precision": sk.precision_score(t, np.ones_like(t), average="macro", zero_division=0),
            "auc": 0.5,
            "average_precision": np.mean([sk.average_precision_score(t[:, k], shares[:, k]) for k in (0, 1, 3)]),
            "brier": ((shares - t) ** 2).sum(axis=1).mean(),
            "binary_cross_entropy": np.mean([sk.log_loss(t[:, k], shares[:, k], labels=[0, 1]) for k in range(4)]),
        }
    )


def test_of_numbers_the_mean_and_of_nothing_nothing():
    assert constant_scores("regression", (), 0) == {"r2": 0.0}
    assert constant_scores("binary", (), 0) == {}
    assert constant_scores("multiclass", [0, 0], 0) == {}


@pytest.mark.parametrize("task", COUNTS)
def test_a_better_value_is_not_told_and_an_equal_or_worse_one_is(task):
    constant = constant_scores(task, COUNTS[task], SAMPLES)
    lower = {"brier", "binary_cross_entropy", "cross_entropy"}
    better = {name: value + (-0.01 if name in lower else 0.01) for name, value in constant.items()}
    worse = {name: value - (-0.01 if name in lower else 0.01) for name, value in constant.items()}
    assert no_better(better, constant) == {}
    assert no_better(constant, constant).keys() == no_better(worse, constant).keys() == constant.keys()
    # Except for rounding: float32 sums do not decide it.
    assert no_better({name: value * (1 + 1e-9) for name, value in constant.items()}, constant).keys() == constant.keys()
    assert no_better(dict.fromkeys(constant, float("nan")), constant) == {}


def test_what_is_said_names_both_values_and_what_decides_first():
    found = no_better({"auc": 0.5, "accuracy": 0.98611, "brier": 0.5}, {"accuracy": 0.98611, "auc": 0.5, "brier": 0.1})
    assert sentence(found, "test") == (
        "a constant prediction scores as well on the test data: accuracy 0.9861 = 0.9861, auc 0.5 = 0.5, "
        "brier 0.5 > 0.1"
    )
    assert sentence({}, "test") == ""


def counted(counts):
    """As run.json has them; lists for each seed."""
    if isinstance(counts[0], list):
        return [counted(one) for one in counts]
    return {"counts": list(counts), "total": sum(counts)}


@pytest.fixture
def binary(tmp_path):
    """A binary run on imbalanced data, with these test values of its seeds at best."""

    def made(name, *tests, counts=(71, 1), seeds=None, finish=True, rate=0.1):
        seeds = list(range(len(tests) or 1))
        run = write_run(
            tmp_path / "runs",
            name,
            rows=lambda epoch, seed: {"val_loss": 1 / epoch, "val_accuracy": 0.75},
            config={"seeds": seeds, "learning_rate": rate},
            environment={
                "task": "binary",
                "samples": {"train": 500, "validation": 8, "test": 72},
                "class_counts": {"validation": {"counts": [6, 2], "total": 8}, "test": counted(counts)},
            },
            finish=False,
        )
        if finish:
            ends = {
                str(seed): {f"test_at_{when}": values for when in ("best", "last")} if tests else {}
                for seed, values in zip(seeds, tests or ({},), strict=True)
            }
            ledger.append(run.ledger_path, "finished", epoch=4, seeds=ends, seconds=1.0)
        return recorded.load(run.path)

    return made


def test_a_run_no_better_than_the_frequent_class_says_so_wherever_it_is_looked_at(binary):
    run = binary("a", {"test_accuracy": 71 / 72, "test_auc": 0.9}, {"test_accuracy": 71 / 72, "test_auc": 0.9})
    told = "a constant prediction scores as well on the test data: accuracy 0.9861 = 0.9861"
    assert constant_remark(run) == told
    assert told in remarks(run)
    other = binary("b", {"test_accuracy": 1.0, "test_auc": 0.9}, {"test_accuracy": 71 / 72, "test_auc": 0.9}, rate=0.2)
    assert constant_remark(other) == ""  # the mean over seeds is better
    comparison = compare([run, other])
    assert told in comparison.runs[0].remarks
    assert told not in comparison.runs[1].remarks


def test_without_test_data_the_validation_data_say_it_and_before_the_end_nobody(binary):
    assert constant_remark(binary("a")).endswith("on the validation data: accuracy 0.75 = 0.75")
    assert constant_remark(binary("b", finish=False)) == ""


def test_each_seed_has_the_counts_of_its_own_split(binary):
    tests = [{"test_accuracy": 0.75}, {"test_accuracy": 0.75}]
    # The mean of 3/4 and 2/4 is below 3/4.
    assert constant_remark(binary("a", *tests, counts=([3, 1], [2, 2]))) == ""
    assert "accuracy 0.75 = 0.75" in constant_remark(binary("b", *tests, counts=([3, 1], [1, 3])))


def test_of_a_comparison_on_shared_seeds_the_means_are_over_those(binary):
    run = binary("a", {"test_accuracy": 0.7}, {"test_accuracy": 0.9}, counts=([3, 1], [3, 1]))
    assert constant_remark(run) == ""
    assert constant_remark(run, seeds=[1]) == ""
    assert "accuracy 0.7 < 0.75" in constant_remark(run, seeds=[0])


def test_a_regression_is_held_against_the_mean(tmp_path):
    run = write_run(tmp_path, rows=lambda epoch, seed: {"val_loss": 1 / epoch, "val_r2": -0.1}, finish=False)
    ledger.append(run.ledger_path, "finished", epoch=4, seeds={"0": {}}, seconds=1.0)
    assert constant_remark(recorded.load(run.path)).endswith("on the validation data: r2 -0.1 < 0")


def test_runs_of_older_versions_say_nothing(make_run):
    run = make_run(rows=lambda epoch, seed: {"val_loss": 1 / epoch}, environment={"task": "binary"})
    assert constant_remark(run) == ""
