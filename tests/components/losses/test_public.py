"""`loss(name)`: spellings, conventions and mistakes."""

import numpy as np
import pytest
import torch

from lossrun.catalog.losses import LOSSES
from lossrun.components.lookup import loss_function
from lossrun.components.losses.classes import cross_entropy
from lossrun.components.losses.public import loss
from lossrun.errors import UsageError


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_every_spelling_gives_the_function_that_training_uses(declared):
    for spelling in (declared.name, *(alias.spelling for alias in declared.aliases)):
        assert loss(spelling).func is loss_function(declared.name)


def test_declared_defaults_are_filled_in():
    assert loss("huber").keywords == {"delta": 1.0}
    assert loss("HuberLoss", delta=2.0).keywords == {"delta": 2.0}
    assert loss("mse").keywords == {}
    assert loss("cross_entropy").keywords == {
        "inputs": "logits",
        "label_smoothing": 0.0,
        "class_weights": None,
        "ignore_index": None,
    }
    assert loss("huber", delta=None).keywords == {"delta": 1.0}


@pytest.mark.parametrize(
    ("name", "parameters", "inputs"),
    [
        ("NLLLoss", {}, "log_probabilities"),
        ("BCELoss", {}, "probabilities"),
        ("BCEWithLogitsLoss", {}, "logits"),
        ("keras.CategoricalCrossentropy", {"from_logits": False}, "probabilities"),
        ("keras.CategoricalCrossentropy", {"from_logits": True}, "logits"),
        ("cross_entropy", {"inputs": "auto"}, "logits"),
        ("BCELoss", {"inputs": "auto"}, "probabilities"),
        ("BCELoss", {"from_logits": False}, "probabilities"),
        ("dice", {}, "logits"),
        ("cross_entropy", {"inputs": "probabilities"}, "probabilities"),
    ],
)
def test_conventions_are_carried(name, parameters, inputs):
    assert loss(name, **parameters).keywords["inputs"] == inputs


@pytest.mark.parametrize("ignored", [-100, -1, 1, 255])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("CrossEntropyLoss", {}),
        ("CrossEntropyLoss", {"label_smoothing": 0.1, "class_weights": [1.0, 2.0, 3.0]}),
        ("NLLLoss", {}),
        ("cross_entropy", {"inputs": "probabilities", "label_smoothing": 0.1}),
    ],
)
def test_what_is_ignored_need_not_be_a_class(name, parameters, ignored):
    """As in torch, where the usual mark is -100, and in Keras (ignore_class=-1): such samples cost 0."""
    outputs = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    targets = torch.tensor([0, ignored, 2, ignored])
    found = loss(name, ignore_index=ignored, **parameters)(outputs, targets)
    expected = loss(name, **parameters)(outputs[::2], targets[::2])
    torch.testing.assert_close(found, torch.stack([expected[0], torch.zeros(()), expected[1], torch.zeros(())]))


def test_it_is_called_as_outputs_then_targets():
    outputs, targets = torch.eye(3), torch.tensor([0, 2, 1])
    weighted = loss("CrossEntropyLoss", class_weights=[1.0, 2.0, 3.0])
    torch.testing.assert_close(
        weighted(outputs, targets), cross_entropy(outputs, targets, class_weights=[1.0, 2.0, 3.0])
    )


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("cross_entorpy", {}, "did you mean 'cross_entropy'"),
        ("qqq", {}, "Expected one of: mse, mae, huber"),
        ("huber", {"detla": 2}, "did you mean 'delta'"),
        ("mse", {"delta": 2}, "It takes: none"),
        ("mse", {"from_logits": True}, "mse has no parameter 'from_logits'"),
        ("mse", {"reduction": "sum"}, "one value per sample"),
        ("cross_entropy", {"class_weights": "balanced"}, "give the weights as a list"),
        (None, {}, "None: expected the name of a loss"),
        (torch.nn.MSELoss, {}, "write 'mse'"),
        ("cross_entropy", {"class_weights": {"cat": 2.0}}, "give the weights as a list"),
        ("huber", {"delta": 0}, "huber: delta: 0 is not allowed; expected a number above 0"),
        ("huber", {"delta": "wide"}, "delta: 'wide' is a string; expected a number"),
        ("huber", {"delta": float("nan")}, "is not a finite number"),
        ("quantile", {"q": 1.5}, "q: 1.5 is not allowed; expected a number above 0 and below 1"),
        ("quantile", {"q": 0.5, "tau": 0.5}, "quantile: tau and q mean the same; keep one of them"),
        ("cross_entropy", {"class_weights": [1.0, -1.0]}, "class_weights: -1.0 is not allowed; expected a list"),
        ("cross_entropy", {"ignore_index": 1.5}, "ignore_index: 1.5 is not allowed; expected an integer"),
        ("cross_entropy", {"inputs": "scores"}, "inputs: 'scores' is not known"),
        ("cross_entropy", {"from_logits": "yes"}, "from_logits='yes'; expected true or false"),
        ("cross_entropy", {"from_logits": True, "inputs": "logits"}, "inputs and from_logits mean the same"),
        ("poisson_nll", {"full": 1}, "full: 1 is not allowed; expected true or false"),
        ("BCELoss", {"from_logits": True}, "BCELoss takes probabilities, but from_logits says logits"),
        ("TripletMarginLoss", {}, "no loss called 'TripletMarginLoss': it compares samples with each other"),
        ("tf.nn.ctc_loss", {}, "no loss called 'tf.nn.ctc_loss': it is for sequences"),
        ("RMSE", {}, "no loss called 'RMSE': it is a metric; mse has the same minimum"),
    ],
)
def test_mistakes_are_usage_errors(name, parameters, message):
    with pytest.raises(UsageError, match=message):
        loss(name, **parameters)


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor])
def test_weights_may_come_in_any_container(kind):
    outputs, targets = torch.eye(3), torch.tensor([0, 2, 1])
    weighted = loss("cross_entropy", class_weights=kind([1.0, 2.0, 3.0]))
    torch.testing.assert_close(
        weighted(outputs, targets), cross_entropy(outputs, targets, class_weights=[1.0, 2.0, 3.0])
    )
    with pytest.raises(UsageError, match=r"class_weights: -1\.0 is not allowed"):
        loss("cross_entropy", class_weights=kind([1.0, -1.0]))
