"""Turn the answer to `compare --require` into an exit code with a sentence."""

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.requirements import Requirement, answer
from lossrun.errors import OtherBetterError, UndecidedError
from lossrun.report.comparison.verdicts import called, facts, limits
from lossrun.report.layout.numbers import format_number


def enforce(comparison: ComparedRuns, requirement: Requirement) -> None:
    """Return if the second run meets the requirement.

    Raises:
        OtherBetterError: If the first run is better.
        UndecidedError: If these runs cannot tell.
    """
    found = answer(comparison, requirement)
    if found == "yes":
        return
    first, second = map(called, comparison.runs)
    metrics = " and ".join(dict.fromkeys(verdict.metric for verdict in comparison.verdicts))
    by = f" by {metrics}" if metrics else ""
    margin = (
        f" by more than {format_number(comparison.margin)}" if comparison.margin and requirement != "better" else ""
    )
    if found == "the other":
        raise OtherBetterError(f"--require {requirement}: no, {first} is better than {second}{by}{margin}")
    asked = f"{second} is better than {first}" if requirement == "better" else f"{second} is not worse than {first}"
    measured = [", ".join(facts(comparison, one)[:2]) for one in comparison.verdicts if one.difference]
    limited = [text for verdict in comparison.verdicts for text in limits(verdict)]
    why = [*comparison.reasons, *dict.fromkeys(filter(None, (*measured, *limited)))]
    because = f": {'; '.join(why)}" if why else ""
    raise UndecidedError(f"--require {requirement}: cannot tell whether {asked}{by}{margin}{because}")
