"""Muon for the hidden layers and AdamW for the rest, as one optimizer. Declared in `catalog/optimizers/`."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, optim
from torch.optim.adamw import adamw

from lossrun.torch_internals import muon, without_compiler


class Muon(optim.Optimizer):
    """Muon for whole models. torch.optim.Muon takes matrices only, and is meant for those of hidden layers.

    Muon trains all weights with two or more axes, except the last of them, which belongs to the output layer. The
    kernels of a convolution (out, in, height, width) count as a matrix (out, in * height * width). AdamW trains the
    output layer, biases and the weights of norms; a model without a hidden layer is trained by AdamW alone.

        m <- momentum m + (1 - momentum) g;  u = (1 - momentum) g + momentum m if nesterov else m
        w <- (1 - lr weight_decay) w - lr s O(u)

    O(u) is about U V' of u = U S V', computed by Newton-Schulz iterations in bfloat16. s is sqrt(max(1, rows /
    columns)) for `original`, and 0.2 sqrt(max(rows, columns)) for `match_rms_adamw`, which makes the updates about as
    large as those of AdamW, so that one learning rate suits both.

    Raises ValueError for parameters out of bounds. Sources: Jordan et al. 2024, "Muon: An optimizer for hidden layers
    in neural networks" (which weights, and flattened kernels); Liu et al. 2025, arXiv:2502.16982 (match_rms_adamw).
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.1,
        adjust_lr_fn: str = "match_rms_adamw",
        ns_steps: int = 5,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        adamw_betas: tuple[float, float] = (0.9, 0.999),
        adamw_eps: float = 1e-8,
        adamw_weight_decay: float = 1e-2,
        adamw_rate_share: float = 1.0,
    ) -> None:
        weights = list(weights)
        hidden = {id(weight) for weight in [w for w in weights if w.ndim > 1][:-1]}
        matrices = {
            "params": [weight for weight in weights if id(weight) in hidden],
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
            "adjust_lr_fn": adjust_lr_fn,
            "ns_steps": ns_steps,
            "ns_coefficients": tuple(ns_coefficients),
            "eps": eps,
        }
        others = {
            "params": [weight for weight in weights if id(weight) not in hidden],
            "beta1": adamw_betas[0],
            "beta2": adamw_betas[1],
            "eps": adamw_eps,
            "weight_decay": adamw_weight_decay,
            "rate_share": adamw_rate_share,
        }
        # torch's own optimizers check the bounds, on a matrix each, even if the model has none.
        matrix = torch.empty(1, 1, device=weights[0].device)
        without_compiler(optim.Muon)(
            [matrix], lr, **{name: value for name, value in matrices.items() if name != "params"}
        )
        without_compiler(optim.AdamW)([matrix], lr, adamw_betas, adamw_eps, adamw_weight_decay)
        super().__init__([matrices, others], {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all weights, with the `lr` of their group."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        matrices, others = self.param_groups
        self._by_muon(matrices)
        self._by_adamw(others)
        return loss

    def _by_muon(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        settings = {name: value for name, value in group.items() if name != "params"}
        muon()(
            [_as_matrix(weight) for weight in weights],
            [weight.grad.flatten(1) for weight in weights],
            [_as_matrix(self.state[weight]["momentum_buffer"]) for weight in weights],
            has_complex=False,
            **settings,
        )

    def _by_adamw(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {
                    "step": torch.zeros(()),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        states = [self.state[weight] for weight in weights]
        adamw(
            weights,
            [weight.grad for weight in weights],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=group["beta1"],
            beta2=group["beta2"],
            lr=group["lr"] * group["rate_share"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _as_matrix(tensor: Tensor) -> Tensor:
    """Return a matrix in the tensor's own memory, so that torch updates the tensor."""
    return tensor.view(len(tensor), -1)
