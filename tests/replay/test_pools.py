"""Average pooling in slices, next to torch's own."""

import pytest
import torch

from lossrun.replay.pools import decomposed
from lossrun.replay.recording import Recording


@pytest.mark.parametrize("turned", [False, True], ids=["images first", "images last"])
@pytest.mark.parametrize("shape", [(5, 3, 8, 12), (2, 1, 6, 6), (1, 4, 12, 4)])
@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_forward_and_backward_are_torchs(shape: tuple[int, ...], side: int, turned: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(shape, generator=draw, dtype=torch.float64)
    if turned:
        images = images.permute(2, 1, 3, 0).contiguous().permute(3, 1, 0, 2)
    images.requires_grad_()

    def pooled() -> tuple[torch.Tensor, torch.Tensor]:
        result = torch.nn.functional.avg_pool2d(images, side)
        return result, torch.autograd.grad(result.square().sum(), images)[0]

    expected = pooled()
    recording = Recording(pooled, decompose=lambda: decomposed)
    if all(length % side == 0 for length in shape[2:]):
        assert recording.outputs[1].stride() == images.stride()
    for output in recording.outputs:
        output.fill_(torch.nan)
    recording.replay()
    for output, value in zip(recording.outputs, expected, strict=True):
        torch.testing.assert_close(output, value.detach(), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 2, "stride": 1},
        {"kernel_size": 2, "padding": 1},
        {"kernel_size": (2, 4)},
        {"kernel_size": 5},
        {"kernel_size": 3, "ceil_mode": True, "stride": 5},
        {"kernel_size": 2, "divisor_override": 3},
    ],
    ids=str,
)
def test_other_windows_stay_with_torch(arguments: dict[str, object]) -> None:
    images = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))

    def pooled() -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images, **arguments)  # type: ignore[arg-type]

    recording = Recording(pooled, decompose=lambda: decomposed)
    recording.outputs.fill_(torch.nan)
    recording.replay()
    assert torch.equal(recording.outputs, pooled())
