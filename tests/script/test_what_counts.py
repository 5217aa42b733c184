"""Scripts of runs in which samples have weights, and labels are ignored or weighted by their names."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.catalog.losses import LOSSES
from lossrun.errors import UsageError
from lossrun.steps.evaluate import evaluate
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from tests.script.conftest import Make, assert_same_data, keras_losses, keras_weights, pytorch_losses

CLOSE = 1e-4
N = 40
DRAWN = np.random.default_rng(8)
INPUTS = DRAWN.normal(size=(N, 3)).round(3).tolist()
WEIGHTS = DRAWN.uniform(0.1, 5, N).round(2).tolist()
TARGETS: dict[str, Any] = {
    "regression": DRAWN.uniform(0.1, 0.9, (N, 2)).round(3).tolist(),
    "binary": DRAWN.integers(0, 2, N).tolist(),
    "multiclass": DRAWN.integers(1, 4, N).tolist(),
    "multilabel": DRAWN.integers(0, 2, (N, 3)).tolist(),
}
CASES = [(task, loss.name) for task in TARGETS for loss in LOSSES if task in loss.tasks]
# Labels 1 to 3: none of them is the place of its class.
OPTIONS: list[dict[str, Any]] = [
    {"class_weights": {2: 5}},
    {"class_weights": [1, 2, 0.5]},
    {"class_weights": "balanced"},
    {"class_weights": {1: 3}, "weight_convention": "keras"},
    {"class_weights": {3: 3}, "ignore_index": 1},
    {"ignore_index": 2, "label_smoothing": 0.1},
    {"class_weights": {3: 2}, "reduction": "sum"},
]


def config(task: str, loss: Any, *, weighted: bool = True, **changes: Any) -> dict[str, Any]:
    dataset = {"name": "inline", "inputs": INPUTS, "targets": TARGETS[task], "task": task, "test": 8, "validation": 8}
    if weighted:
        dataset["weights"] = WEIGHTS
    return {"dataset": {**dataset, **changes}, "loss": loss, "batch_size": 5, "epochs": 3}


@pytest.mark.parametrize(("task", "loss"), CASES)
def test_weighted_samples_in_pytorch(pair: Make, task: str, loss: str) -> None:
    made = pair("pytorch", **config(task, loss))
    assert_same_data(made, "pytorch")
    np.testing.assert_allclose(*pytorch_losses(made), rtol=CLOSE)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize(
    ("task", "loss"),
    [
        *CASES,
        ("binary", {"name": "binary_cross_entropy", "weight_convention": "keras"}),
        ("multiclass", {"name": "cross_entropy", "weight_convention": "keras"}),
    ],
)
def test_weighted_samples_in_keras(pair: Make, task: str, loss: Any) -> None:
    made = pair("keras", **config(task, loss))
    assert_same_data(made, "keras")
    np.testing.assert_allclose(*keras_losses(made), rtol=CLOSE)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("weighted", [True, False])
def test_labels_in_pytorch(pair: Make, options: dict[str, Any], weighted: bool) -> None:
    made = pair("pytorch", **config("multiclass", {"name": "cross_entropy", **options}, weighted=weighted))
    np.testing.assert_allclose(*pytorch_losses(made), rtol=CLOSE)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("weighted", [True, False])
def test_labels_in_keras(pair: Make, options: dict[str, Any], weighted: bool) -> None:
    made = pair("keras", **config("multiclass", {"name": "cross_entropy", **options}, weighted=weighted))
    np.testing.assert_allclose(*keras_losses(made), rtol=CLOSE)


# Losses of one number for each sample and of one for each output, with the weights of classes or outputs within or not.
BOTH_WEIGHTS: list[Any] = [
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 3]}),
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 3], "label_smoothing": 0.2}),
    ("binary", {"name": "hinge", "class_weights": "balanced"}),
    ("binary", {"name": "squared_hinge", "class_weights": [2, 0]}),
    ("multilabel", {"name": "binary_cross_entropy", "class_weights": [1, 2, 3]}),
    ("multilabel", {"name": "binary_cross_entropy", "class_weights": [1, 2, 3], "reduction": "half_sample_mean"}),
    ("multilabel", {"name": "mse", "reduction": "sum"}),
    ("multiclass", {"name": "binary_cross_entropy", "class_weights": [1, 2, 3]}),
    ("multiclass", {"name": "mse", "reduction": "sample_mean"}),
    ("multiclass", {"name": "cross_entropy", "class_weights": [1, 0, 3], "label_smoothing": 0.1}),
    ("multiclass", {"name": "focal", "class_weights": [1, 2, 3], "reduction": "half_sum"}),
    ("multiclass", {"name": "multi_margin", "class_weights": [1, 2, 3], "weight_convention": "keras"}),
    ("regression", {"name": "huber", "reduction": "sample_mean"}),
    ("regression", {"name": "mae", "reduction": "half_sum"}),
]


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize(("task", "loss"), BOTH_WEIGHTS)
@pytest.mark.parametrize("framework", ["keras", "pytorch"])
def test_samples_and_classes_with_weights(pair: Make, framework: str, task: str, loss: dict[str, Any]) -> None:
    made = pair(framework, "lint=warn", **config(task, loss))
    losses = keras_losses if framework == "keras" else pytorch_losses
    np.testing.assert_allclose(*losses(made), rtol=CLOSE)


# One class is ignored, or has no weight, or its samples have none: a batch of it alone has a mean of 0 / 0.
NOTHING_COUNTS: list[Any] = [
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1}, False),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1, "label_smoothing": 0.1}, True),
    ("multiclass", {"name": "cross_entropy", "class_weights": {1: 0}}, False),
    ("multiclass", {"name": "cross_entropy", "class_weights": {2: 3}, "ignore_index": 1}, False),
    ("multiclass", {"name": "focal", "class_weights": {1: 0}}, True),
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 0]}, False),
    ("binary", "hinge", True),
]


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize(("task", "loss", "weighted"), NOTHING_COUNTS)
@pytest.mark.parametrize("framework", ["keras", "pytorch"])
def test_a_batch_in_which_nothing_counts(pair: Make, framework: str, task: str, loss: Any, weighted: bool) -> None:
    labels = [1] * 16 + [2, 3] * 12 if task == "multiclass" else [1] * 16 + [0, 1] * 12
    weights = {"weights": [0.0] * 16 + WEIGHTS[16:]} if weighted else {}
    parts = {"test": 0, "validation": 0, "targets": labels, **weights}
    made = pair(framework, "lint=warn", "shuffle=false", **config(task, loss, weighted=weighted, **parts))
    found, expected = (keras_losses if framework == "keras" else pytorch_losses)(made)
    assert expected[:3] == [0.0] * 3
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


# Losses with powers, exponentials and clipped values, on outputs that are certain, rightly and wrongly.
FAR_AWAY: list[Any] = [
    ("multiclass", {"name": "focal", "gamma": 0.5}, {}),
    ("multiclass", {"name": "focal", "gamma": 0.5, "label_smoothing": 0.1}, {}),
    ("multiclass", "generalized_cross_entropy", {}),
    ("multiclass", {"name": "generalized_cross_entropy", "q": 0.01}, {}),
    ("binary", {"name": "binary_focal", "gamma": 0.5}, {}),
    ("binary", "binary_focal", {"output": "sigmoid"}),
    ("regression", "gaussian_nll", {}),
]


@pytest.mark.keras
@pytest.mark.parametrize(("task", "loss", "model"), FAR_AWAY)
@pytest.mark.parametrize("framework", ["keras", "pytorch"])
def test_losses_and_gradients_far_away(pair: Make, framework: str, task: str, loss: Any, model: dict[str, Any]) -> None:
    made = pair(framework, model={"name": "linear", **model}, **config(task, loss, weighted=False))
    objective, targets = made.session.replicas[0].objective, made.session.replicas[0].parts.train.targets[:12]
    width = made.session.replicas[0].network(torch.zeros(1, 3)).shape[1]
    activation = {"softmax": lambda y: y.softmax(1), "sigmoid": torch.sigmoid}.get(model.get("output", ""), torch.clone)
    for size in (0.0, 1.0, 30.0, -200.0):
        given = activation(size * torch.arange(12.0 * width).mul(2.4).cos().reshape(12, width))
        ours, theirs = given.clone().requires_grad_(), given.clone().requires_grad_()
        expected = objective(ours, targets)
        found = made.script.loss_fn(*((targets, theirs) if framework == "keras" else (theirs, targets))).mean()
        expected.backward()
        found.backward()
        torch.testing.assert_close(found, expected, rtol=CLOSE, atol=1e-6)
        assert ours.grad is not None
        torch.testing.assert_close(theirs.grad, ours.grad, rtol=CLOSE, atol=1e-6 * (1 + float(ours.grad.abs().max())))


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_the_weights_of_classes_count_in_no_metric_of_keras(pair: Make) -> None:
    made = pair("keras", **config("multiclass", {"name": "cross_entropy", "class_weights": {1: 9}}))
    model = made.script.build_model()
    replica = made.session.replicas[0]
    keras_weights(replica.network, model)
    assert replica.parts.validation is not None
    ours = evaluate(replica, replica.parts.validation, made.session.output_spec)
    inputs, targets, weights = made.data["validation"]
    scores = model.evaluate(inputs, targets, sample_weight=weights, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(ours.metrics["accuracy"], rel=1e-5)
    assert scores["loss"] == pytest.approx(ours.loss, rel=1e-4)


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_a_label_that_is_no_class_is_left_out(pair: Make, framework: str) -> None:
    labels = [255 if place % 4 == 0 else label for place, label in enumerate(TARGETS["multiclass"])]
    loss = {"name": "cross_entropy", "ignore_index": 255}
    made = pair(framework, **config("multiclass", loss, targets=labels))
    assert_same_data(made, framework)


@pytest.mark.parametrize("kind", ["csv", "npz", "own"])
@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_weights_of_files_and_functions(pair: Make, tmp_path: Path, kind: str, framework: str) -> None:
    labels = [-1 if place % 5 == 0 else label for place, label in enumerate(TARGETS["multiclass"])]
    loss = {"name": "cross_entropy", "ignore_index": -1}
    lines = [f"{a},{w},{b},{c},{y}" for (a, b, c), w, y in zip(INPUTS, WEIGHTS, labels, strict=True)]
    (tmp_path / "d.csv").write_text("sep=,\na,w,b,c,y\n" + "\n".join(lines) + "\n")
    np.savez(tmp_path / "d.npz", x=np.array(INPUTS), y=np.array(labels), w=np.array(WEIGHTS))
    (tmp_path / "mine.py").write_text(
        "import lossrun, numpy as np\n"
        "def data():\n"
        f"    return lossrun.Dataset(train=(np.array({INPUTS}), {labels}, {WEIGHTS}), task='multiclass')\n"
    )
    file = {"target": "y", "weight": "w", "task": "multiclass"}
    datasets: dict[str, Any] = {
        "csv": {"name": "csv", "path": "d.csv", **file},
        "npz": {"name": "npz", "path": "d.npz", **file},
        "own": {"name": "mine:data"},
    }
    made = pair(framework, dataset=datasets[kind], loss=loss, batch_size=5)
    assert_same_data(made, framework)


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("weighted", [True, False])
def test_what_is_printed_is_what_lossrun_records(
    pair: Make, capsys: pytest.CaptureFixture[str], task: str, weighted: bool
) -> None:
    """train_loss over unlike batches as well, and the weighted loss and metric of the validation part."""
    loss: Any = {"regression": "mse", "multiclass": {"name": "cross_entropy", "class_weights": {1: 9}}}
    made = pair("pytorch", **config(task, loss.get(task, "binary_cross_entropy"), weighted=weighted))
    made.script.main()
    printed = re.findall(r"train_loss (\S+), val_loss (\S+), val_(\w+) (\S+)", capsys.readouterr().out)
    rows = [event.rows[0] for event in train(made.session, lambda: None) if isinstance(event, EpochRecord)]
    assert len(printed) == len(rows) == 3
    for (train_loss, val_loss, name, value), row in zip(printed, rows, strict=True):
        assert float(train_loss) == pytest.approx(row["train_loss"], rel=1e-4)
        assert float(val_loss) == pytest.approx(row["val_loss"], rel=1e-4)
        assert float(value) == pytest.approx(row[f"val_{name}"], abs=1e-4)


def test_an_ignored_class_is_left_out_of_the_accuracy_that_is_printed(pair: Make) -> None:
    made = pair("pytorch", **config("multiclass", {"name": "cross_entropy", "ignore_index": 2}, weighted=False))
    replica = made.session.replicas[0]
    inputs, targets = (torch.from_numpy(part) for part in made.data["validation"])
    _, accuracy = made.script.evaluate(made.script.build_model(), inputs, targets)
    assert replica.parts.validation is not None
    ours = evaluate(replica, replica.parts.validation, made.session.output_spec)
    assert accuracy == pytest.approx(ours.metrics["accuracy"])


# (task, loss, output of the model): logits, probabilities and plain numbers of each task.
RANKED = [
    ("binary", "binary_cross_entropy", "auto"),
    ("binary", "mse", "sigmoid"),
    ("binary", "hinge", "auto"),
    ("multiclass", "cross_entropy", "auto"),
    ("multiclass", "cross_entropy", "log_softmax"),
    ("multiclass", "mse", "softmax"),
    ("multiclass", "mse", "sigmoid"),
    ("multiclass", "multi_margin", "auto"),
    ("multilabel", "binary_cross_entropy", "auto"),
    ("multilabel", "mse", "sigmoid"),
]


@pytest.mark.parametrize(("task", "loss", "output"), RANKED)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("key", ["best", "early_stopping", "schedule"])
def test_an_auc_that_is_watched_is_lossruns(
    pair: Make, task: str, loss: str, output: str, weighted: bool, key: str
) -> None:
    watched: dict[str, Any] = {
        "best": {"best": "val_auc"},
        "early_stopping": {"early_stopping": {"metric": "val_auc", "patience": 2}},
        "schedule": {"schedule": {"name": "reduce_on_plateau", "metric": "val_auc", "mode": "max"}},
    }[key]
    given = config(task, loss, weighted=weighted)
    given["model"] = {"name": "mlp", "hidden": [4], "output": output}
    made = pair("pytorch", "lint=warn", **{**given, **watched})
    replica = made.session.replicas[0]
    assert replica.parts.validation is not None
    parts = [torch.from_numpy(part) for part in made.data["validation"]]
    ours = evaluate(replica, replica.parts.validation, made.session.output_spec)
    _, *metrics = made.script.evaluate(made.script.build_model(), *parts)
    assert metrics[-1] == pytest.approx(ours.metrics["auc"], rel=1e-6)
    assert "val_auc {val_auc:.4f}" in made.text


def test_an_auc_of_the_samples_that_count(pair: Make) -> None:
    loss = {"name": "cross_entropy", "ignore_index": 2}
    made = pair("pytorch", **{**config("multiclass", loss), "best": "val_auc"})
    replica = made.session.replicas[0]
    assert replica.parts.validation is not None
    parts = [torch.from_numpy(part) for part in made.data["validation"]]
    ours = evaluate(replica, replica.parts.validation, made.session.output_spec)
    assert made.script.evaluate(made.script.build_model(), *parts)[-1] == pytest.approx(ours.metrics["auc"], rel=1e-6)


def test_keras_says_why_it_watches_no_auc(pair: Make) -> None:
    with pytest.raises(UsageError, match=r"a script does not compute val_auc, .* --as pytorch computes it"):
        pair("keras", **{**config("binary", "binary_cross_entropy"), "best": "val_auc"})
