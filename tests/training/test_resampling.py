"""Runs on several splits or folds of their data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossrun
from lossrun.config import from_mapping
from lossrun.errors import DataError
from lossrun.experiment import load_experiment

# Findings of runs as short as these.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60},
    "model": "linear",
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 1,
}


def data_of(**keys: Any) -> dict[int, Any]:
    return dict(load_experiment(from_mapping({**BASE, **keys}, Path()), Path()).data)


def test_folds_test_every_sample_once_and_seeds_of_a_fold_share_its_data() -> None:
    data = data_of(folds=7, seeds=14)
    for first in range(0, 14, 2):
        assert data[first] is data[first + 1]
    folds = [data[seed] for seed in range(0, 14, 2)]
    assert sorted(np.concatenate([one.test.ids for one in folds])) == list(range(60))
    # 60 = 4 x 9 + 3 x 8: smaller folds validate on one more, so that all train on equally many.
    assert sorted(len(one.test) for one in folds) == [8, 8, 8, 9, 9, 9, 9]
    assert len({len(one.train) for one in folds}) == 1
    for one in folds:
        parts = [one.train.ids, one.validation.ids, one.test.ids]
        assert sorted(np.concatenate(parts)) == list(range(60))


GROUPS = [10, 16, 17, 2, 11, 8, 18, 5]  # whole groups of these sizes do not divide alike for every seed


def uneven(kind: str, folder: Path) -> dict[str, Any]:
    """Keys of a config whose splits would have training parts of different sizes."""
    if kind == "folds":
        return {"folds": 7, "seeds": 7, "dataset": {**BASE["dataset"], "validation": 0}}
    numbers = np.random.default_rng(0).normal(size=(sum(GROUPS), 2))
    groups = np.repeat(np.arange(len(GROUPS)), GROUPS)
    rows = [f"{x},g{group},{y}" for (x, y), group in zip(numbers.tolist(), groups, strict=True)]
    (folder / "grouped.csv").write_text("\n".join(["x,group,y", *rows]))
    keys = {"name": "csv", "path": str(folder / "grouped.csv"), "target": "y", "split": {"groups": "group"}}
    if kind == "splits":
        return {"splits": 4, "seeds": 4, "dataset": keys}
    return {"seeds": [2, 0, 1], "dataset": {**keys, "split_seed": "seed"}}


@pytest.mark.filterwarnings("ignore:config. learning_rate. 1e-30")
@pytest.mark.parametrize("kind", ["folds", "splits", "seeds"])
def test_all_splits_train_on_as_many_samples_and_each_sample_counts(kind: str, tmp_path: Path) -> None:
    still = {"learning_rate": 1e-30, "best": {"metric": "train_loss"}}
    config = {**BASE, **uneven(kind, tmp_path), **still}
    run = lossrun.train(config, runs_dir=tmp_path / "runs")
    scored = lossrun.evaluate(run, split="train", per_sample=True)
    sizes = {seed: sum(row["seed"] == seed for row in scored.rows) for seed in scored.seeds}
    assert len(set(sizes.values())) == 1
    # The weights stand still, so the epoch's mean is the mean over all training samples.
    for row in run.history.rows:
        assert row["train_loss"] == pytest.approx(scored.seeds[row["seed"]]["loss"], rel=1e-5)
    data = load_experiment(from_mapping(config, Path()), Path()).data
    left_out = {seed: one.surplus for seed, one in data.items()}
    assert any(left_out.values())
    assert not all(left_out.values())
    for seed, one in data.items():
        assert ("so that all splits train on equally many" in " ".join(one.notes)) == bool(left_out[seed])


def test_a_fold_alone_has_the_data_that_it_has_among_all() -> None:
    dataset = {**BASE["dataset"], "validation": 0}
    of_all = data_of(folds=7, seeds=7, dataset=dataset)
    for fold in range(7):
        alone = data_of(folds=[f"{fold + 1}/7"], dataset=dataset)
        assert next(iter(alone.values())).hashes == of_all[fold].hashes


def test_splits_differ_and_are_drawn_by_their_first_seed() -> None:
    data = data_of(splits=3, seeds=6)
    assert len({one.hashes["test"] for one in data.values()}) == 3
    alone = data_of(splits=2, seeds=[2, 4])  # the first seeds of the second and third split
    assert [alone[seed].hashes for seed in (2, 4)] == [data[seed].hashes for seed in (2, 4)]
    own = data_of(seeds=[0, 2], dataset={**BASE["dataset"], "split_seed": "seed"})
    assert [own[seed].hashes for seed in (0, 2)] == [data[seed].hashes for seed in (0, 2)]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"folds": 61}, "folds: 61, but there are only 60 samples"),
        ({"folds": 60, "dataset": {**BASE["dataset"], "validation": 59}}, "leaves nothing to train on"),
    ],
)
def test_folds_that_the_data_cannot_fill_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        data_of(**keys)


def test_data_with_a_test_set_of_their_own_are_not_split_again() -> None:
    own = {"name": "tests.training.own_test_set:dataset"}
    for way, other in (("splits", "a share to draw"), ("folds", "0 to divide")):
        with pytest.raises(DataError, match=f"{way}: 2, but the data bring their own test set.*{other}"):
            data_of(**{way: 2}, dataset=own)
    folds = data_of(folds=2, dataset={**own, "test": 0})
    assert [len(folds[seed].test) for seed in (0, 1)] == [10, 10]


def test_rows_say_their_split_and_runs_are_compared_by_the_means_of_splits(tmp_path: Path) -> None:
    runs = [
        lossrun.train({**BASE, "splits": 3, "seeds": 6, "loss": loss}, runs_dir=tmp_path / "runs")
        for loss in ("mse", "mae")
    ]
    assert [(row["seed"], row["split"]) for row in runs[0].history.rows] == [(s, s // 2) for s in range(6)]
    assert runs[0].environment["chunks"] == [6]  # all splits are trained as one computation
    comparison = lossrun.compare(*runs)
    found = comparison.verdicts[0].difference
    assert found is not None
    assert (found.over, found.count, found.ratio) == ("splits", 3, pytest.approx(12 / 43))
    means = [np.mean([found.per_seed[2 * split], found.per_seed[2 * split + 1]]) for split in range(3)]
    assert found.mean == pytest.approx(np.mean(means))
    within = np.mean([np.var([found.per_seed[2 * split], found.per_seed[2 * split + 1]], ddof=1) for split in range(3)])
    assert found.seed_deviation == pytest.approx(np.sqrt(within))
    assert found.split_deviation == pytest.approx(np.sqrt(max(0.0, np.var(means, ddof=1) - within / 2)))
    assert "standard deviation of the difference: split " in str(comparison)
    assert "if chance in the test items outweighs chance in the training set" in " ".join(str(comparison).split())
    other = lossrun.train({**BASE, "splits": 2, "seeds": 6, "loss": "mae"}, runs_dir=tmp_path / "runs")
    (reason,) = lossrun.compare(runs[0], other).reasons
    assert reason.startswith("the splits differ")
