"""Answer a yes-or-no question about two runs, for a script: is the second one better, or at least not worse?"""

from typing import Literal, TypeAlias, get_args

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.evidence import LEVEL
from lossrun.catalog.metric_names import sign
from lossrun.errors import UsageError

Requirement: TypeAlias = Literal["better", "not-worse"]
Answer: TypeAlias = Literal["yes", "the other", "cannot tell"]


def check_requirement(comparison: ComparedRuns, requirement: Requirement) -> None:
    """Raise UsageError for a requirement that is unknown, or that this comparison cannot answer."""
    if requirement not in get_args(Requirement):
        raise UsageError(f"--require {requirement}: expected {' or '.join(get_args(Requirement))}")
    if len(comparison.runs) != 2:
        raise UsageError(
            f"--require {requirement} compares 2 runs, the baseline first, and {len(comparison.runs)} were given"
        )
    if requirement == "not-worse" and comparison.margin is None:
        raise UsageError(
            "--require not-worse needs --margin NUMBER: how much worse is still acceptable, in the units of the "
            "deciding metric"
        )


def answer(comparison: ComparedRuns, requirement: Requirement) -> Answer:
    """Say whether the second run is better than the first, or not worse by more than the margin.

    "better" needs the verdict "better". "not-worse" needs a 95 % interval that excludes a loss of the margin or more.
    With several deciding metrics all must agree; one that speaks for the other run is enough for "the other". The
    chances of an error are corrected for the number of metrics, as in the verdicts.

    Raises:
        UsageError: For more than two runs, or `not-worse` without a margin.
    """
    check_requirement(comparison, requirement)
    found = [one for _, one in answers(comparison, requirement)]
    if "the other" in found:
        return "the other"
    return "yes" if found and set(found) == {"yes"} else "cannot tell"


def answers(comparison: ComparedRuns, requirement: Requirement) -> list[tuple[Verdict, Answer]]:
    """Return each verdict with its answer."""
    margin = comparison.margin or 0.0
    return [
        (verdict, _is_better(verdict) if requirement == "better" else _is_not_worse(verdict, margin))
        for verdict in comparison.verdicts
    ]


def _is_better(verdict: Verdict) -> Answer:
    return "yes" if verdict.word == "better" else "the other" if verdict.word == "worse" else "cannot tell"


def _is_not_worse(verdict: Verdict, margin: float) -> Answer:
    difference = verdict.difference
    if verdict.word == "better":
        return "yes"
    # Where seeds were lost, the others are a selection, and only a firm verdict holds in spite of that.
    if difference is None or not difference.decides or (verdict.incomplete and verdict.word != "worse"):
        return "cannot tell"
    half = difference.half_width(LEVEL / max(verdict.comparisons, 1))
    assert half is not None
    gain = difference.mean * sign(verdict.goal)
    if gain + half < -margin:
        return "the other"
    return "yes" if gain - half > -margin and not verdict.incomplete else "cannot tell"
