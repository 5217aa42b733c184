"""Make the page's verdicts: which run is better, how sure that is, and what it is based on."""

from collections.abc import Sequence
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.report_data import ReportData
from lossrun.report.comparison.basis import basis, half_widths
from lossrun.report.comparison.verdicts import called, claim, facts, limits
from lossrun.report.html.dots import intervals_figure, seeds_figure
from lossrun.report.html.figures import style
from lossrun.report.html.markup import Markup, element, with_code
from lossrun.report.layout.numbers import format_spread

_SIGNS: Final = {
    "better": "▲",
    "worse": "▲",
    "probably better": "△",
    "probably worse": "△",
    "equivalent": "=",
    "no clear difference": "?",
}
_DRAWN: Final = (
    "A dot is a seed{own}, a line is the mean, and a shaded box is the 95 % interval of the mean difference."
)


def verdicts_section(data: ReportData) -> list[Markup | None]:
    """Show for each deciding metric the best mean, a verdict for each run against the first, and figures."""
    comparison = data.comparison
    parts: list[Markup | None] = [notes([f"Not comparable: {reason}" for reason in comparison.reasons], "warning")]
    letters, names = [run.letter for run in comparison.runs], _names(comparison)
    for metric in comparison.metrics:
        if not metric.decides:
            continue
        found = [verdict for verdict in comparison.verdicts if verdict.metric == metric.name]
        best = " and ".join(names[index] for index in metric.measured.best)
        lead = metric.measured.values[metric.measured.best[0]] if best else None
        have = "have" if len(metric.measured.best) > 1 else "has"
        best_mean = f"{metric.name}: {best} {have} the best mean, {format_spread(lead, '±')}." if lead else None
        parts.append(element("p", best_mean, class_="lead") if best_mean else None)
        parts.append(element("ul", *(_verdict(one, comparison) for one in found), class_="verdicts") if found else None)
        figures = [intervals_figure(metric, found, letters, names), seeds_figure(metric, letters, names)]
        parts.append(element("div", *figures, class_="panels"))
    if comparison.verdicts:
        drawn = _DRAWN.format(own=" on one of the splits" if comparison.own_splits else "")
        parts.append(element("p", with_code(" ".join([drawn, *map(sentence, basis(comparison))])), class_="note"))
    parts.append(notes((*comparison.refusals, *comparison.notes), "hint"))
    parts.append(notes(comparison.warnings, "warning"))
    return parts


def _verdict(verdict: Verdict, comparison: ComparedRuns) -> Markup:
    texts = (
        with_code("; ".join(found))
        for found in (facts(comparison, verdict), half_widths(verdict), limits(verdict))
        if found
    )
    named = verdict.reference if verdict.word.endswith("worse") else verdict.run
    return element(
        "li",
        element("span", _SIGNS[verdict.word], class_="sign", aria_hidden="true"),
        element(
            "div", element("strong", _capitalized(claim(comparison, verdict))), *(element("p", text) for text in texts)
        ),
        class_=f"verdict {style(named)}",
    )


def notes(sentences: Sequence[str], kind: str) -> Markup | None:
    """Make a list of sentences; None if there are none.

    Args:
        kind: "hint" or "warning".
    """
    items = [element("li", with_code(one)) for one in sentences]
    return element("ul", *items, class_=f"notes {kind}") if items else None


def sentence(text: str) -> str:
    """Return a text with a capital letter and a full stop."""
    return f"{_capitalized(text)}."


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def _names(comparison: ComparedRuns) -> list[str]:
    return [called(run) for run in comparison.runs]
