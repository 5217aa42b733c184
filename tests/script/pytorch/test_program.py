"""Scripts in PyTorch are executed, and must give lossrun's own losses, step for step, from their own initial weights
and batches: two programs that were written apart agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.catalog.losses import LOSSES
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.errors import UsageError
from lossrun.script import script_input
from tests.script.cases import INITIALIZERS, LOSS_OPTIONS, OPTIMIZER_OPTIONS, READINGS, SCHEDULES, SHIPPED, keys_of_loss
from tests.script.conftest import DATASETS, MULTICLASS, Make, assert_same_data, pytorch_losses
from tests.script.own import OWN

CLOSE = 1e-4  # float32, over a few steps


def agree(pair: Any, most: int = 8) -> None:
    found, expected = pytorch_losses(pair, most)
    assert len(found) >= min(most, 4)
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_the_script_of_a_shipped_config_has_the_same_losses(pair: Make, config: Path, few_mnist: Path) -> None:
    made = pair("pytorch", "epochs=4", config=config, data_dir=few_mnist)
    assert_same_data(made, "pytorch")
    agree(made, most=6 if "mnist" not in config.stem else 4)


@pytest.mark.parametrize(("loss", "task"), [(loss.name, task) for loss in LOSSES for task in loss.tasks])
def test_every_loss_on_every_task(pair: Make, loss: str, task: str) -> None:
    agree(pair("pytorch", **keys_of_loss(loss, task)))


@pytest.mark.parametrize(("task", "loss", "model"), LOSS_OPTIONS)
def test_options_of_losses(pair: Make, task: str, loss: dict[str, Any], model: dict[str, Any]) -> None:
    agree(pair("pytorch", **keys_of_loss(loss["name"], task, loss, model)))


@pytest.mark.parametrize("optimizer", [o.name for o in OPTIMIZERS])
def test_the_script_of_every_optimizer_has_the_same_losses(pair: Make, optimizer: str) -> None:
    agree(pair("pytorch", optimizer=optimizer, learning_rate=0.01))


# Those that Keras has not. A 0 where torch's default is another has to be written out.
OWN_OPTIONS = [
    {"name": "asgd", "lambd": 0.0, "weight_decay": 0.1},
    {"name": "rprop", "etaplus": 1.5, "step_size_max": 0.02},
    {"name": "radam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "muon", "momentum": 0.8, "adamw_rate_share": 0.3, "adjust_lr_fn": "original"},
]


@pytest.mark.parametrize("optimizer", [*OPTIMIZER_OPTIONS, *OWN_OPTIONS])
def test_options_of_optimizers(pair: Make, optimizer: dict[str, Any]) -> None:
    agree(pair("pytorch", optimizer=optimizer, learning_rate=0.01))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s["name"])
def test_the_script_of_a_schedule_has_the_same_rates(pair: Make, schedule: dict[str, Any]) -> None:
    made = pair("pytorch", schedule=schedule, epochs=7)
    for step in range(28):
        assert float(made.script.learning_rate(step)) == pytest.approx(made.session.rates(step)[0], rel=1e-6)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_the_script_draws_the_same_initial_weights(pair: Make, init: Any) -> None:
    """The script draws the very numbers that lossrun draws."""
    model = {"name": "mlp", "hidden": [5], "init": init, "batch_norm": True, "dropout": 0.3}
    made = pair("pytorch", model=model, dataset=MULTICLASS, loss="cross_entropy")
    theirs = list(made.session.replicas[0].network.state_dict().values())
    mine = list(made.script.build_model().state_dict().values())
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize(("task", "loss", "model"), READINGS)
def test_loss_and_metric_of_the_validation_part(pair: Make, task: str, loss: str, model: dict[str, Any]) -> None:
    made = pair("pytorch", **keys_of_loss(loss, task, None, model), learning_rate=0.5)
    inputs, targets = (torch.from_numpy(part) for part in made.data["validation"])
    found = made.script.evaluate(made.script.build_model(), inputs, targets)
    names = ["val_loss", *([f"val_{metric}"] if (metric := script_input(made.examined, "").metric) else [])]
    expected = made.session.validate()[0]
    assert (metric is None) == (loss == "gaussian_nll")
    assert np.atleast_1d(found) == pytest.approx([expected[name] for name in names], rel=1e-5)


def test_dropout_is_the_same_as_well(pair: Make) -> None:
    model = {"name": "mlp", "hidden": [8], "dropout": 0.4}
    agree(pair("pytorch", model=model, dataset=DATASETS["binary"], loss="binary_cross_entropy"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": "linear"}, "no hidden layer"),
        ({"optimizer": {"name": "muon", "adamw_rate_share": 0.5}, "schedule": "cosine"}, "one learning rate"),
    ],
)
def test_what_torchs_muon_cannot_do_is_said(pair: Make, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pair("pytorch", **{"optimizer": "muon", **keys})


def test_components_of_ones_own_are_imported(pair: Make, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    own = {
        "model": {"name": "mine:Net", "width": 5},
        "loss": {"name": "mine:square", "power": 1.5, "reduction": "sum"},
        "optimizer": {"name": "mine:descent", "momentum": 0.5},
        "learning_rate": 1e-3,
    }
    agree(pair("pytorch", **own))


def test_drop_last_and_no_shuffle(pair: Make) -> None:
    agree(pair("pytorch", batch_size=9, drop_last=True, shuffle=False, epochs=4))


@pytest.mark.parametrize("precision", ["float64", "bf16"])
def test_the_script_computes_in_the_configured_precision(
    pair: Make, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of `main`, whose first epoch is compared by what it prints."""
    made = pair("pytorch", precision=precision, epochs=1)
    made.script.main()
    losses = [loss for _, loss in made.batches(100)]
    printed = float(capsys.readouterr().out.split("train_loss ")[1].split(",")[0])
    # Four batches of 7 or 8 of 29 samples.
    assert printed == pytest.approx(float(np.average(losses, weights=[8, 8, 8, 5])), rel=1e-5)


def test_a_plateau_is_torchs_own(pair: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """main to its end, with every option that adds a line to its loop."""
    plateau = {"name": "reduce_on_plateau", "factor": 0.5, "patience": 0, "threshold": 0.5}
    made = pair("pytorch", schedule=plateau, epochs=4, early_stopping={"patience": 3, "min_delta": 1e-3})
    made.script.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
