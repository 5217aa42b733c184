"""Find a mistake that torch accepts silently: (N, 1) against (N,) compares every sample with every other one."""

from collections.abc import Sequence
from typing import Any, Final

import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

# torch's losses that pair every sample with every other one, and only warn.
_BROADCASTING: Final = frozenset(
    {F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.kl_div, F.poisson_nll_loss, F.gaussian_nll_loss}
)


class NoPairs(TorchFunctionMode):
    """Refuses to pair the outputs of every sample with the targets of every other one, as (N, 1) and (N,) do.

    Outputs need gradients and targets do not. Pairs among outputs alone are intended, and so are pairs that are written
    with `[None, :]`.
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
                f"shapes ({n}, 1) and ({n},) are broadcast to ({n}, {n}), which compares every sample with every other "
                "one; expected one shape for both: squeeze both or neither"
            )
