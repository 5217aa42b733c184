"""Scripts in Keras are executed, on its torch backend: from lossrun's initial weights and on its batches they must give
its losses, step for step: two frameworks agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.catalog.losses import LOSSES
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.catalog.schedules import moves
from lossrun.errors import UsageError
from lossrun.script.keras import loss_lines
from lossrun.script.keras.optimizer import CLASSES, MISSING
from lossrun.script.lines import shares
from tests.script.cases import LOSS_OPTIONS, OPTIMIZER_OPTIONS, READINGS, SCHEDULES, SHIPPED, keys_of_loss
from tests.script.conftest import DATASETS, Make, assert_same_data, keras_losses, keras_weights

pytestmark = [
    pytest.mark.keras,
    # Keras hands torch tensors to numpy 2 in a way that numpy finds old.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

CLOSE = 1e-4  # float32, over a few steps

WEIGHTED = {
    "name": "inline",
    "inputs": [[i / 10, (i % 7) / 7] for i in range(40)],
    "targets": [i % 3 for i in range(40)],
    "weights": [1 + i % 4 for i in range(40)],
    "task": "multiclass",
    "validation": 8,
    "test": 8,
}


def agree(pair: Any, most: int = 5) -> None:
    found, expected = keras_losses(pair, most)
    assert len(found) >= 4
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_the_keras_script_of_a_shipped_config_has_the_same_losses(pair: Make, config: Path, few_mnist: Path) -> None:
    # Dropout is drawn by each framework for itself.
    dropout = ["model.dropout=0"] if config.stem in ("mnist-lenet", "multilabel") else []
    made = pair("keras", "epochs=4", *dropout, config=config, data_dir=few_mnist)
    assert_same_data(made, "keras")
    agree(made, most=4)


@pytest.mark.parametrize(
    ("loss", "task"), [(loss.name, task) for loss in LOSSES if hasattr(loss_lines, loss.name) for task in loss.tasks]
)
def test_every_loss_on_every_task(pair: Make, loss: str, task: str) -> None:
    agree(pair("keras", **keys_of_loss(loss, task)))


@pytest.mark.parametrize(("task", "loss", "model"), LOSS_OPTIONS)
def test_options_of_losses(pair: Make, task: str, loss: dict[str, Any], model: dict[str, Any]) -> None:
    agree(pair("keras", **keys_of_loss(loss["name"], task, loss, model)))


@pytest.mark.parametrize("optimizer", [o.name for o in OPTIMIZERS if o.name in CLASSES])
def test_the_keras_script_of_every_optimizer_has_the_same_losses(pair: Make, optimizer: str) -> None:
    agree(pair("keras", optimizer=optimizer, learning_rate=0.01), most=8)


@pytest.mark.parametrize("optimizer", OPTIMIZER_OPTIONS)
def test_options_of_optimizers(pair: Make, optimizer: dict[str, Any]) -> None:
    agree(pair("keras", optimizer=optimizer, learning_rate=0.01), most=8)


# A rate that does not move needs no lines.
IN_KERAS = [each for each in SCHEDULES if hasattr(shares, each["name"]) or not moves(each["name"])]
# What has neither a class nor lines in Keras.
NOT_IN_KERAS = [
    *(("loss", keys_of_loss(loss.name, loss.tasks[0])) for loss in LOSSES if not hasattr(loss_lines, loss.name)),
    *(("optimizer", {"optimizer": o.name, "learning_rate": 0.01}) for o in OPTIMIZERS if o.name not in CLASSES),
    *(("schedule", {"schedule": each}) for each in SCHEDULES if each not in IN_KERAS),
]


@pytest.mark.parametrize(("kind", "keys"), NOT_IN_KERAS)
def test_what_keras_has_not_is_named(pair: Make, kind: str, keys: dict[str, Any]) -> None:
    name = keys[kind] if isinstance(keys[kind], str) else keys[kind]["name"]
    with pytest.raises(UsageError, match=f"{kind}: {name}.*Keras.*--as pytorch"):
        pair("keras", **keys)


def test_reasons_are_given_for_optimizers_that_keras_has_not() -> None:
    assert MISSING.keys() <= {optimizer.name for optimizer in OPTIMIZERS} - CLASSES.keys()


@pytest.mark.parametrize("schedule", IN_KERAS, ids=lambda s: s["name"])
def test_the_keras_script_of_a_schedule_has_the_same_rates(pair: Make, schedule: dict[str, Any]) -> None:
    made = pair("keras", schedule=schedule, epochs=7)
    rate = made.script.Schedule()
    for step in range(28):
        # In single precision, the cosine of nearly pi is off by 1e-7 of the rate itself.
        expected = pytest.approx(made.session.rates(step)[0], rel=1e-5, abs=1e-8)
        assert float(rate(step)) == expected


@pytest.mark.parametrize("momentum", [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}])
def test_momentum_as_the_rate_moves(pair: Make, momentum: dict[str, Any]) -> None:
    """Keras' own momentum would keep the larger rates of the past."""
    agree(pair("keras", optimizer={"name": "sgd", **momentum}, schedule="cosine", epochs=3), most=8)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "none"])
