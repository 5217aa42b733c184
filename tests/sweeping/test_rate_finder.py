"""The suggested rate against what a sweep finds, on configs that come with lossrun, in real worker processes."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from lossrun.analysis.rate_search import RateSearch
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.analysis.values.readings import Spread
from lossrun.config import read
from lossrun.config.overrides import Change
from lossrun.errors import DivergedError, UsageError
from lossrun.records.sweep_directory import create
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.rate_finder import find_rate
from lossrun.sweeping.reading import read_sweep

pytestmark = pytest.mark.slow
WITHIN = 3.0
SEEDS = 4
SGD = {"name": "sgd", "momentum": 0.9}


@pytest.fixture(scope="module")
def best_rates(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[float]]:
    """What sweep-quick tunes each pair to, with 4 tuning seeds instead of 1 and half-decade steps: the best rate, and
    those that are worse by less than the standard error of the difference, which the next seeds may find to be best."""
    folder = tmp_path_factory.mktemp("sweep")
    reading = read(Path("sweep-quick"))
    assert reading.sweep is not None
    block = {**reading.sweep, "tune": {"seeds": SEEDS}, "learning_rate": {"log_range": [0.00316, 1], "points": 6}}
    planned = plan_sweep(read_sweep(replace(reading, sweep=block)), folder, folder)
    sweep = create(folder, planned.name, planned.config, planned.cells, planned.facts)
    run_sweep(sweep, data_dir=folder, jobs=2)
    tuning = tuning_of(sweep)
    assert tuning is not None
    best = {}
    for pair in tuning.pairs:
        assert pair.chosen is not None
        chosen = pair.chosen.score
        assert chosen is not None
        optimizer = "adam" if pair.pair["optimizer"] == "adam" else "sgd"
        best[pair.pair["loss"], optimizer] = [
            trial.values["learning_rate"]
            for trial in pair.trials
            if trial.score and trial.score.mean - chosen.mean <= _error(trial.score, chosen)
        ]
    return best


def _error(*scores: Spread) -> float:
    return math.sqrt(sum((score.deviation or 0.0) ** 2 / SEEDS for score in scores))


def found(config: str, *changes: Change, folder: Path, steps: int | None = None) -> RateSearch:
    return find_rate(read(Path(config), list(changes)), folder, steps=steps, jobs=2)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_it_agrees_with_a_sweep(
    best_rates: dict[tuple[str, str], list[float]], tmp_path: Path, loss: str, optimizer: str
) -> None:
    changes = [Change("loss", loss, ""), Change("optimizer", SGD if optimizer == "sgd" else optimizer, "")]
    search = found("sweep-quick", *changes, folder=tmp_path)
    assert search.suggestion is not None
    assert any(1 / WITHIN <= search.suggestion / rate <= WITHIN for rate in best_rates[loss, optimizer])
    assert list(tmp_path.iterdir()) == []


def test_without_validation_data_the_training_loss_decides(tmp_path: Path) -> None:
    search = found("tiny-net", folder=tmp_path, steps=50)
    assert search.metric == "train_loss"
    assert not search.is_whole
    # Every rate from a third of this on was tried by hand with `lossrun train`: 0.1 does best, 0.2 diverges.
    assert search.suggestion is not None
    assert 0.1 / WITHIN <= search.suggestion <= 0.1 * WITHIN


def test_large_models_have_fewer_seeds(tmp_path: Path) -> None:
    """Their seeds would not train in the time of one, and more of them may not fit into memory."""
    assert len(found("tiny-net", folder=tmp_path, steps=5).seeds) == 16
    large = Change("model", {"name": "mlp", "hidden": [2000]}, "")
    assert len(found("tiny-net", large, folder=tmp_path, steps=5).seeds) == 2


def test_more_steps_than_the_run_takes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the whole run takes 100 steps"):
        found("tiny-net", folder=tmp_path, steps=101)


OWN = """
def steep(outputs, targets):
    return 1e18 * (outputs - targets).square().reshape(len(outputs), -1).mean(1)
"""


def test_where_every_rate_diverges_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    text = "dataset: {name: synthetic_regression, samples: 40}\nmodel: linear\nloss: {name: 'mine:steep'}\n"
    (tmp_path / "c.yaml").write_text(text + "optimizer: sgd\nlearning_rate: 0.1\nepochs: 3\n")
    with pytest.raises(DivergedError, match="every learning rate"):
        find_rate(read(tmp_path / "c.yaml"), tmp_path, jobs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "mine.py"]
