"""The page's verdicts: which run is better, how sure that is, and what it rests on."""

from collections.abc import Sequence
from typing import Final

from lossrun.analysis.compare import Comparison
from lossrun.analysis.report_data import ReportData
from lossrun.analysis.verdicts import Verdict
from lossrun.report.markup import Markup, element
from lossrun.report.numbers import format_difference, format_number, format_spread
from lossrun.report.page_dots import intervals_figure, seeds_figure
from lossrun.report.page_figures import style

_SENTENCES: Final = {
    "better": "{run} is better than {other}",
    "worse": "{run} is worse than {other}",
    "leaning better": "{run} is leaning better than {other}",
    "leaning worse": "{run} is leaning worse than {other}",
    "equivalent": "{run} and {other} are equivalent",
    "cannot tell": "{run} against {other}: cannot tell",
}
_SIGNS: Final = {
    "better": "▲",
    "worse": "▼",
    "leaning better": "△",
    "leaning worse": "▽",
    "equivalent": "=",
    "cannot tell": "?",
}
_HOW_SURE: Final = (
    "A dot is a seed, the bar their mean, the beam the 95 % interval of the difference, seed by seed. Intervals are "
    "over seeds, on this split and this held-out part; p-values are corrected for all comparisons together by Holm's "
    "method."
)


def verdicts_section(data: ReportData) -> list[Markup | None]:
    """For each yardstick that decides: the best mean, a verdict for each run against the first, and both drawn."""
    comparison = data.comparison
    parts: list[Markup | None] = [notes([f"Not comparable: {reason}" for reason in comparison.reasons], "warning")]
    letters, names = [run.letter for run in comparison.runs], _names(comparison)
    for yardstick in comparison.yardsticks:
        if not yardstick.decides:
            continue
        found = [verdict for verdict in comparison.verdicts if verdict.yardstick == yardstick.name]
        best = " and ".join(names[index] for index in yardstick.measured.best)
        lead = yardstick.measured.values[yardstick.measured.best[0]] if best else None
        told = f"{yardstick.name}: the best mean is {format_spread(lead, '±')}, of {best}." if lead else None
        parts.append(element("p", told, class_="lead") if told else None)
        parts.append(element("ul", *(_verdict(one, comparison) for one in found), class_="verdicts") if found else None)
        figures = [intervals_figure(yardstick, found, letters, names), seeds_figure(yardstick, letters, names)]
        parts.append(element("div", *figures, class_="panels"))
    if comparison.verdicts:
        parts.append(element("p", _HOW_SURE, class_="note"))
    parts.append(notes((*comparison.refusals, *comparison.notes), "hint"))
    parts.append(notes(comparison.warnings, "warning"))
    return parts


def _verdict(verdict: Verdict, comparison: Comparison) -> Markup:
    run, other = comparison.runs[verdict.run], comparison.runs[verdict.reference]
    sentence = _SENTENCES[verdict.word].format(run=called(comparison, verdict.run), other=other.letter)
    facts = []
    if found := verdict.difference:
        facts.append(f"{run.letter} - {other.letter} = {format_difference(found.mean)}")
        if found.interval:
            low, high = map(format_difference, found.interval)
            facts.append(f"95 % interval {low} to {high}")
        facts.append(f"{run.letter} wins on {100 * found.wins:.0f} % of {len(found.per_seed)} seeds")
    if verdict.corrected_p_value is not None:
        facts.append(f"p = {format_number(verdict.corrected_p_value, 2)}")
    because = list(verdict.because)
    if verdict.seeds is not None:
        because.append(f"about {verdict.seeds} seeds would settle it, as a fresh comparison")
    return element(
        "li",
        element("span", _SIGNS[verdict.word], class_="sign", aria_hidden="true"),
        element(
            "div", element("strong", sentence), *(element("p", "; ".join(part)) for part in (facts, because) if part)
        ),
        class_=f"verdict {verdict.word.rpartition(' ')[2]} {style(verdict.run)}",
    )


def notes(sentences: Sequence[str], kind: str) -> Markup | None:
    """A list of sentences, nothing where there are none. `kind`: hint or warning."""
    return element("ul", *(element("li", one) for one in sentences), class_=f"notes {kind}") if sentences else None


def called(comparison: Comparison, index: int) -> str:
    """`B (loss=mae)`; the letter alone where the label is but the directory's name."""
    run = comparison.runs[index]
    return run.letter if run.label == run.name else f"{run.letter} ({run.label})"


def _names(comparison: Comparison) -> list[str]:
    return [called(comparison, index) for index in range(len(comparison.runs))]
