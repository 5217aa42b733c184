"""Write the learning rate as a function of the step, with numpy or keras.ops."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lossrun.by_name import function_in
from lossrun.catalog.homes import home
from lossrun.catalog.schedules import moves as schedule_moves
from lossrun.catalog.schedules import waits_for_results
from lossrun.errors import UsageError
from lossrun.script.lines import shares
from lossrun.script.lines.embedded import embedded
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.shares import Share, Steps, warmup_steps
from lossrun.script.lines.text import Section, call, keywords, let
from lossrun.shell import set_options

POSITION: Final = "lossrun.components.schedules.position"


def moves(experiment: ScriptInput) -> bool:
    """Return whether the rate differs between steps, except by a plateau."""
    schedule = experiment.config.schedule
    varies = schedule_moves(schedule.name) and not waits_for_results(schedule.name)
    return varies or warmup_steps(experiment) > 0


def about(experiment: ScriptInput) -> str:
    schedule = experiment.config.schedule
    rise = "a rise in a straight line, then " if warmup_steps(experiment) else ""
    name = {"constant": "the same rate", "step": "stairs"}.get(schedule.name, schedule.name.replace("_", " "))
    return f"The learning rate of the update after `step` others: {rise}{name}."


def formula(experiment: ScriptInput, module: str) -> list[str]:
    """Return lines that end in a `return`; `step` counts from 0.

    Args:
        module: np, or ops.

    Raises:
        UsageError: For a warm-up before reduce_on_plateau, which is not a formula of the step.
    """
    schedule = experiment.config.schedule
    if waits_for_results(schedule.name):
        raise UsageError(
            f"schedule: a script cannot have {schedule.name} with warmup_epochs; remove one of the two, for example "
            f"with {set_options('schedule.warmup_epochs=0')}"
        )
    lines: list[str] = []
    warmup = warmup_steps(experiment)
    share = "1.0"
    if schedule_moves(schedule.name):
        parameters = {key: value for key, value in schedule.parameters.items() if key != "warmup_epochs"}
        write: Callable[[Steps, Mapping[str, Any]], Share] = function_in(shares, schedule.name) or _embedded(
            schedule.name
        )
        made, share = write(Steps(experiment, module), parameters)
        lines += made
    if warmup:
        ramp = f"{module}.minimum((step + 1) / {warmup}, 1.0)"
        if share == "1.0":
            return [f"return LEARNING_RATE * {ramp}"]
        lines += [f"ramp = {ramp}"]
        share = f"ramp * {share}"
    return [*lines, f"return LEARNING_RATE * {share}"]


def outside(experiment: ScriptInput) -> Section:
    """Return what the formula refers to: lossrun's own function, if a schedule has no lines of its own."""
    name = experiment.config.schedule.name
    if not moves(experiment) or function_in(shares, name):
        return Section()
    section = embedded((POSITION, "SchedulePosition"), (home("schedule", name), name))
    # `learning_rate` has a parameter `step`, which hides a schedule of that name.
    section.functions.append(f"share_of_rate = {name}")
    return section


def _embedded(name: str) -> Callable[[Steps, Mapping[str, Any]], Share]:
    """Return a call of lossrun's own function, which computes with plain numbers."""

    def share(at: Steps, parameters: Mapping[str, Any]) -> Share:
        if at.m != "np":
            raise UsageError(f"schedule: {name} has no version in Keras; use --as pytorch")
        made = let("at", f"SchedulePosition(step, {at.per_epoch}, {at.epochs}, {at.warmup})")
        return [made], call("share_of_rate", ["at", *keywords(parameters)])

    return share
