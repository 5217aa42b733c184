"""Turn the answer to `compare --require` into an exit code with a sentence."""

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.requirements import Requirement, answer, answers
from lossrun.errors import OtherBetterError, UndecidedError
from lossrun.report.comparison.verdicts import called, every_seed, facts, limits
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
    about = [verdict for verdict, one in answers(comparison, requirement) if one == found]
    metrics = " and ".join(dict.fromkeys(verdict.metric for verdict in about))
    by = f" by {metrics}" if metrics else ""
    margin = (
        f" by more than {format_number(comparison.margin)}" if comparison.margin and requirement != "better" else ""
    )
    if found == "the other":
        raise OtherBetterError(f"--require {requirement}: no, {first} is better than {second}{by}{margin}")
    asked = f"{second} is better than {first}" if requirement == "better" else f"{second} is not worse than {first}"
    measured = [
        f"identical on {every_seed(pair)}" if pair.is_zero else ", ".join(facts(comparison, verdict)[:2])
        for verdict in about
        if (pair := verdict.difference)
    ]
    if comparison.margin is not None and any(verdict.word == "equivalent" for verdict in about):
        measured.append(f"equivalent to within {format_number(comparison.margin)}")
    limited = [text for verdict in about for text in limits(verdict)]
    why = [*comparison.reasons, *dict.fromkeys(filter(None, (*measured, *limited)))]
    because = f": {'; '.join(why)}" if why else ""
    raise UndecidedError(f"--require {requirement}: cannot tell whether {asked}{by}{margin}{because}")
