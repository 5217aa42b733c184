"""Settings that are tried for advice: what they cost, what they tell, and whose code they run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.records import ledger
from lossrun.training import trial
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory, assert_same_bits

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


def test_a_resumed_run_finds_what_an_uninterrupted_one_finds(laboratory: Laboratory) -> None:
    """It tries the same settings at the ends of the same epochs, and that leaves no trace in its bits."""
    config = {**CONFIG, "seeds": 2}
    whole, stopped = laboratory.start(config), laboratory.start(config, stop_at=1)
    for steps in (3, 10, 13, 19):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)
    timed = dict.fromkeys(("time", "digest", "history"))
    findings = [
        [event | timed for event in ledger.read(run.ledger_path) if event["event"] == "diagnosed"]
        for run in (whole, stopped)
    ]
    assert findings[0] == findings[1]
    assert any("cure" in finding for finding in findings[0]), "the test needs a run for which settings are tried"


OWN = """
import torch

def net(input_shape, output_size, hidden):
    assert hidden > 0
    layers = torch.nn.Linear(input_shape[0], hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, output_size)
    return torch.nn.Sequential(*layers)
def loss(outputs, targets):
    return (outputs - targets).abs().sum(dim=1)
"""


def test_a_users_own_components_are_tried_as_they_were_loaded(tmp_path: Path) -> None:
    """Even if the file has changed since; and settings with which they fail are left out."""
    (tmp_path / "own_tried.py").write_text(OWN)
    own = {"model": {"name": "own_tried:net", "hidden": 4}, "loss": "own_tried:loss", "learning_rate": 1e-3}
    experiment = load_experiment(from_mapping({**CONFIG, **own}, tmp_path), tmp_path)
    with begin(prepare(experiment), tmp_path) as session:
        weights = [weight.detach().clone() for weight in session.replicas[0].weights]
        (tmp_path / "own_tried.py").write_text("raise RuntimeError('a line that is not finished')")
        tried = trial.SettingsTrial(session, session.replicas[0], {})([*RATES, ("model.hidden=0",)])
        assert list(tried) == RATES
        assert all(torch.equal(*each) for each in zip(weights, session.replicas[0].weights, strict=True))
        # 20 updates at 0.1 get further than 20 at 0.003.
        assert tried[RATES[0]] < tried[RATES[-1]] < 1.5


def test_a_loss_on_held_out_data_counts_where_it_is_asked_for(tmp_path: Path) -> None:
    """Noise can be learned by heart, and nothing of it holds for other samples."""
    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(420, 10)), random.normal(size=420)
    dataset = {"name": "inline", "inputs": inputs.tolist(), "targets": targets.tolist(), "validation": 400}
    model = {"name": "mlp", "hidden": [64]}
    raw = {**CONFIG, "dataset": dataset, "model": model, "optimizer": "adam", "learning_rate": 0.03, "epochs": 100}
    experiment = load_experiment(from_mapping(raw, tmp_path), tmp_path)
    with begin(prepare(experiment), tmp_path) as session:
        tried = trial.SettingsTrial(session, session.replicas[0], {})
        assert tried([()])[()] < 0.1
        assert tried([()], held_out=True)[()] > 1