def test_the_keras_script_of_an_activation_has_the_same_losses(pair: Make, activation: str) -> None:
    agree(pair("keras", model={"name": "mlp", "hidden": [8, 6], "activation": activation}), most=4)


def test_the_keras_script_with_batch_norm_has_the_same_losses(pair: Make) -> None:
    model = {"name": "mlp", "hidden": [8], "batch_norm": True, "activation": "relu"}
    agree(pair("keras", model=model, dataset=DATASETS["binary"], loss="binary_cross_entropy"))


@pytest.mark.parametrize(
    "layers",
    [
        [{"name": "conv", "filters": 3, "kernel": 4, "stride": 2}, {"name": "max_pool"}, {"name": "dense", "units": 5}],
        [{"name": "conv", "filters": 3, "kernel": 3, "padding": 2}, {"name": "avg_pool", "size": 3}],
        [{"name": "conv", "filters": 3, "kernel": 5, "padding": 2}, {"name": "conv", "filters": 2, "padding": "valid"}],
        [{"name": "max_pool", "size": 2}, {"name": "conv", "filters": 3}, {"name": "max_pool", "size": 2}],
    ],
)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_keras_script_of_an_image_model_has_the_same_losses(
    pair: Make, tmp_path: Path, layers: list[dict[str, Any]], batch_norm: bool
) -> None:
    """Kernels, strides, padding, pools that round up and down, on images of two sides and three channels."""
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=draw.normal(size=(40, 3, 9, 7)), y=np.arange(40) % 3)
    agree(
        pair(
            "keras",
            dataset={"name": "npz", "path": "data.npz", "target": "y", "task": "multiclass"},
            model={"name": "cnn", "layers": layers, "batch_norm": batch_norm},
            loss="cross_entropy",
        )
    )


def test_a_window_that_keras_pads_elsewhere_is_refused(pair: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((40, 1, 7, 7)), y=np.arange(40) % 3)
    dataset = {"name": "npz", "path": "data.npz", "target": "y", "task": "multiclass"}
    model = {"name": "cnn", "layers": [{"name": "max_pool", "size": 3}]}
    with pytest.raises(UsageError, match=r"max_pool 3 on an image of 7 x 7.*--as pytorch"):
        pair("keras", dataset=dataset, model=model, loss="cross_entropy")


# (initializer, low, high, deviation) of its kernel, from the definition, for 50 inputs and 70 units.
FIRST_VALUES = [
    ("torch", -(50**-0.5), 50**-0.5, 50**-0.5 / 3**0.5),
    ("glorot_uniform", -((6 / 120) ** 0.5), (6 / 120) ** 0.5, (2 / 120) ** 0.5),
    ("glorot_normal", -np.inf, np.inf, (2 / 120) ** 0.5),
    ("he_uniform", -((6 / 50) ** 0.5), (6 / 50) ** 0.5, (2 / 50) ** 0.5),
    ("he_normal", -np.inf, np.inf, (2 / 50) ** 0.5),
    # Cut at two deviations of a normal that is wider by 1 / 0.8796.
    ("HeNormal", -2 * 0.2 / 0.8796, 2 * 0.2 / 0.8796, 0.2),
    ("keras.GlorotNormal", -2 * (2 / 120) ** 0.5 / 0.8796, 2 * (2 / 120) ** 0.5 / 0.8796, (2 / 120) ** 0.5),
    ({"name": "normal", "std": 0.3, "bias": 5.0}, -np.inf, np.inf, 0.3),
    # A normal cut at two deviations has 0.8796 of the deviation.
    ({"name": "truncated_normal", "std": 0.3}, -0.6, 0.6, 0.3 * 0.8796),
    ({"name": "constant", "value": 0.25}, 0.25, 0.25, 0.0),
]


