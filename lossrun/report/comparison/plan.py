"""Print what a fresh comparison needs, planned from a pilot."""

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.plans import ADVISED, Plan
from lossrun.analysis.values.evidence import LEVEL
from lossrun.analysis.values.planning import CONFIDENCE, MOST_SEEDS, POWER, Needed
from lossrun.report.layout.numbers import format_number, format_seconds
from lossrun.report.layout.text_table import Column, TextTable


def plans_table(comparison: ComparedRuns) -> TextTable:
    """Make a table with a row for each run against the first: the pilot's deviation, the seeds needed, their time."""
    found = comparison.plans
    first = found[0]
    letters = [comparison.runs[plan.run].letter for plan in found]
    columns = (
        Column(f"pilot's\n{first.over}", tuple(str(plan.pilot) for plan in found)),
        Column("deviation of\ndifferences", tuple(format_number(plan.deviation) for plan in found)),
        Column(f"its {100 * CONFIDENCE:.0f} %\nupper limit", tuple(format_number(plan.limit) for plan in found)),
        Column(f"{first.over}\nneeded", tuple(_count(plan.needed) for plan in found)),
        Column("time", tuple(_time(plan, plan.needed) for plan in found)),
        Column("best\nguess", tuple(_count(plan.guess) for plan in found)),
        Column("time", tuple(_time(plan, plan.guess) for plan in found)),
    )
    title = f"To find a difference of {format_number(first.size)} in {first.metric} from {comparison.runs[0].letter}"
    return TextTable(title, Column("run", tuple(letters), right=False), columns)


def plan_sentences(comparison: ComparedRuns) -> list[str]:
    """Explain the numbers, and how to train the fresh seeds."""
    found = comparison.plans
    first = found[0]
    over = first.over
    about: str = over
    if any(plan.items for plan in found):
        some = "" if all(plan.items for plan in found) else ", where predictions were kept"
        about = f"new seeds and new test items{some}"
    corrected = f", corrected for {LEVEL / first.level:.0f} comparisons" if first.level < LEVEL else ""
    sentences = [
        f"{over} needed: with this many {over}, a fresh comparison finds a true difference of this size with a chance "
        f"of {100 * POWER:.0f} % (95 % interval over {about}{corrected}), if the deviation is at most its upper limit, "
        "which is true for four pilots in five",
        "best guess: the number needed if the deviation is exactly that of the pilot, which is often too small",
    ]
    if any(plan.needed.more_data or plan.guess.more_data for plan in found):
        why = (
            "all splits share samples, so no number of splits of these data is enough"
            if over == "splits"
            else "all seeds share the test items, so no number of seeds is enough; --over seeds plans for these items"
        )
        sentences.append(f"more data: {why}")
    if any(_time(plan, count) != "-" for plan in found for count in (plan.needed, plan.guess)):
        sentences.append("time: of both runs together, at the pilot's pace; seeds that train at once take less each")
    if len({plan.needed.count for plan in found if plan.commands}) > 1:
        sentences.append(
            f"the commands train all runs on the largest number of {over}, because every run is compared with the first"
        )
    if first.pilot < ADVISED:
        sentences.append(f"use a pilot of {ADVISED} {over} or more: this one has {first.pilot}")
    return [
        *sentences,
        "the pilot's seeds must not enter the verdict: train fresh seeds, and compare only the new runs",
    ]


def plan_commands(comparison: ComparedRuns) -> list[str]:
    """Return the commands that train the fresh seeds, each once."""
    return list(dict.fromkeys(command for plan in comparison.plans for command in plan.commands))


def _count(needed: Needed) -> str:
    if needed.more_data:
        return "more data"
    return f"over {MOST_SEEDS}" if needed.count is None else str(needed.count)


def _time(plan: Plan, needed: Needed) -> str:
    if plan.seconds is None or needed.count is None:
        return "-"
    return format_seconds(plan.seconds * needed.count)
