"""The share of the learning rate at a step: one function for each declared schedule, by its name.

Each function returns lines and an expression, with numpy or keras.ops.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import literal, number


def warmup_steps(experiment: ScriptInput) -> int:
    epochs: float = experiment.config.schedule["warmup_epochs"]
    return round(epochs * experiment.steps_per_epoch)


class Steps:
    """Lengths in steps, and the name of the framework's module."""

    def __init__(self, experiment: ScriptInput, module: str) -> None:
        self.m = module
        self.per_epoch = experiment.steps_per_epoch
        self.warmup = warmup_steps(experiment)
        self.epochs = experiment.config.epochs
        self.total = self.epochs * self.per_epoch
        self.left = max(self.total - self.warmup, 0)

    def count(self, epochs: float) -> int:
        return max(round(epochs * self.per_epoch), 1)

    @property
    def since(self) -> list[str]:
        """The lines for `since`, the steps since the warm-up ended."""
        return [f"since = {self.m}.maximum(step - {self.warmup}, 0)"] if self.warmup else ["since = step"]

    def progress(self, over_epochs: float | None) -> list[str]:
        """Return the lines for `progress`, from 0 to 1 over a number of epochs, or until the end of the run."""
        length = self.left if over_epochs is None else self.count(over_epochs)
        if not length:
            return ["progress = 0.0"]
        if not self.warmup:
            return [f"progress = {self.m}.minimum(step / {length}, 1.0)"]
        return [f"progress = {self.m}.clip((step - {self.warmup}) / {length}, 0.0, 1.0)"]


Share: TypeAlias = tuple[list[str], str]


def step(at: Steps, p: Mapping[str, Any]) -> Share:
    return [], f"{number(p['gamma'])} ** (step // {p['every'] * at.per_epoch})"


def multi_step(at: Steps, p: Mapping[str, Any]) -> Share:
    lines = ["reached = 0.0"] + [
        f"reached += {at.m}.where(step >= {milestone * at.per_epoch}, 1.0, 0.0)"
        for milestone in sorted(p["milestones"])
    ]
    return lines, f"{number(p['gamma'])}**reached"


def piecewise_constant(at: Steps, p: Mapping[str, Any]) -> Share:
    lines = ["share = 1.0"] + [
        f"share = {at.m}.where(step >= {at.count(boundary)}, {number(fraction)}, share)"
        for boundary, fraction in zip(p["boundaries"], p["fractions"], strict=True)
    ]
    return lines, "share"


def reduced_start(at: Steps, p: Mapping[str, Any]) -> Share:
    return [], f"{at.m}.where(step < {at.count(p['for_epochs'])}, {number(p['factor'])}, 1.0)"


def _times(at: Steps, p: Mapping[str, Any]) -> str:
    steps = literal(p["every"] * at.per_epoch)
    return f"(step // {steps})" if p["staircase"] else f"(step / {steps})"


def exponential(at: Steps, p: Mapping[str, Any]) -> Share:
    return [], f"{number(p['gamma'])} ** {_times(at, p)}"


def inverse_time(at: Steps, p: Mapping[str, Any]) -> Share:
    return [f"share = 1 / (1 + {number(p['decay'])} * {_times(at, p)})"], "share"


def linear(at: Steps, p: Mapping[str, Any]) -> Share:
    start, rise = number(p["start_fraction"]), p["final_fraction"] - p["start_fraction"]
    sign = "-" if rise < 0 else "+"
    return at.progress(p["over_epochs"]), f"({start} {sign} {number(abs(rise))} * progress)"


def polynomial(at: Steps, p: Mapping[str, Any]) -> Share:
    power = "" if p["power"] == 1 else f" ** {number(p['power'])}"
    return _down_to(at.progress(p["over_epochs"]), f"(1 - progress){power}", p["final_fraction"])


def cosine(at: Steps, p: Mapping[str, Any]) -> Share:
    curve = f"(1 + {at.m}.cos(np.pi * progress)) / 2"
    return _down_to(at.progress(p["over_epochs"]), curve, p["final_fraction"])


def _down_to(lines: list[str], curve: str, final: float) -> Share:
    if not final:
        return lines, curve
    return [*lines, f"share = {number(final)} + {number(1 - final)} * {curve}"], "share"


def cosine_restarts(at: Steps, p: Mapping[str, Any]) -> Share:
    m, first, growth, final = at.m, at.count(p["first_epochs"]), p["growth"], p["final_fraction"]
    if growth == 1:
        lines = [*at.since, f"cycle = since // {first}", f"progress = since / {first} - cycle"]
    else:
        g = number(growth)
        lines = [
            *at.since,
            # Adding 0.001 keeps the first step of a cycle from being rounded into the cycle before.
            f"cycle = {m}.floor({m}.log(1 + (since + 0.001) * {number(growth - 1)} / {first}) / {m}.log({g}))"
            if m == "np"
            else f"cycle = {m}.floor({m}.log(1 + (since + 0.001) * {number(growth - 1)} / {first}) / np.log({g}))",
            f"begun = {first} * ({g}**cycle - 1) / {number(growth - 1)}",
            f"progress = (since - begun) / ({first} * {g}**cycle)",
        ]
    peak = "" if p["peak_factor"] == 1 else f"{number(p['peak_factor'])}**cycle * "
    return _down_to(lines, f"{peak}(1 + {m}.cos(np.pi * progress)) / 2", final)


def cyclic(at: Steps, p: Mapping[str, Any]) -> Share:
    up = at.count(p["up_epochs"])
    down = up if p["down_epochs"] is None else at.count(p["down_epochs"])
    lines = [
        *at.since,
        f"cycle = since // {up + down}",
        f"place = since - cycle * {up + down}",
        f"way = {at.m}.minimum(place / {up}, ({up + down} - place) / {down})",
    ]
    height = {
        "triangular": "",
        "triangular2": " * 0.5**cycle",
        "exp_range": f" * {number(p['gamma'])} ** (since / {at.per_epoch})",
    }[p["mode"]]
    base = p["base_fraction"]
    return [*lines, f"share = {number(base)} + {number(1 - base)} * way{height}"], "share"


def one_cycle(at: Steps, p: Mapping[str, Any]) -> Share:
    m, steps, start = at.m, max(at.left, 1), 1 / p["div_factor"]
    turns = [(p["pct_start"] * steps - 1, 1.0), (steps - 1.0, start / p["final_div_factor"])]
    if p["three_phase"]:
        turns.insert(1, (2 * p["pct_start"] * steps - 2, start))
    lines, begun, before = [*at.since, f"since = {m}.minimum(since, {steps - 1})"], 0.0, start
    for place, (ended, after) in enumerate(turns):
        if ended > begun:
            way = f"way = (since - {number(begun)}) / {number(ended - begun)}"
            way = way if begun else f"way = since / {number(ended)}"
        else:
            way = "way = 1.0"
        curve = f"(1 - {m}.cos(np.pi * way)) / 2" if p["anneal"] == "cos" else "way"
        sign = "-" if after < before else "+"
        value = f"{number(before)} {sign} {number(abs(after - before))} * {curve}"
        if place:
            lines += [way, f"phase = {value}", f"share = {m}.where(since > {number(begun)}, phase, share)"]
        else:
            lines += [way, f"share = {value}"]
        begun, before = ended, after
    return lines, "share"
