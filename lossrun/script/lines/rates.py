"""The learning rate as a function of the step: one formula for both frameworks, in the words of numpy or keras.ops."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lossrun.errors import UsageError
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import literal, number
from lossrun.shell import option_set


def moves(experiment: ScriptInput) -> bool:
    """Whether the rate differs from step to step, other than by a plateau."""
    schedule = experiment.config.schedule
    return schedule.name not in ("constant", "reduce_on_plateau") or warmup_steps(experiment) > 0


def warmup_steps(experiment: ScriptInput) -> int:
    epochs: float = experiment.config.schedule["warmup_epochs"]
    return round(epochs * experiment.steps_per_epoch)


def about(experiment: ScriptInput) -> str:
    schedule = experiment.config.schedule
    rise = "a rise in a straight line, then " if warmup_steps(experiment) else ""
    name = {"constant": "the same rate", "step": "stairs"}.get(schedule.name, schedule.name.replace("_", " "))
    return f"The rate of the update that follows `step` others: {rise}{name}."


def formula(experiment: ScriptInput, module: str) -> list[str]:
    """Lines that end in a `return`; `step` counts from 0. `module`: np, or ops.

    Raises UsageError for warm-up before reduce_on_plateau, which no formula of the step can tell.
    """
    schedule = experiment.config.schedule
    if schedule.name == "reduce_on_plateau":
        raise UsageError(
            "schedule: reduce_on_plateau with warmup_epochs is not written as a script; leave out one of the two "
            f"({option_set('schedule.warmup_epochs', '0')})"
        )
    lines: list[str] = []
    warmup = warmup_steps(experiment)
    share = "1.0"
    if schedule.name != "constant":
        parameters = {key: value for key, value in schedule.parameters.items() if key != "warmup_epochs"}
        made, share = _SHARES[schedule.name](_Steps(experiment, module), parameters)
        lines += made
    if warmup:
        ramp = f"{module}.minimum((step + 1) / {warmup}, 1.0)"
        if share == "1.0":
            return [f"return LEARNING_RATE * {ramp}"]
        lines += [f"ramp = {ramp}"]
        share = f"ramp * {share}"
    return [*lines, f"return LEARNING_RATE * {share}"]


class _Steps:
    """Lengths in steps, and the words of the framework's module."""

    def __init__(self, experiment: ScriptInput, module: str) -> None:
        self.m = module
        self.per_epoch = experiment.steps_per_epoch
        self.warmup = warmup_steps(experiment)
        self.total = experiment.config.epochs * self.per_epoch
        self.left = max(self.total - self.warmup, 0)

    def count(self, epochs: float) -> int:
        return max(round(epochs * self.per_epoch), 1)

    @property
    def since(self) -> list[str]:
        """`since`: steps since the warm-up ended."""
        return [f"since = {self.m}.maximum(step - {self.warmup}, 0)"] if self.warmup else ["since = step"]

    def progress(self, over_epochs: float | None) -> list[str]:
        """`progress`: from 0 to 1 over so many epochs, or to the end of the run."""
        length = self.left if over_epochs is None else self.count(over_epochs)
        if not length:
            return ["progress = 0.0"]
        if not self.warmup:
            return [f"progress = {self.m}.minimum(step / {length}, 1.0)"]
        return [f"progress = {self.m}.clip((step - {self.warmup}) / {length}, 0.0, 1.0)"]


_Share = tuple[list[str], str]


def _stairs(at: _Steps, p: Mapping[str, Any]) -> _Share:
    return [], f"{number(p['gamma'])} ** (step // {p['every'] * at.per_epoch})"


def _multi_step(at: _Steps, p: Mapping[str, Any]) -> _Share:
    lines = ["reached = 0.0"] + [
        f"reached += {at.m}.where(step >= {milestone * at.per_epoch}, 1.0, 0.0)"
        for milestone in sorted(p["milestones"])
    ]
    return lines, f"{number(p['gamma'])}**reached"