@pytest.mark.parametrize(("init", "low", "high", "deviation"), FIRST_VALUES)
def test_initial_weights_are_of_the_same_kind(pair: Make, init: Any, low: float, high: float, deviation: float) -> None:
    import keras

    made = pair(
        "keras", dataset={**DATASETS["regression"], "features": 50}, model={"name": "mlp", "hidden": [70], "init": init}
    )
    keras.utils.set_random_seed(1)
    kernel, bias, *_ = made.script.build_model().get_weights()
    assert low - 1e-6 <= kernel.min() <= kernel.max() <= high + 1e-6
    # 3500 draws: the deviation of a normal sample is off by 1.2 % of itself, as often as not by less.
    assert kernel.std() == pytest.approx(deviation, rel=0.05, abs=1e-7)
    expected = made.session.replicas[0].network.body.hidden1.bias.detach().numpy()
    assert bias.mean() == pytest.approx(expected.mean(), abs=0.1)
    assert (bias.std() == 0) == (expected.std() == 0)


@pytest.mark.parametrize(("task", "loss", "model"), READINGS)
def test_loss_and_metric_of_the_validation_part(pair: Make, task: str, loss: str, model: dict[str, Any]) -> None:
    made = pair("keras", **keys_of_loss(loss, task, None, model))
    theirs = made.script.build_model()
    keras_weights(made.session.replicas[0].network, theirs)
    expected = made.session.validate()[0]
    for name, value in theirs.evaluate(*made.data["validation"], verbose=0, return_dict=True).items():
        assert value == pytest.approx(expected[f"val_{name}"], rel=1e-5), name


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_a_plateau_is_pytorchs_rule(pair: Make, metric: str) -> None:
    """Its callback, fed with values, gives the rates that lossrun's own rule gives."""
    rule = {"factor": 0.5, "patience": 1, "threshold": 0.1, "cooldown": 1, "min_rate": 0.01}
    made = pair(
        "keras",
        dataset=DATASETS["binary"],
        loss="hinge",
        schedule={"name": "reduce_on_plateau", "metric": metric, **rule},
    )
    model = made.script.build_model()
    callback = made.script.ReduceOnPlateau()
    callback.set_model(model)
    callback.on_train_begin()
    plateau = made.session.plateau
    assert plateau is not None
    state = plateau.start()
    values = [1.0, 0.95, 0.93, 0.92, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 2.0, 2.1, 2.1, 2.1, 2.1, 2.1]
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {metric: value})
        state = plateau.after(state, value)
        assert float(model.optimizer.learning_rate) == pytest.approx(plateau.rate(state, 0.05), rel=1e-6)


@pytest.mark.parametrize(
    ("keys", "score"),
    [
        ({"batch_size": 7, "drop_last": True, "early_stopping": 5, "schedule": "reduce_on_plateau"}, "test_rmse "),
        ({"dataset": DATASETS["multilabel"], "loss": "binary_cross_entropy", "best": "val_macro_f1"}, "test_macro_f1 "),
        ({"dataset": DATASETS["binary"], "loss": "hinge", "precision": "float64"}, "test_accuracy "),
        ({"dataset": DATASETS["multiclass"], "loss": "focal", "precision": "bf16"}, "test_accuracy "),
        ({"dataset": WEIGHTED, "loss": {"name": "cross_entropy", "class_weights": [1, 2, 3]}}, "test_accuracy "),
        ({"dataset": WEIGHTED, "loss": "cross_entropy", "batch_size": 7, "drop_last": True}, "test_accuracy "),
    ],
)
def test_main_trains_to_its_end(
    pair: Make,
    keys: dict[str, Any],
    score: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    before = keras.config.floatx(), keras.config.dtype_policy()
    try:
        pair("keras", **keys).script.main()
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
    said = capfd.readouterr().out.splitlines()
    assert said[-1].startswith("best weights: ")
    assert "test_loss " in said[-1]
    assert score in said[-1]
    assert any("val_loss" in line for line in said[:-1])
