"""Settings that are tried for advice: what they cost, and that one seed's advice does not depend on another's."""

from pathlib import Path

import pytest

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.training import trial
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin

RATES = [(f"learning_rate={rate}",) for rate in (0.1, 0.03, 0.01, 0.003)]
# Two updates in each of ten epochs.
CONFIG = {
    "dataset": {"name": "synthetic_regression", "samples": 40, "validation": 0, "test": 0},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 1e-6,
    "batch_size": 20,
    "epochs": 10,
}


def test_trials_on_a_large_network_cost_no_more_than_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load_experiment(from_mapping(CONFIG, tmp_path), tmp_path)
    with begin(prepare(experiment), tmp_path) as session:
        cheap = trial.SettingsTrial(session, session.replicas[0], {})
        assert list(cheap(RATES)) == RATES
        # As if each multiplication of this small network were a large network's.
        monkeypatch.setattr(trial, "MOST_MULTIPLICATIONS", 0)
        dear = trial.SettingsTrial(session, session.replicas[0], {})
        assert list(dear(RATES)) == RATES[:1]
        assert dear.spent <= 10 * 2
        again = trial.SettingsTrial(session, session.replicas[0], cheap.tried)
        assert list(again(RATES)) == RATES[:1]
