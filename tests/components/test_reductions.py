"""The objective: reductions and weight conventions against torch's own."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lossrun.catalog.losses import REDUCTIONS
from lossrun.components.losses import binary_cross_entropy, cross_entropy, mse
from lossrun.components.reductions import Objective

WEIGHTS = [1.0, 0.5, 3.0]


def logits_and_labels(samples: int = 8, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    return outputs, torch.randint(classes, (samples,), generator=generator)


def reduced(objective: Objective, outputs: Tensor, targets: Tensor) -> Tensor:
    return objective.factor(len(outputs)) * objective(outputs, targets)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    # Errors (1, 3) and (2, 0): squares 1 + 9 + 4 + 0 = 14 over 2 samples of 2 outputs.
    [("mean", 14 / 4), ("sum", 14), ("half_sum", 7), ("sample_mean", 7), ("half_sample_mean", 3.5)],
)
def test_reductions_by_hand(reduction, expected):
    objective = Objective(mse, reduction=reduction, outputs_per_sample=2)
    outputs = torch.tensor([[1.0, 3.0], [2.0, 0.0]])
    assert float(reduced(objective, outputs, torch.zeros(2, 2))) == expected
    assert float(objective(outputs, torch.zeros(2, 2))) == 14 / 4


def test_every_declared_reduction_has_a_factor():
    # 5 samples of 3 outputs.
    factors = {r: Objective(mse, reduction=r, outputs_per_sample=3).factor(5) for r in REDUCTIONS}
    assert factors == {"mean": 1.0, "sum": 15.0, "half_sum": 7.5, "sample_mean": 3.0, "half_sample_mean": 1.5}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torchs(reduction, smoothing, weights):
    outputs, targets = logits_and_labels()
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    expected = nn.CrossEntropyLoss(tensor, reduction=reduction, label_smoothing=smoothing)(outputs, targets)
    objective = Objective(
        partial(cross_entropy, label_smoothing=smoothing),
        reduction=reduction,
        outputs_per_sample=3,
        class_weights=weights,
    )
    torch.testing.assert_close(reduced(objective, outputs, targets), expected)


def test_an_index_and_its_one_hot_row_weigh_alike():
    outputs, targets = logits_and_labels()
    objective = Objective(cross_entropy, class_weights=WEIGHTS)
    rows = nn.functional.one_hot(targets, 3).double()
    torch.testing.assert_close(objective(outputs, rows), objective(outputs, targets))


def test_keras_divides_by_the_samples():
    outputs, targets = logits_and_labels()
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    total = nn.CrossEntropyLoss(weights, reduction="sum")(outputs, targets)
    objective = Objective(cross_entropy, weight_convention="keras", class_weights=WEIGHTS)
    torch.testing.assert_close(objective(outputs, targets), total / len(outputs))


def test_weighted_binary_mean_is_the_weighted_mean_of_two_classes():
    outputs, targets = logits_and_labels(classes=2)
    margins = outputs[:, 1:] - outputs[:, :1]
    weights = [0.5, 4.0]
    expected = nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float64))(outputs, targets)
    objective = Objective(binary_cross_entropy, class_weights=weights)
    torch.testing.assert_close(objective(margins, targets.double().unsqueeze(1)), expected)


def test_weights_of_several_outputs():
    outputs, _ = logits_and_labels()
    targets = (outputs > 0.3).double()
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    total = nn.BCEWithLogitsLoss(weight=weights, reduction="sum")(outputs, targets)
    by_weight = Objective(binary_cross_entropy, class_weights=WEIGHTS)
    by_samples = Objective(binary_cross_entropy, class_weights=WEIGHTS, weight_convention="keras")
    # 8 samples, and weights that sum to 4.5 in each.
    torch.testing.assert_close(by_weight(outputs, targets), total / (8 * 4.5))
    torch.testing.assert_close(by_samples(outputs, targets), total / (8 * 3))


def test_batch_of_classes_without_weight_teaches_nothing():
    objective = Objective(cross_entropy, class_weights=[0.0, 1.0, 1.0])
    outputs = torch.zeros(2, 3, requires_grad=True)
    loss = objective(outputs, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 0.0
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[0.0] * 3] * 2


class Scaled(nn.Module):
    """A loss that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.scale * (outputs - targets).square().mean(dim=1)


def test_a_loss_with_weights_of_its_own_is_a_submodule():
    objective = Objective(Scaled())
    assert [name for name, _ in objective.named_parameters()] == ["loss.scale"]
    assert objective(torch.ones(3, 1), torch.zeros(3, 1)).item() == 2.0


def test_class_weights_follow_the_device_but_stay_out_of_checkpoints():
    objective = Objective(cross_entropy, class_weights=WEIGHTS)
    assert [name for name, _ in objective.named_buffers()] == ["class_weights"]
    assert not objective.state_dict()


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MSELoss(reduction="none")])
def test_a_loss_must_give_one_value_per_sample(loss):
    with pytest.raises(ValueError, match=r"expected one value per sample, shape \(4,\)"):
        Objective(loss)(torch.zeros(4, 2), torch.zeros(4, 2))


def test_unknown_words():
    with pytest.raises(ValueError, match="unknown reduction 'average'"):
        Objective(mse, reduction="average")
    with pytest.raises(ValueError, match="unknown weight convention 'jax'"):
        Objective(mse, weight_convention="jax")