def _piecewise_constant(at: _Steps, p: Mapping[str, Any]) -> _Share:
    lines = ["share = 1.0"] + [
        f"share = {at.m}.where(step >= {at.count(boundary)}, {number(fraction)}, share)"
        for boundary, fraction in zip(p["boundaries"], p["fractions"], strict=True)
    ]
    return lines, "share"


def _reduced_start(at: _Steps, p: Mapping[str, Any]) -> _Share:
    return [], f"{at.m}.where(step < {at.count(p['for_epochs'])}, {number(p['factor'])}, 1.0)"


def _times(at: _Steps, p: Mapping[str, Any]) -> str:
    steps = literal(p["every"] * at.per_epoch)
    return f"(step // {steps})" if p["staircase"] else f"(step / {steps})"


def _exponential(at: _Steps, p: Mapping[str, Any]) -> _Share:
    return [], f"{number(p['gamma'])} ** {_times(at, p)}"


def _inverse_time(at: _Steps, p: Mapping[str, Any]) -> _Share:
    return [f"share = 1 / (1 + {number(p['decay'])} * {_times(at, p)})"], "share"


def _linear(at: _Steps, p: Mapping[str, Any]) -> _Share:
    start, rise = number(p["start_fraction"]), p["final_fraction"] - p["start_fraction"]
    sign = "-" if rise < 0 else "+"
    return at.progress(p["over_epochs"]), f"({start} {sign} {number(abs(rise))} * progress)"


def _polynomial(at: _Steps, p: Mapping[str, Any]) -> _Share:
    power = "" if p["power"] == 1 else f" ** {number(p['power'])}"
    return _down_to(at.progress(p["over_epochs"]), f"(1 - progress){power}", p["final_fraction"])


def _cosine(at: _Steps, p: Mapping[str, Any]) -> _Share:
    curve = f"(1 + {at.m}.cos(np.pi * progress)) / 2"
    return _down_to(at.progress(p["over_epochs"]), curve, p["final_fraction"])


def _down_to(lines: list[str], curve: str, final: float) -> _Share:
    if not final:
        return lines, curve
    return [*lines, f"share = {number(final)} + {number(1 - final)} * {curve}"], "share"


def _cosine_restarts(at: _Steps, p: Mapping[str, Any]) -> _Share:
    m, first, growth, final = at.m, at.count(p["first_epochs"]), p["growth"], p["final_fraction"]
    if growth == 1:
        lines = [*at.since, f"cycle = since // {first}", f"progress = since / {first} - cycle"]
    else:
        g = number(growth)
        lines = [
            *at.since,
            # A little above 0 keeps the first step of a cycle from rounding into the one before.
            f"cycle = {m}.floor({m}.log(1 + (since + 0.001) * {number(growth - 1)} / {first}) / {m}.log({g}))"
            if m == "np"
            else f"cycle = {m}.floor({m}.log(1 + (since + 0.001) * {number(growth - 1)} / {first}) / np.log({g}))",
            f"begun = {first} * ({g}**cycle - 1) / {number(growth - 1)}",
            f"progress = (since - begun) / ({first} * {g}**cycle)",
        ]
    peak = "" if p["peak_factor"] == 1 else f"{number(p['peak_factor'])}**cycle * "
    return _down_to(lines, f"{peak}(1 + {m}.cos(np.pi * progress)) / 2", final)


def _cyclic(at: _Steps, p: Mapping[str, Any]) -> _Share:
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


def _one_cycle(at: _Steps, p: Mapping[str, Any]) -> _Share:
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


_SHARES: Final[Mapping[str, Callable[[_Steps, Mapping[str, Any]], _Share]]] = {
    "step": _stairs,
    "multi_step": _multi_step,
    "piecewise_constant": _piecewise_constant,
    "reduced_start": _reduced_start,
    "exponential": _exponential,
    "inverse_time": _inverse_time,
    "linear": _linear,
    "polynomial": _polynomial,
    "cosine": _cosine,
    "cosine_restarts": _cosine_restarts,
    "cyclic": _cyclic,
    "one_cycle": _one_cycle,
}
