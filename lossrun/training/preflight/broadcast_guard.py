"""A mistake of shapes that computes without a word: (N, 1) against (N,) compares every sample with every other one."""

from collections.abc import Sequence
from typing import Any, Final

import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Those of torch's losses that pair every sample with every other one for a warning.
_BROADCASTING: Final = frozenset(
    {F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.kl_div, F.poisson_nll_loss, F.gaussian_nll_loss}
)


class NoPairs(TorchFunctionMode):
    """Refuses what pairs the outputs of every sample with the targets of every other one: (N, 1) against (N,).

    Outputs need gradients and targets do not; pairs among outputs alone are somebody's purpose, and `[None, :]` says so
    of all others.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operands = [one for one in (*args, *(kwargs or {}).values()) if isinstance(one, Tensor)]
        if func in _BROADCASTING:
            self._check(operands)
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.shape == (self.size, self.size):
            self._check(operands)
        return result

    def _check(self, operands: Sequence[Tensor]) -> None:
        n = self.size
        needing = {one.requires_grad for one in operands if one.shape == (n, 1)}
        if n > 1 and any({one.requires_grad} != needing for one in operands if one.shape == (n,) and needing):
            raise ValueError(
                f"shapes ({n}, 1) and ({n},) meet and pair every sample with every other one, ({n}, {n}); expected one "
                "shape for both: squeeze both or neither"
            )
