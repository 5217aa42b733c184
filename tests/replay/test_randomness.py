"""Random numbers in a replay: drawn again, and as many as a fresh run draws."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from lossrun.replay.recording import Recording
from lossrun.replay.trees import leaves
from tests.replay.replaying import Function, check, gradients, normal


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.dropout(x, 0.5),
        lambda x: gradients(lambda x: F.dropout(x, 0.5))(x),
        lambda x: F.alpha_dropout(x, 0.5, training=True) + F.dropout1d(x, 0.5),
        lambda x: torch.bernoulli(torch.sigmoid(x)) + torch.bernoulli(x, 0.3),
        lambda x: x + torch.rand(5) + torch.randn(4, 1) + torch.randint(0, 9, (4, 5)),
        lambda x: x + torch.rand_like(x) + torch.randn_like(x),
        lambda x: x[torch.randperm(4)],
        lambda x: torch.multinomial(x.exp(), 2),
        lambda x: (torch.poisson(x.exp()), torch.normal(x, 1.0), torch.normal(x, x.abs()), torch._standard_gamma(x**2)),  # noqa: SLF001
        lambda x: (torch.empty(3).normal_() + x[0, 0], torch.zeros(3).uniform_(), torch.empty_like(x).exponential_()),
        lambda x: F.gumbel_softmax(x, hard=True),
        lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
        lambda x: torch.vmap(F.dropout, randomness="different")(x),
        lambda x: torch.vmap(F.dropout, randomness="same")(x),
    ],
)
def test_random_numbers_are_drawn_anew_and_the_stream_goes_on(function: Function) -> None:
    check(function, normal((4, 5)))
    values = torch.linspace(0.1, 0.9, 20).view(4, 5)
    recording = Recording(lambda: function(values))
    recording.replay()
    first = [leaf.clone() for leaf in leaves(recording.outputs)]
    # A few bits may well come again; not thirty times in a row.
    for _ in range(30):
        recording.replay()
        if not all(map(torch.equal, first, leaves(recording.outputs))):
            return
    raise AssertionError("the same numbers at every replay")


def test_a_generator_of_its_own_goes_on_as_well() -> None:
    own, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    recording = Recording(lambda: torch.rand(3, generator=own))
    torch.rand(3, generator=other)
    for _ in range(3):
        recording.replay()
        assert torch.equal(recording.outputs, torch.rand(3, generator=other))
