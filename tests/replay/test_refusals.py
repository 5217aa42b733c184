"""Functions that a replay would get wrong are refused."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from lossrun.replay.recording import NotReplayableError, Recording
from tests.replay.replaying import Function


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x[0, 0].item(),
        lambda x: x * float(x[0, 0]),
        lambda x: x if x[0, 0] > 0 else -x,
        lambda x: -x if x.isnan().any() else x,
        lambda x: max(x[0, 0], x[0, 1]),
        lambda x: x if torch.is_nonzero(x[0, 0]) else -x,
        lambda x: x * (1.0 in x),
        lambda x: x[x > 0].sum(),
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: x.masked_select(x > 0),
        lambda x: x.unique(),
        lambda x: (x > 0).long().flatten().bincount(),
        lambda x: x.repeat_interleave((x[:, 0] > 0).long(), 0),
        lambda x: x[(x[0, 0] > 0).long()],
        lambda x: x.narrow(1, (x[0, 0] > 0).long(), 2),
        lambda x: F.one_hot((x > 0).long()),
        lambda x: torch.full((2,), x[0, 0]),
    ],
)
def test_what_depends_on_values_is_refused(function: Function) -> None:
    values = torch.ones(4, 5)
    with pytest.raises(NotReplayableError, match="depends on the values"):
        Recording(lambda: function(values))
    # The recorder has left, whatever happened.
    assert values.sum().item() == 20


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.to(torch.complex64).conj().mul(2),
        lambda x: x.clone().transpose_(0, 1),
        lambda x: x if torch.equal(x, x + 1) else 2 * x,
        lambda x: torch.tensor([0.0, 0.0, 0.0]).add_(x[0]),
    ],
    ids=["conjugate", "metadata in place", "equal", "literal written to"],
)
def test_what_a_replay_would_get_wrong_is_refused(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    inputs = torch.randn(2, 3)
    with pytest.raises(NotReplayableError):
        Recording(lambda: function(inputs))
