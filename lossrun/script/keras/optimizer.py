"""Write the optimizer in Keras, with PyTorch's rules if the two differ."""

from collections.abc import Mapping
from typing import Any, Final

from lossrun.catalog.schedules import waits_for_results
from lossrun.errors import UsageError
from lossrun.script.lines import rates
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, comment, keywords, number
from lossrun.shell import command

# Why an optimizer has no version in Keras, if more can be said.
MISSING: Final = {
    "asgd": "Keras has no averaged SGD",
    "rprop": "Keras has no Rprop",
    "radam": "Keras has no RAdam",
    "muon": "Keras' Muon computes its matrices in float32, PyTorch's in bfloat16, so they differ from the first step",
}
CLASSES: Final[Mapping[str, str]] = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "adafactor": "Adafactor",
}

L2: Final = '''class NAME(keras.optimizers.NAME):
    """WEIGHT_DECAY as in PyTorch's NAME: added to the gradient, an L2 penalty.

    Keras' own weight_decay shrinks the weights themselves, as AdamW does.
    """

    def update_step(self, gradient, variable, learning_rate):
        gradient = gradient + WEIGHT_DECAY * variable
        super().update_step(gradient, variable, learning_rate)'''

SGD: Final = '''class SGD(keras.optimizers.SGD):
    """PyTorch's momentum, which accumulates gradients; Keras' accumulates updates, which depend on the rate."""

    def update_step(self, gradient, variable, learning_rate):
DECAY
        buffer = self.momentums[self._get_variable_index(variable)]
FIRST
        self.assign(buffer, MOMENTUM * buffer + SHARE)
        self.assign_sub(variable, learning_rate * UPDATE)'''

NADAM: Final = '''class NAdam(keras.optimizers.Optimizer):
    """PyTorch's NAdam. In Keras' Nadam the momentum grows 1 / MOMENTUM_DECAY times as fast."""

    def build(self, variables):
        super().build(variables)
        self.means, self.squares, self.products = self.add_optimizer_variables(
            variables, ["mean", "square", "product"], ["zeros", "zeros", "ones"]
        )

    def update_step(self, gradient, variable, learning_rate):
        step = keras.ops.cast(self.iterations + 1, variable.dtype)
DECAY
        index = self._get_variable_index(variable)
        mean, square = self.means[index], self.squares[index]
        self.assign(mean, BETA_1 * mean + (1 - BETA_1) * gradient)
        self.assign(square, BETA_2 * square + (1 - BETA_2) * gradient**2)
        now = BETA_1 * (1 - 0.5 * 0.96 ** (step * MOMENTUM_DECAY))
        later = BETA_1 * (1 - 0.5 * 0.96 ** ((step + 1) * MOMENTUM_DECAY))
        product = self.products[index]
        self.assign(product, product * now)
        update = (1 - now) * gradient / (1 - product)
        update = update + later * mean / (1 - product * later)
        root = keras.ops.sqrt(square / (1 - BETA_2**step)) + EPSILON
        self.assign_sub(variable, learning_rate * update / root)'''


def optimizer_section(experiment: ScriptInput) -> tuple[Section, list[str]]:
    """Return what the optimizer needs, and the lines that make it. Raises UsageError for what Keras does not have."""
    optimizer = experiment.config.optimizer
    if optimizer.is_plugin:
        raise UsageError(
            f"optimizer: {optimizer.name} is your own torch.optim.Optimizer, which Keras does not take; use --as "
            f"pytorch, or an optimizer from `{command('list', 'optimizers')}`"
        )
    if optimizer.name not in CLASSES:
        why = MISSING.get(optimizer.name, "it has no version in Keras")
        raise UsageError(f"optimizer: {optimizer.name}: {why}; use another optimizer, such as adam, or --as pytorch")
    p = dict(optimizer.parameters)
    if optimizer.name == "sgd":
        return _sgd(experiment, p)
    if optimizer.name == "nadam" and (
        p["momentum_decay"] != 1 or (p["weight_decay"] and not p["decoupled_weight_decay"])
    ):
        return _nadam(p)
    if optimizer.name == "adafactor" and experiment.config.model.name == "cnn":
        raise UsageError(
            "optimizer: adafactor: Keras takes the rows and columns of a convolution's kernels from other axes than "
            "PyTorch; use a model without convolutions, or --as pytorch"
        )
    if optimizer.name == "rmsprop" and p["momentum"] and _moves(experiment):
        raise UsageError(
            "optimizer.momentum: rmsprop's momentum accumulates updates in Keras and gradients in PyTorch, which "
            "differ if a schedule changes the rate; remove momentum or schedule, or use --as pytorch"
        )
    notes, values = _arguments(optimizer.name, p)
    name, section = CLASSES[optimizer.name], Section()
    head = f"keras.optimizers.{name}"
    if p["weight_decay"] and not _decouples(optimizer.name, p):
        section = Section(
            constants=[f"WEIGHT_DECAY = {number(p['weight_decay'])}"],
            functions=[L2.replace("NAME", name)],
        )
        head = name
    lines = [line for note in notes for line in comment(note)]
    return section, [*lines, call(f"optimizer = {head}", [_rate(experiment), *keywords(values)], level=1)]


def _rate(experiment: ScriptInput) -> str:
    return "Schedule()" if rate_is_formula(experiment) else "LEARNING_RATE"


