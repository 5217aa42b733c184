"""The objective: reductions and weight conventions against torch's own."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lossrun.catalog import find
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.losses.reductions import REDUCTIONS
from lossrun.components.lookup import loss_function
from lossrun.components.losses.binary import binary_cross_entropy
from lossrun.components.losses.classes import cross_entropy, multi_margin
from lossrun.components.losses.reductions import Objective
from lossrun.components.losses.regression import mse
from lossrun.replay.recording import Recording

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
    objective = Objective(binary_cross_entropy, weights_of="outputs", class_weights=weights)
    torch.testing.assert_close(objective(margins, targets.double().unsqueeze(1)), expected)


def test_weights_of_several_outputs():
    outputs, _ = logits_and_labels()
    targets = (outputs > 0.3).double()
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    total = nn.BCEWithLogitsLoss(weight=weights, reduction="sum")(outputs, targets)
    by_weight = Objective(binary_cross_entropy, weights_of="outputs", class_weights=WEIGHTS)
    by_samples = Objective(binary_cross_entropy, weights_of="outputs", class_weights=WEIGHTS, weight_convention="keras")
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


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("written", ["index", "one_hot"])
def test_ignored_class_is_torchs(reduction, smoothing, weights, written):
    outputs, targets = logits_and_labels()
    outputs.requires_grad_()
    assert 0 < (targets == 1).sum() < 8
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    theirs = nn.CrossEntropyLoss(tensor, ignore_index=1, reduction=reduction, label_smoothing=smoothing)
    objective = Objective(
        partial(cross_entropy, label_smoothing=smoothing, ignore_index=1),
        reduction=reduction,
        class_weights=weights,
        ignore_index=1,
    )
    given = targets if written == "index" else nn.functional.one_hot(targets, 3)
    ours, expected = reduced(objective, outputs, given), theirs(outputs, targets)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(torch.autograd.grad(ours, outputs)[0], torch.autograd.grad(expected, outputs)[0])


def test_keras_counts_samples_that_are_not_ignored():
    outputs, targets = logits_and_labels()
    losses = cross_entropy(outputs, targets, class_weights=WEIGHTS, ignore_index=1)
    objective = Objective(
        partial(cross_entropy, ignore_index=1), weight_convention="keras", class_weights=WEIGHTS, ignore_index=1
    )
    torch.testing.assert_close(objective(outputs, targets), losses.sum() / (targets != 1).sum())


def test_soft_row_counts_for_what_is_not_ignored_of_it():
    # A quarter of the first row and nothing of the second is ignored: 3/4 + 1 samples.
    outputs, _ = logits_and_labels(samples=2)
    rows = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], dtype=torch.float64)
    plain = cross_entropy(outputs, rows)
    objective = Objective(partial(cross_entropy, ignore_index=1), ignore_index=1)
    torch.testing.assert_close(objective(outputs, rows), (plain[0] * 0.75 + plain[1]) / 1.75)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("convention", ["pytorch", "keras"])
@pytest.mark.parametrize("written", ["index", "one_hot"])
def test_batch_of_nothing_but_the_ignored_class_teaches_nothing(reduction, weights, convention, written):
    targets = torch.tensor([1, 1])
    objective = Objective(
        partial(cross_entropy, ignore_index=1),
        reduction=reduction,
        weight_convention=convention,
        class_weights=weights,
        ignore_index=1,
    )
    outputs = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = reduced(objective, outputs, targets if written == "index" else nn.functional.one_hot(targets, 3))
    loss.backward()
    assert loss.item() == 0.0
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("pos_weight", [3.0, [3.0, 0.5, 1.0]])
@pytest.mark.parametrize("convention", ["pytorch", "keras"])
def test_mean_divides_by_samples_whatever_the_weight_of_yes(pos_weight, convention):
    outputs, _ = logits_and_labels()
    targets = (outputs > 0.3).double()
    theirs = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight, dtype=torch.float64))(outputs, targets)
    objective = Objective(
        binary_cross_entropy, weights_of="outputs", weight_convention=convention, pos_weight=pos_weight
    )
    torch.testing.assert_close(objective(outputs, targets), theirs)


def test_multi_margin_by_its_own_name_is_torchs_weighted_mean():
    # torch divides it by the number of samples, which is our convention called keras.
    outputs, targets = logits_and_labels()
    theirs = nn.MultiMarginLoss(weight=torch.tensor(WEIGHTS, dtype=torch.float64))(outputs, targets)
    found = find("loss", "MultiMarginLoss")
    assert found is not None
    ours = Objective(multi_margin, class_weights=WEIGHTS, **found.implies)(outputs, targets)
    torch.testing.assert_close(ours, theirs)


WEIGHTED = [d for d in LOSSES if isinstance(d, Loss) and d.parameter("class_weights")]


@pytest.mark.parametrize("declared", WEIGHTED, ids=lambda d: d.name)
def test_equal_weights_change_no_weighted_mean(declared):
    loss, kind = loss_function(declared.name), "outputs" if declared.averages_outputs else "classes"
    outputs, labels = logits_and_labels()
    targets = (outputs > 0.3).double() if declared.averages_outputs else labels
    weighted = Objective(loss, weights_of=kind, class_weights=[4.0] * 3)(outputs, targets)
    torch.testing.assert_close(weighted, Objective(loss)(outputs, targets))
    if declared.averages_outputs:
        outputs, targets = outputs[:, :1], targets[:, :1]
        weighted = Objective(loss, weights_of=kind, class_weights=[4.0] * 2)(outputs, targets)
        torch.testing.assert_close(weighted, Objective(loss)(outputs, targets))


@pytest.mark.parametrize("declared", WEIGHTED, ids=lambda d: d.name)
@pytest.mark.parametrize("convention", ["pytorch", "keras"])
@pytest.mark.parametrize("ignored", [None, 1])
def test_stacked_and_recorded_it_is_the_same(declared, convention, ignored):
    ignores = {} if ignored is None or not declared.parameter("ignore_index") else {"ignore_index": ignored}
    objective = Objective(
        partial(loss_function(declared.name), **ignores),
        weights_of="outputs" if declared.averages_outputs else "classes",
        weight_convention=convention,
        class_weights=WEIGHTS,
        **ignores,
    )
    outputs, labels = logits_and_labels()
    targets = (outputs > 0.3).double() if declared.averages_outputs else labels
    both = torch.stack([outputs, outputs * 0.7])
    apart = torch.stack([objective(one, targets) for one in both])
    torch.testing.assert_close(torch.vmap(objective, in_dims=(0, None))(both, targets), apart)
    torch.testing.assert_close(torch.vmap(objective)(both, torch.stack([targets] * 2)), apart)
    recording = Recording(lambda: objective(outputs, targets))
    outputs.mul_(0.7)
    recording.replay()
    assert torch.equal(recording.outputs, objective(outputs, targets))


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
    # As precise as the losses will be.
    assert Objective(cross_entropy, class_weights=[0.1])(torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1)) == 0
    assert Objective(cross_entropy, class_weights=[0.1, 1.0]).double().get_buffer("class_weights")[0] == 0.1


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MSELoss(reduction="none")])
def test_a_loss_must_give_one_value_per_sample(loss):
    with pytest.raises(ValueError, match=r"expected one value per sample, shape \(4,\)"):
        Objective(loss)(torch.zeros(4, 2), torch.zeros(4, 2))


def test_an_unknown_reduction_or_convention_is_refused():
    with pytest.raises(ValueError, match="unknown reduction 'average'"):
        Objective(mse, reduction="average")
    with pytest.raises(ValueError, match="unknown weight convention 'jax'"):
        Objective(mse, weight_convention="jax")
    with pytest.raises(ValueError, match="unknown weights_of 'rows'"):
        Objective(mse, weights_of="rows")
