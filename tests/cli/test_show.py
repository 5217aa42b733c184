"""`lossrun show --format json`."""

import json
import math
from pathlib import Path

from lossrun.records import recorded
from tests.cli.conftest import Run


def test_everything_about_a_run_as_json(lossrun: Run, config: Path, tmp_path: Path) -> None:
    made = lossrun("train", str(config), "--set", "seeds=2", "--tag", "a b", "--quiet")
    result = lossrun("show", "last", "--format", "json")
    shown = json.loads(result.out)
    run = recorded.load(tmp_path / made.out.strip())
    assert (shown["run"], shown["status"], shown["epochs_done"], shown["seeds"]) == (run.name, "finished", 3, [0, 1])
    assert shown["config"] == run.config
    assert shown["environment"] == run.environment
    assert shown["events"] == list(run.ledger)
    finished = run.finished
    assert finished is not None
    for seed in ("0", "1"):
        best = finished["seeds"][seed]
        assert shown["best"]["epochs"][seed] == best["best_epoch"]
        assert shown["test"]["test_rmse"]["at_best"]["per_seed"][seed] == best["test_at_best"]["test_rmse"]
    values = [row["val_loss"] for row in run.history.rows if row["epoch"] == 3]
    assert math.isclose(shown["history"]["val_loss"]["last"], sum(values) / 2, rel_tol=1e-12)
    assert lossrun("show", "last").out != result.out


def test_a_run_without_an_epoch_and_one_that_diverged(lossrun: Run, config: Path) -> None:
    assert lossrun("train", str(config), "--set", "optimizer=sgd", "--set", "learning_rate=1e20").code == 6
    result = lossrun("show", "last", "--format", "json")
    assert result.code == 0
    shown = json.loads(result.out, parse_constant=lambda name: 1 / 0)  # strict JSON has no NaN
    assert shown["status"] == "diverged"
    assert shown["test"] == {}
