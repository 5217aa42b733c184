"""Write optimizers that torch does not have: one function for each, by its declared name."""

from textwrap import indent
from typing import Final

from lossrun.catalog.schedules import moves
from lossrun.errors import UsageError
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, function, keywords, number

MUON: Final = '''class MuonAndAdamW:
    """Muon for the matrices of hidden layers, AdamW for biases, norms and the output layer."""

    def __init__(self, model):
        weights = list(model.parameters())
        hidden = [weight for weight in weights if weight.ndim > 1][:-1]
        others = [w for w in weights if all(w is not matrix for matrix in hidden)]
        self.parts = [
MUON
ADAMW
        ]
        self.param_groups = [*self.parts[0].param_groups, *self.parts[1].param_groups]

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad()

    def step(self):
        for part in self.parts:
            part.step()'''


def muon(experiment: ScriptInput) -> Section:
    """Return `torch.optim.Muon` and AdamW as one. Raises UsageError for what they cannot do as lossrun does."""
    p = experiment.config.optimizer.parameters
    if experiment.config.model.name == "cnn":
        raise UsageError(
            "optimizer: muon: torch.optim.Muon takes matrices only, not the kernels of convolutions, which lossrun "
            "flattens for it; use an mlp, or another optimizer"
        )
    if p["adamw_rate_share"] != 1 and moves(experiment.config.schedule.name):
        raise UsageError(
            "optimizer.adamw_rate_share: with a schedule, a script has one learning rate for both parts; expected a "
            "share of 1"
        )
    if experiment.config.model.name == "linear" or not experiment.config.model.parameters.get("hidden", True):
        raise UsageError("optimizer: muon: there is no hidden layer to use it on; use adamw")
    names = ("weight_decay", "momentum", "nesterov", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")
    of_muon = {name: tuple(p[name]) if isinstance(p[name], list) else p[name] for name in names}
    share = p["adamw_rate_share"]
    rate = "LEARNING_RATE" if share == 1 else f"{number(share)} * LEARNING_RATE"
    adamw = {"betas": tuple(p["adamw_betas"]), "eps": p["adamw_eps"], "weight_decay": p["adamw_weight_decay"]}
    texts = {
        "MUON": call("torch.optim.Muon", ["hidden", "lr=LEARNING_RATE", *keywords(of_muon)], ",", level=3),
        "ADAMW": call("torch.optim.AdamW", ["others", f"lr={rate}", *keywords(adamw)], ",", level=3),
    }
    text = MUON
    for mark, made in texts.items():
        text = text.replace(f"\n{mark}\n", "\n" + indent(made, " " * 12) + "\n")
    built = function("def build_optimizer(model)", "", ["return MuonAndAdamW(model)"])
    return Section(functions=[text, built])
