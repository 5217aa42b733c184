"""A user's own components, with mistakes that would train without an error, or fail in the middle of an epoch."""

from typing import Any

import numpy as np
import pytest

from lossrun.errors import UsageError
from lossrun.records import checkpoints, recorded
from tests.training.conftest import Laboratory, newest, rows

# Unusual, but somebody's purpose.
UNUSUAL = '''
import torch
from torch import nn
import torch.nn.functional as F

def ranking(o, t):
    o, t = o.squeeze(1), t.squeeze(1)
    return F.softplus(-(o[:, None] - o[None, :]) * (t[:, None] - t).sign()).mean(dim=1)
def against_all(o, t): return (o - t.squeeze(1)[None, :]).square().mean(dim=1)
def pinball(o, t, share=0.9): return torch.maximum(share * (t - o), (share - 1) * (t - o)).mean(dim=1)
def in_double(o, t): return (o.double() - t.double()).square().mean(dim=1)
def of_torch(o, t): return F.smooth_l1_loss(o, t, reduction="none").squeeze(1)
class Moving(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
    def forward(self, o, t):
        losses = (o - t).square().mean(dim=1)
        self.scale = 0.9 * self.scale + 0.1 * losses.mean().detach()
        return losses / self.scale
class Normed(nn.Module):
    def __init__(self, shape, size):
        super().__init__()
        self.last = nn.utils.parametrizations.spectral_norm(nn.Linear(shape[0], size))
    def forward(self, x): return self.last(x)
class PartUnused(nn.Linear):
    def __init__(self, shape, size):
        super().__init__(shape[0], size)
        self.unused = nn.Linear(2, 2)
class Counting(nn.Module):
    """Keeps a buffer that every pass in training moves, and draws random numbers."""
    def __init__(self, input_shape, output_size):
        super().__init__()
        self.last = nn.Linear(input_shape[0], output_size)
        self.register_buffer("passes", torch.zeros(()))
    def forward(self, inputs):
        if self.training:
            self.passes += 1
            torch.rand(7)
        return self.last(inputs)
def two_groups(params, lr):
    decayed = [weight for weight in params if weight.ndim > 1]
    others = [weight for weight in params if weight.ndim < 2]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others}], lr=lr)
class Waits(torch.optim.SGD):
    """Moves nothing in its first step."""
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
    def step(self):
        state = self.state[self.param_groups[0]["params"][0]]
        state["steps"] = state.get("steps", 0) + 1
        if state["steps"] > 1: super().step()
'''
# Each of these would train without a word, or fail in the middle of the first epoch.
WRONG = """
import torch
from torch import nn
import torch.nn.functional as F

# Losses
def column(o, t): return (o - t).square()
def nothing(o, t): pass
def as_numpy(o, t): return ((o - t) ** 2).mean(dim=1).detach().numpy()
def whole(o, t): return (o > t).long().sum(dim=1)
def complex_(o, t): return torch.complex(o[:, 0], t[:, 0])
def pairs(o, t): return (o.squeeze(1) - t).square().mean(dim=1)
def pairs_of_torch(o, t): return F.l1_loss(o, t.squeeze(1), reduction="none").mean(dim=1)
def detached(o, t): return (o.detach() - t).square().mean(dim=1)
def by_number(o, t): return torch.tensor([(a.item() - b.item()) ** 2 for a, b in zip(o, t)])
def rounded(o, t): return (o.round() - t).abs().mean(dim=1)
def root(o, t): return (o - o.detach()).abs().sqrt().mean(dim=1)
def log(o, t): return torch.log(o - o).mean(dim=1)
def one_infinite(o, t): return torch.where(torch.arange(len(o)) == 2, torch.inf, (o - t).square().mean(dim=1))
def changes_targets(o, t): return (o - t.sub_(1)).square().mean(dim=1)
def changes_outputs(o, t): return o.sub_(t).square().mean(dim=1)
def exits(o, t): raise SystemExit(0)
def squeezes(o, t): return F.mse_loss(o.squeeze(), t.squeeze(), reduction="none")
def penalty(o, t):
    losses = (o - t).square().mean(dim=1)
    return losses + torch.autograd.grad(losses.sum(), o, create_graph=True)[0].square().sum(dim=1)
def mean_unless_trained(o, t):
    losses = (o - t).square().mean(dim=1)
    return losses if torch.is_grad_enabled() else losses.mean()
def of_eight(o, t): return (o - t).square().mean(dim=1) * torch.linspace(1, 2, 8)[: len(o)]
def of_a_whole_batch(o, t): return (o - t).square().mean(dim=1) * torch.ones(8 if len(o) == 3 else len(o))
class Unmeant:
    def __init__(self): pass
class LearnsButDetaches(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
    def forward(self, o, t): return self.scale * (o.detach() - t).square().mean(dim=1)

# Models
class Model(nn.Module):
    def __init__(self, shape, size):
        super().__init__()
        self.last = nn.Linear(shape[0], size)
class Flat(Model):
    def forward(self, x): return self.last(x).squeeze(1)
class Wide(Model):
    def forward(self, x): return torch.cat([self.last(x)] * 2, dim=1)
class Two(Model):
    def forward(self, x): return self.last(x), x
class Whole(Model):
    def forward(self, x): return self.last(x).long()
class Detached(Model):
    def forward(self, x): return self.last(x).detach()
class Flattened(Model):
    def forward(self, x): return self.last(x).squeeze(1) if self.training else self.last(x)
class Fails(Model):
    def forward(self, x):
        if self.training: raise RuntimeError("only now")
        return self.last(x)
class Fixed(Model):
    def forward(self, x): return self.last(x.reshape(8, -1))
class Changes(Model):
    def forward(self, x):
        x /= 255
        return self.last(x)
class Squeezes(Model):
    def forward(self, x): return self.last(x).squeeze()[..., None]
class Deaf(Model):
    def forward(self, x): return 0 * self.last(x)
class Rooted(Model):
    def forward(self, x): return (0 * self.last(x)).sqrt()
class Infinite(Model):
    def forward(self, x): return self.last(x) / 0
class Normed(Model):
    def __init__(self, shape, size):
        super().__init__(shape, size)
        self.norm = nn.BatchNorm1d(shape[0])
    def forward(self, x): return self.last(self.norm(x))
def lazy(shape, size): return nn.LazyLinear(size)
def empty(shape, size): return nn.Linear(shape[0], size, device="meta")
class Sparse(Model):
    def __init__(self, shape, size):
        super().__init__(shape, size)
        self.moods = nn.Embedding(5, size, sparse=True)
    def forward(self, x): return self.last(x) + self.moods(torch.zeros(len(x), dtype=torch.long))
def frozen(shape, size): return nn.Linear(shape[0], size).requires_grad_(False)

# Optimizers
def closure(params, lr): return torch.optim.LBFGS(params, lr=lr)
def tenth(params, lr): return torch.optim.SGD(params, lr=lr / 10)
def layers(params, lr): return torch.optim.SGD([{"params": params[:1], "lr": lr / 10}, {"params": params[1:]}], lr=lr)
def others(params, lr): return torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=lr)
class Stepless(torch.optim.Optimizer):
    def __init__(self, params, lr): super().__init__(params, {"lr": lr})
class Rateless(torch.optim.SGD):
    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        del self.param_groups[0]["lr"]
class Infinites(torch.optim.SGD):
    def step(self):
        for weight in self.param_groups[0]["params"]: weight.data.fill_(torch.inf)
class Wordy(torch.optim.SGD):
    def step(self):
        super().step()
        for weight in self.param_groups[0]["params"]: self.state[weight]["mood"] = "good"
"""
DATA: dict[str, Any] = {"name": "synthetic_regression", "samples": 60, "features": 2}
# 60 samples less 12 and 5 leave 43: five batches of 8, and one of 3.
CONFIG: dict[str, Any] = {
    "dataset": DATA,
    "model": {"name": "mlp", "hidden": [6]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 8,
}


@pytest.fixture
def own(laboratory: Laboratory) -> Laboratory:
    (laboratory.folder / "wrong.py").write_text(WRONG)
    (laboratory.folder / "unusual.py").write_text(UNUSUAL)
    return laboratory


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss": "wrong:column"},
            "wrong:column gives shape (8, 1) for outputs of shape (8, 1); expected one value per",
        ),
        (
            {"loss": "wrong:nothing"},
            "wrong:nothing gives NoneType, not a tensor; expected one value per sample, shape (8,)",
        ),
        ({"loss": "wrong:as_numpy"}, "wrong:as_numpy gives ndarray, not a tensor"),
        ({"loss": "wrong:whole"}, "wrong:whole gives values of type torch.int64; expected real numbers"),
        ({"loss": "wrong:complex_"}, "wrong:complex_ gives values of type torch.complex64"),
        ({"loss": "wrong:pairs"}, "shapes (8, 1) and (8,) are broadcast to (8, 8)"),
        (
            {"loss": "wrong:pairs_of_torch"},
            "wrong:pairs_of_torch failed on a first batch: ValueError: shapes (8, 1) and",
        ),
        ({"loss": "wrong:detached"}, "wrong:detached has no gradient with respect to the outputs"),
        ({"loss": "wrong:by_number"}, "wrong:by_number has no gradient with respect to the outputs"),
        ({"loss": "wrong:LearnsButDetaches"}, "wrong:LearnsButDetaches has no gradient with respect to the outputs"),
        ({"loss": "wrong:rounded"}, "wrong:rounded has a gradient of 0 for all of 8 samples"),
        ({"loss": "wrong:root"}, "wrong:root has a gradient of nan for row"),
        ({"loss": "wrong:log"}, "wrong:log is -inf for row"),
        ({"loss": "wrong:one_infinite"}, "wrong:one_infinite is inf for row"),
        ({"loss": "wrong:changes_targets"}, "wrong:changes_targets changes the targets in place"),
        ({"loss": "wrong:changes_outputs"}, "wrong:changes_outputs changes the outputs in place"),
        (
            {"loss": "wrong:Unmeant"},
            "wrong:Unmeant failed on a first batch: TypeError: 'Unmeant' object is not callable",
        ),
        ({"loss": "wrong:penalty"}, "wrong:penalty failed on 5 samples, which are scored without a gradient"),
        (
            {"loss": "wrong:mean_unless_trained"},
            "wrong:mean_unless_trained gives shape () for outputs of shape (5, 1)",
        ),
        ({"loss": "wrong:of_eight"}, "wrong:of_eight failed on 12 samples, which are scored without a gradient"),
        ({"loss": "wrong:of_a_whole_batch"}, "wrong:of_a_whole_batch failed on a batch of 3 samples: RuntimeError"),
        ({"loss": "wrong:exits"}, "wrong:exits failed on a first batch: SystemExit: 0"),
        (
            {"loss": "wrong:squeezes", "batch_size": 3},
            "wrong:squeezes gives shape () for outputs of shape (1, 1); expected one value per sample, shape (1,)",
        ),
        ({"model": "wrong:Squeezes", "batch_size": 3}, "wrong:Squeezes gives (1,) for 1 samples; expected outputs of"),
        ({"model": "wrong:Flat"}, "wrong:Flat gives (3,) for 3 samples; expected outputs of shape (3, 1)"),
        ({"model": "wrong:Wide"}, "wrong:Wide gives (3, 2) for 3 samples; expected outputs of shape (3, 1)"),
        ({"model": "wrong:Two"}, "wrong:Two gives tuple for 3 samples"),
        ({"model": "wrong:Whole"}, "wrong:Whole gives outputs of type torch.int64"),
        ({"model": "wrong:Detached"}, "wrong:Detached gives outputs without a gradient"),
        ({"model": "wrong:Flattened"}, "wrong:Flattened gives (3,) for 3 samples"),
        (
            {"model": "wrong:Fails"},
            "wrong:Fails failed on the last batch of an epoch, of 3 samples: RuntimeError: only now",
        ),
        ({"model": "wrong:Fixed"}, "wrong:Fixed failed on the last batch of an epoch, of 3 samples: RuntimeError"),
        ({"model": "wrong:Changes"}, "wrong:Changes changes its inputs in place"),
        ({"model": "wrong:Deaf"}, "wrong:Deaf has a gradient of 0 for every weight"),
        ({"model": "wrong:Rooted"}, "wrong:Rooted has weights with a gradient that is not finite"),
        ({"model": "wrong:Infinite"}, "wrong:Infinite gives"),
        ({"model": "wrong:Normed", "batch_size": 3}, "wrong:Normed failed on the last batch of an epoch, of 1 samples"),
        ({"model": "wrong:empty"}, "wrong:empty has weight on the meta device, where tensors have no numbers"),
        ({"model": "wrong:Sparse"}, "wrong:Sparse has weights with a sparse gradient; expected dense ones"),
        ({"model": "wrong:lazy"}, "wrong:lazy gives weight its size only on its first batch"),
        ({"model": "wrong:frozen"}, "wrong:frozen has no weights to train"),
        (
            {"optimizer": "wrong:closure"},
            "wrong:closure failed on a first step, called as step(): TypeError: LBFGS.step()",
        ),
        (
            {"optimizer": "wrong:tenth"},
            "with the lr 0.001, but lossrun sets the lr of every group to the learning_rate",
        ),
        ({"optimizer": "wrong:layers"}, "with the lr 0.001, but lossrun sets"),
        ({"optimizer": "wrong:Rateless"}, "wrong:Rateless has a group of weights with no lr"),
        ({"optimizer": "wrong:others"}, "wrong:others has none of the model's weights"),
        (
            {"optimizer": "wrong:Stepless"},
            "wrong:Stepless failed on a first step, called as step(): NotImplementedError",
        ),
        ({"optimizer": "wrong:Infinites"}, "wrong:Infinites makes weights that are not finite in its first step"),
        ({"optimizer": "wrong:Wordy"}, "wrong:Wordy keeps a str as mood in its state"),
    ],
)
def test_a_wrong_component_is_named_before_a_run_exists(own: Laboratory, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        own.start({**CONFIG, **changes})
    assert message in str(raised.value)
    assert not (own.folder / "runs").exists()


@pytest.mark.parametrize("dataset", [{"test": 1}, {"validation": 1}])
def test_a_held_out_part_of_one_sample_counts_too(own: Laboratory, dataset: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"wrong:squeezes gives shape \(\) for outputs of shape \(1, 1\)"):
        own.start({**CONFIG, "loss": "wrong:squeezes", "dataset": {**DATA, **dataset}})
    own.start({**CONFIG, "loss": "wrong:squeezes", "epochs": 1})


def test_the_trial_of_a_model_leaves_no_trace_in_it(own: Laboratory) -> None:
    """Six batches: six passes in training an epoch, and none from before."""
    run = own.start({**CONFIG, "model": "unusual:Counting", "epochs": 1})
    assert newest(run).tensors["model.passes"] == 6
    alone = own.start({**CONFIG, "model": "unusual:Counting", "epochs": 1, "seeds": [3]})
    second = own.start({**CONFIG, "model": "unusual:Counting", "epochs": 1, "seeds": [0, 3]})
    expected = newest(alone).tensors["model.last.weight"]
    np.testing.assert_array_equal(newest(second).tensors["model.last.weight"][1], expected)


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"loss": f"unusual:{name}"}
            for name in ("ranking", "against_all", "pinball", "in_double", "of_torch", "Moving")
        ),
        *({"model": f"unusual:{name}"} for name in ("Normed", "PartUnused")),
        *({"optimizer": f"unusual:{name}"} for name in ("two_groups", "Waits")),
    ],
)
def test_the_unusual_is_not_taken_for_a_mistake(own: Laboratory, changes: dict[str, Any]) -> None:
    run = own.start({**CONFIG, **changes, "seeds": 2})
    assert recorded.load(run.path).status == "finished"
    assert all(np.isfinite(row["train_loss"]) for row in rows(run))


def test_the_trial_of_an_optimizer_leaves_no_trace_in_it(own: Laboratory) -> None:
    """Its first step, which moves nothing, is still to come when training begins; the second moves."""
    for steps, moved in ((1, False), (2, True)):
        run = own.start({**CONFIG, "optimizer": "unusual:Waits"}, stop_at=steps)
        now, *_, first = (checkpoints.read(path).tensors for path in checkpoints.candidates(run.checkpoints))
        weights = [name for name in now if name.startswith("model.")]
        assert weights
        assert all(np.array_equal(now[name], first[name]) for name in weights) is not moved
