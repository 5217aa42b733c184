"""Networks with the samples innermost, next to torch's own order."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lossrun.components.models import cnn, linear, mlp
from lossrun.components.network import Network
from lossrun.replay.batch_last import FEWEST_SAMPLES, MOST_SAMPLES, BatchLast, suits
from lossrun.replay.recording import Recording

INIT: dict[str, Any] = {"name": "torch"}
FEW, MORE, MANY = ({"name": "conv", "filters": count} for count in (6, 12, 16))
UNITS = {"name": "dense", "units": 9}


def images(*layers: dict[str, Any], **changes: Any) -> Network:
    whole = [{"padding": 0, "stride": 1, "kernel": 3, "size": 2, **layer} for layer in layers]
    options = {"activation": "relu", "output": "none", "dropout": 0.0, "batch_norm": False, **changes}
    return cnn((1, 28, 28), 10, layers=whole, init=INIT, **options)


def dense(*hidden: int, **changes: Any) -> Network:
    options = {"activation": "relu", "output": "none", "dropout": 0.0, "batch_norm": False, **changes}
    return mlp((1, 28, 28), 10, hidden=hidden, init=INIT, **options)


def softmax() -> Network:
    return linear((1, 28, 28), 10, output="softmax", init=INIT)


def pixels(number: int) -> Tensor:
    return torch.randint(0, 256, (24, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(number))


def cross_entropy(outputs: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, torch.arange(len(outputs)) % 10)


def squares(outputs: Tensor) -> Tensor:
    return outputs.square().mean()


@pytest.mark.parametrize("loss", [cross_entropy, squares])
@pytest.mark.parametrize(
    "make",
    [
        lambda: dense(40, 30),
        lambda: dense(40, 30, activation="tanh", output="softmax"),
        lambda: dense(40, batch_norm=True, output="log_softmax"),
        lambda: dense(40, 30, batch_norm=True, dropout=0.5, output="sigmoid"),
        softmax,
        lambda: images(FEW, {"name": "avg_pool"}, MANY, UNITS),
        lambda: images(FEW, {"name": "avg_pool"}, UNITS, dropout=0.4, output="softmax"),
    ],
    ids=range(7),
)
def test_outputs_and_gradients_are_torchs(make: Callable[[], Network], loss: Callable[[Tensor], Tensor]) -> None:
    """Each to 2e-5 of its largest: float32 has 24 bits, hundreds are added up, and a layer amplifies what differed
    before it. A bias before batch norm has no gradient but rounding: 1e-7 of the largest of all. Dropout's masks are
    the same, or a gradient would be another altogether."""
    torch.manual_seed(0)
    network = make()
    reference = copy.deepcopy(network)
    inputs = pixels(0)

    def computed(network: nn.Module) -> tuple[Tensor, ...]:
        outputs = network(inputs.float() / 255)
        return outputs, *torch.autograd.grad(loss(outputs), list(network.parameters()))

    torch.manual_seed(1)
    recording = Recording(lambda: computed(network), decompose=lambda: BatchLast([network]).decomposed)
    torch.manual_seed(1)
    computed(reference)  # batch norm's statistics move
    inputs.copy_(pixels(1))
    for output in recording.outputs:
        output.fill_(torch.nan)
    torch.manual_seed(2)
    recording.replay()
    torch.manual_seed(2)
    expected = [its.detach() for its in computed(reference)]
    assert recording.outputs[0].stride() == (1, len(inputs))
    largest = max(float(its.abs().max()) for its in expected)
    for mine, its in zip(recording.outputs, expected, strict=True):
        bound = max(2e-5 * float(its.abs().max()), 1e-7 * largest)
        torch.testing.assert_close(mine, its, rtol=0, atol=bound)
    for mine, its in zip(network.buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "batch_size", "expected"),
    [
        (images(FEW, {"name": "avg_pool"}, MANY, UNITS, dropout=0.5), 32, True),
        (images(FEW, activation="gelu"), 32, True),
        (images({**FEW, "kernel": 2, "padding": "same"}), 32, True),
        (images(MANY), 32, False),  # a first layer that torch's kernels are made for
        (images(MORE, MANY), 32, False),  # too many channels
        (images({**FEW, "stride": 2}), 32, False),
        (images(FEW, {"name": "max_pool"}), 32, False),
        (images(FEW, batch_norm=True), 32, False),
        (images({"name": "avg_pool"}), 32, False),
        (dense(300, 100, batch_norm=True, dropout=0.2, activation="elu"), 32, True),
        (dense(300), FEWEST_SAMPLES - 1, False),
        (dense(300), MOST_SAMPLES, True),
        (dense(300), MOST_SAMPLES + 1, False),
        (softmax(), 32, True),
        (softmax(), 20, False),  # 784 x 10 weights by 20 samples: all overhead
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.LayerNorm(300)), 32, False),
    ],
)
def test_which_networks_are_suited(model: nn.Module, batch_size: int, expected: bool) -> None:
    assert suits(model, batch_size) is expected
