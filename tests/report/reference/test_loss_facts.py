"""What is said of each loss in words, compared with the functions themselves and with what `auto` resolves to."""

import pytest
import torch

from lossrun import loss
from lossrun.catalog import get
from lossrun.catalog.data_facts import DataFacts
from lossrun.catalog.losses import LOSSES
from lossrun.components.losses.curves import pictures
from lossrun.config import from_mapping, resolve
from lossrun.report.reference.loss_facts import last_layer, loss_rows, robust_to

SIZES = {"regression": 2, "binary": 1, "multiclass": 3, "multilabel": 4}


@pytest.mark.parametrize(("declared", "task"), [(loss, task) for loss in LOSSES for task in loss.tasks])
def test_the_last_layer_is_what_auto_makes_it(declared, task, tmp_path):
    mapping = {
        "dataset": {"name": "csv", "path": "x.csv", "target": "y", "task": task},
        "model": "mlp",
        "loss": declared.name,
        "optimizer": "sgd",
        "learning_rate": 0.1,
    }
    facts = DataFacts(task=task, input_shape=(3,), target_size=SIZES[task], train=10, validation=2, test=2)
    output = resolve(from_mapping(mapping, tmp_path).config, facts).model["output"]
    said = last_layer(declared, task)
    assert ("none" if said == "logits" else said) == output


def slope_against(name: str, target: float) -> float:
    """By the outputs, K = 2, at 1 for targets of that size."""
    declared = next(declared for declared in LOSSES if declared.name == name)
    outputs = torch.ones(1, 2 * declared.outputs_per_target, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[target, target / 2]], dtype=torch.float64)
    (slopes,) = torch.autograd.grad(loss(name)(outputs, targets).sum(), outputs)
    return float(slopes.abs().max())


# Shares in [0, 1] have no outliers.
NUMBERS = [declared.name for declared in LOSSES if "regression" in declared.tasks and declared.targets_at_most is None]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_loss_is_robust_to_outliers_if_they_pull_with_bounded_force(name):
    near, far = slope_against(name, 1e3), slope_against(name, 1e9)
    assert (far <= 1.01 * near) == ("outliers" in get("loss", name).resists)


def test_a_wrong_label_pulls_little_where_that_is_promised_and_fully_where_it_is_not():
    def pull(name):
        """Of a sample far on the wrong side, as a share of the strongest pull."""
        slopes = [abs(slope) for _, _, slope in pictures(name)[-1].rows]
        return slopes[0] / max(slopes)

    resisting = [declared.name for declared in LOSSES if "labels" in declared.resists]
    assert all(pull(name) < 0.2 for name in resisting)
    for name in ("cross_entropy", "binary_cross_entropy", "hinge", "multi_margin", "categorical_hinge"):
        assert pull(name) == pytest.approx(1, abs=0.01)
        assert name not in resisting


def drawn(declared, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    task = declared.tasks[-1] if declared.name == "binary_cross_entropy" else declared.tasks[0]
    columns = SIZES[task] * declared.outputs_per_target
    outputs = scale * torch.randn(2000, columns, generator=generator, dtype=torch.float64)
    if task == "multiclass":
        return outputs, torch.randint(columns, (2000,), generator=generator)
    targets = scale * torch.randn(2000, SIZES[task], generator=generator, dtype=torch.float64)
    if declared.targets_at_most is not None or task != "regression":
        targets = (targets > 0).double()
    elif declared.targets_at_least is not None:
        targets = targets.abs()
    return outputs, targets


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_values_lie_within_the_range_that_is_told(declared):
    values = torch.cat([loss(declared.name)(*drawn(declared, scale)) for scale in (0.1, 1.0, 8.0)])
    said = declared.values
    bounds = {"0 to 1": (0, 1), "0 to 1 / q": (0, 1 / 0.7), "0 or more": (0, None)}
    if said in bounds:
        low, high = bounds[said]
    elif declared.name == "cosine_similarity":
        low, high = -1, 1
    else:
        assert declared.name in ("poisson_nll", "gaussian_nll")
        assert float(values.min()) < 0 < float(values.max())
        return
    assert float(values.min()) >= low - 1e-12
    if high is None:
        assert float(values.max()) > 1.5
    else:
        assert float(values.max()) <= high + 1e-12
        assert float(values.max()) > 0.9 * high


def test_what_a_loss_expects_is_told_for_each_of_its_tasks():
    for declared in LOSSES:
        said = dict(loss_rows(declared))
        assert [line.partition(":")[0] for line in said["expects"].splitlines()] == list(declared.tasks)
        assert said["value"]
        assert said["predicts"]
    cross_entropy = dict(loss_rows(next(d for d in LOSSES if d.name == "cross_entropy")))["expects"]
    assert "a class index, or a one-hot row; K outputs, logits (also after softmax or log_softmax)" in cross_entropy
    gaussian = dict(loss_rows(next(d for d in LOSSES if d.name == "gaussian_nll")))["expects"]
    assert "2 outputs for each target" in gaussian


def test_robustness_goes_by_the_task():
    mae = next(declared for declared in LOSSES if declared.name == "mae")
    assert (robust_to(mae, "regression"), robust_to(mae, "multiclass")) == ("outliers", "labels")
    assert dict(loss_rows(mae))["robust to"] == "outliers among the targets and wrong labels"
