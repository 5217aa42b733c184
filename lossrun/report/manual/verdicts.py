"""The chapter on verdicts: what they are about, how a script asks for one, and how many seeds one needs."""

from collections.abc import Iterator
from typing import Final

from lossrun.analysis.comparison.plans import ADVISED
from lossrun.analysis.values.planning import CONFIDENCE, POWER
from lossrun.analysis.values.statistics import LEAST_FOR_INTERVAL, LEAST_FOR_VERDICT, LEVEL
from lossrun.errors import OtherBetterError, UndecidedError
from lossrun.report.html.markup import Markup, element
from lossrun.report.manual.prose import prose
from lossrun.shell import command

SECTIONS: Final = (
    ("verdicts-basics", "What a verdict says"),
    ("verdicts-scripts", "Verdicts as exit codes"),
    ("verdicts-plan", "How many seeds are needed"),
)

_CI: Final = """\
# .github/workflows/model.yml, the last steps of a job
- run: lossrun train baseline.yaml --name baseline --set seeds=10 --quiet
- run: lossrun train candidate.yaml --name candidate --set seeds=10 --quiet
- run: lossrun compare baseline candidate --metric accuracy --require not-worse --margin 0.005
"""


def verdict_sections() -> Iterator[Markup]:
    """Yield the content of the chapter."""
    bodies = (_basics(), _scripts(), _plan())
    for (identity, title), body in zip(SECTIONS, bodies, strict=True):
        yield element("h3", title, id=identity)
        yield from body


def _basics() -> list[Markup]:
    return _paragraphs(
        f"`{command('compare', 'A', 'B')}` pairs runs by seed and gives the mean difference with a "
        f"{100 * (1 - LEVEL):.0f} % interval and a p-value (Student, paired). With several runs or metrics, p-values "
        "are corrected for all comparisons (Holm). One or two shared seeds give no interval, "
        f"{LEAST_FOR_INTERVAL} to {LEAST_FOR_VERDICT - 1} can only suggest a winner, {LEAST_FOR_VERDICT} or more can "
        "decide."
    )


def _scripts() -> list[Markup]:
    other, unclear = OtherBetterError.exit_code, UndecidedError.exit_code
    return [
        *_paragraphs(
            "`--require better` asks whether the second run is better than the first. `--require not-worse` with "
            "`--margin NUMBER` asks whether it is at most this much worse: the interval must exclude a larger loss. "
            f"The exit code is 0 for yes, {other} if the other run is better, and {unclear} if these runs cannot tell: "
            "too few seeds, seeds that diverged, or a difference too small for their number.",
            "In a CI job, any exit code but 0 fails the step:",
        ),
        element("pre", element("code", _CI.rstrip()), tabindex="0"),
    ]


def _plan() -> list[Markup]:
    return _paragraphs(
        f"`{command('compare', 'A', 'B', options={'--plan': '0.005'})}` takes the runs as a pilot of at least "
        f"{LEAST_FOR_INTERVAL} seeds ({ADVISED} are advised) and says how many fresh seeds find a difference of 0.005 "
        f"with a chance of {100 * POWER:.0f} %, and what they cost in time.",
        "The deviation of a few seeds is often too small: of plans that take it for the true one, only about two in "
        f"five reach that chance. So the plan uses its upper confidence limit of {100 * CONFIDENCE:.0f} %, and four "
        "in five do. The best guess next to it uses the deviation as it is.",
        "The pilot's seeds must not enter the verdict, and neither must seeds that were added because there was no "
        "verdict yet: stopping as soon as there is one is wrong about one time in four.",
    )


def _paragraphs(*texts: str) -> list[Markup]:
    return [element("p", prose(text)) for text in texts]
