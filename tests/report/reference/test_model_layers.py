"""The tables of layers in the reference, against published numbers of parameters."""

import pytest

from lossrun.catalog.models import MODELS
from lossrun.report.reference.model_layers import model_layers

TOTALS = {
    # 784 * 10 + 10.
    "linear": {"linear": 7_850},
    # 784 * 100 + 100 + 100 * 10 + 10.
    "mlp": {"mlp": 79_510},
    # LeNet-5 with full connections (156 + 2,416 + 48,120 + 10,164 + 850), and the 2c2d net of DeepOBS.
    "cnn": {"lenet5": 61_706, "two_conv": 3_274_634},
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_shows_its_layers_on_mnist_at_its_defaults(model):
    drawn = list(model_layers(model))
    totals = {one.title: sum(layer.parameters for layer in one.layers) for one in drawn}
    assert totals == {
        f"layers of {name} on mnist (1 x 28 x 28 inputs, 10 outputs)": count
        for name, count in TOTALS[model.name].items()
    }
    assert all(one.layers[-1].name == "output" for one in drawn)