def rate_is_formula(experiment: ScriptInput) -> bool:
    """Return whether the learning rate is a function of the step: a schedule, or adagrad's own decay."""
    return rates.moves(experiment) or bool(experiment.config.optimizer.parameters.get("lr_decay"))


def _moves(experiment: ScriptInput) -> bool:
    return rates.moves(experiment) or waits_for_results(experiment.config.schedule.name)


def _decouples(name: str, p: Mapping[str, Any]) -> bool:
    return name in ("adamw", "adafactor") or bool(p.get("decoupled_weight_decay"))


def _arguments(name: str, p: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return remarks on conventions, and Keras' keywords."""
    notes: list[str] = []
    values: dict[str, Any] = {}
    if "betas" in p:
        values |= {"beta_1": p["betas"][0], "beta_2": p["betas"][1]}
    match name:
        case "rmsprop" | "adagrad":
            notes.append(
                f"PyTorch adds {number(p['eps'])} outside the root, Keras epsilon under it: the square is nearest."
            )
            if name == "rmsprop":
                values |= {"rho": p["alpha"]}
                values |= {"momentum": p["momentum"]} if p["momentum"] else {}
                values |= {"centered": True} if p["centered"] else {}
            else:
                values |= {"initial_accumulator_value": p["initial_accumulator_value"]}
            values["epsilon"] = float(f"{p['eps'] ** 2:.6g}")
        case "adadelta":
            notes.append("PyTorch's rho and epsilon; Keras' defaults are 0.95 and 1e-7, at a rate of 0.001.")
            values |= {"rho": p["rho"], "epsilon": p["eps"]}
        case "adafactor":
            # torch keeps the root of a mean square above eps1, by default the epsilon of float32.
            least = 2.0**-23 if p["eps1"] is None else p["eps1"]
            values |= {"beta_2_decay": p["beta2_decay"], "epsilon_1": float(f"{least**2:.3g}"), "epsilon_2": p["eps2"]}
            values["clip_threshold"] = p["d"]
        case _:
            if p["eps"] != 1e-7:
                notes.append(f"Keras' epsilon is 1e-7 by default; {number(p['eps'])} is PyTorch's.")
            values["epsilon"] = p["eps"]
    values |= {"amsgrad": True} if p.get("amsgrad") else {}
    if p["weight_decay"] and _decouples(name, p):
        values["weight_decay"] = p["weight_decay"]
    elif name == "adamw":
        values["weight_decay"] = 0.0
    return notes, values


def _sgd(experiment: ScriptInput, p: Mapping[str, Any]) -> tuple[Section, list[str]]:
    """Return the lines of SGD. Without momentum, an L2 penalty is the same as shrinking the weights."""
    if p["momentum"] and (_moves(experiment) or p["dampening"]):
        return _own_sgd(experiment, p)
    values: dict[str, Any] = {"momentum": p["momentum"]} if p["momentum"] else {}
    values |= {"nesterov": True} if p["nesterov"] else {}
    section, head = Section(), "keras.optimizers.SGD"
    if p["weight_decay"] and p["momentum"]:
        section = Section([], [f"WEIGHT_DECAY = {number(p['weight_decay'])}"], [L2.replace("NAME", "SGD")])
        head = "SGD"
    elif p["weight_decay"]:
        values["weight_decay"] = p["weight_decay"]
    return section, [call(f"optimizer = {head}", [_rate(experiment), *keywords(values)], level=1)]


def _own_sgd(experiment: ScriptInput, p: Mapping[str, Any]) -> tuple[Section, list[str]]:
    decay = f"        gradient = gradient + {number(p['weight_decay'])} * variable" if p["weight_decay"] else ""
    first, share = "", "gradient"
    if p["dampening"]:
        # torch takes the first gradient whole.
        first = f"        share = keras.ops.where(self.iterations == 0, 1.0, {number(1 - p['dampening'])})"
        share = "share * gradient"
    update = "(gradient + MOMENTUM * buffer)" if p["nesterov"] else "buffer"
    text = SGD.replace("DECAY\n", f"{decay}\n" if decay else "").replace("FIRST\n", f"{first}\n" if first else "")
    text = text.replace("SHARE", share).replace("UPDATE", update)
    section = Section(constants=[f"MOMENTUM = {number(p['momentum'])}"], functions=[text])
    return section, [f"optimizer = SGD({_rate(experiment)}, momentum=MOMENTUM)"]


def _nadam(p: Mapping[str, Any]) -> tuple[Section, list[str]]:
    decay, own = p["weight_decay"], ""
    values: dict[str, Any] = {}
    if decay and p["decoupled_weight_decay"]:
        values["weight_decay"] = decay
    elif decay:
        own = f"        gradient = gradient + {number(decay)} * variable\n"
    names = {"BETA_1": p["betas"][0], "BETA_2": p["betas"][1], "EPSILON": p["eps"]}
    constants = [f"{name} = {number(value)}" for name, value in names.items()]
    constants.append(f"MOMENTUM_DECAY = {number(p['momentum_decay'])}")
    text = NADAM.replace("DECAY\n        index", f"DECAY\n{own}        index").replace("\nDECAY\n", "\n")
    return Section(constants=constants, functions=[text]), [
        call("optimizer = NAdam", ["learning_rate=RATE", *keywords(values)], level=1)
    ]
