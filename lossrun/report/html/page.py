"""Write a comparison as one HTML page that needs no network and no script, and never runs text of a run as markup."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRuns, Curve
from lossrun.analysis.comparison.moments import in_words
from lossrun.analysis.report_data import Member, ReportData
from lossrun.analysis.values.readings import Spread
from lossrun.records.files import config_file
from lossrun.report.comparison.compare_tables import pick, seconds_note
from lossrun.report.comparison.verdicts import called
from lossrun.report.html.classes import classes_section
from lossrun.report.html.document import document
from lossrun.report.html.figures import MOST_POINTS, Line, line_figure, style
from lossrun.report.html.held_out import calibration_section, confusion_section, worst_section
from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.html.sensitivity import tuning_section
from lossrun.report.html.tables import DECIDES, DESCRIBES, absences, differences_table, matrix, runs_table, target_table
from lossrun.report.html.verdicts import notes, sentence, verdicts_section
from lossrun.report.layout.files import save
from lossrun.report.layout.numbers import format_number
from lossrun.shell import command, run_word

_FEW_POINTS: Final = 60  # of the curves that only describe

# The subject of a comparison, from the keys that differ, in this order.
_ABOUT: Final = {
    "loss": "loss",
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "schedule": "schedule",
    "model": "model",
    "batch_size": "batch size",
}
_FOLLOWS: Final = ("model.output", "loss.inputs")  # keys that follow from the loss


def to_html(*parts: ReportData) -> str:
    """Write the page. Its size depends only on the number of runs: curves are thinned, predictions are counted.

    Args:
        parts: Comparisons that are never mixed, such as those of a sweep over several datasets, one below the other.
    """
    sections, links = list[Markup](), list[Markup]()
    for number, data in enumerate(parts, 1):
        suffix = f"-{number}" if number > 1 else ""
        found = [
            _section(identity + suffix, title, content)
            for identity, title, build in _SECTIONS
            if (content := [part for part in build(data) if part])
        ]
        if len(parts) > 1:
            heading = element("h1", f"On {data.about}", id=f"part{suffix}", class_="part")
            sections += [heading, element("p", _summary(data))]
            links.append(element("a", data.about, href=f"#part{suffix}"))
        else:
            links += [element("a", title, href=f"#{identity}") for identity, title, _ in found]
        sections += [section for _, _, section in found]
    title = _title(parts[0])
    several = f"{len(parts)} datasets, which are never compared with each other"
    return document(
        "lossrun.report.html",
        "page",
        f"{title} · lossrun",
        heading=title if len(parts) == 1 else title.partition(" on ")[0].rstrip("?") + "?",
        summary=_summary(parts[0]) if len(parts) == 1 else several,
        contents=joined(links),
        sections=joined(sections),
    )


def save_page(parts: ReportData | Sequence[ReportData], path: Path) -> None:
    """Write the page to a file.

    Raises:
        RunError: If the file cannot be written.
    """
    each = [parts] if isinstance(parts, ReportData) else parts
    save(to_html(*each).encode(errors="backslashreplace"), path, "--html")


def _section(identity: str, title: str, content: Sequence[Markup]) -> tuple[str, str, Markup]:
    heading = element("h2", title, id=f"{identity}-title")
    return identity, title, element("section", heading, *content, id=identity, aria_labelledby=f"{identity}-title")


def _title(data: ReportData) -> str:
    keys = [difference.key for difference in data.comparison.differences if difference.key not in _FOLLOWS]
    about = [name for key, name in _ABOUT.items() if any(one.partition(".")[0] == key for one in keys)]
    what = " and ".join(about) if 0 < len(about) < 3 else "run"
    return f"Which {what} is better" + (f" on {data.dataset}?" if data.dataset else "?")


def _summary(data: ReportData) -> str:
    comparison = data.comparison
    seeds = sorted({len(run.seeds) for run in comparison.runs})
    counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    parts = [
        f"{len(comparison.runs)} runs with {counted} {'seed' if seeds == [1] else 'seeds'} each",
        *([data.task] if data.task else []),
        f"compared at {in_words(comparison.at)}",
    ]
    return " · ".join(parts)


def _tuning(data: ReportData) -> list[Markup | None]:
    if data.tuning is None:
        return []
    method = element("p", sentence(data.method), class_="note") if data.method else None
    return [*tuning_section(data.tuning, data.pairs), method]


def _runs(data: ReportData) -> list[Markup | None]:
    remarks = [f"{run.letter}: {remark}" for run in data.comparison.runs for remark in run.remarks]
    return [runs_table(data), notes(remarks, "hint")]


def _matrix(data: ReportData) -> list[Markup | None]:
    comparison = data.comparison
    if not comparison.metrics:
        return []
    same = "the same held-out data" if not comparison.own_splits else "the same splits, seed by seed"
    text = (
        f"Every run on {same}, scored by every loss and metric at {in_words(comparison.at)}. {DECIDES} marks the "
        f"best mean of a deciding metric. {DESCRIBES} marks the best mean of any other metric, which is not a verdict: "
        "a run often wins by the loss that it was trained with."
    )
    absent = "; ".join(f"{why} ({', '.join(letters)})" for why, letters in absences(comparison).items())
    text += f" – means no value: {absent}." if absent else ""
    target = comparison.target
    reached = []
    if target:
        reached.append(element("h3", f"How soon {target.metric} reaches {format_number(target.value)}"))
        reached.append(target_table(target, comparison))
        if seconds := seconds_note(comparison).removeprefix("; "):
            reached.append(element("p", f"{seconds[0].upper()}{seconds[1:]}.", class_="note"))
    return [element("p", text), matrix(comparison), *reached]


def _curves(data: ReportData) -> list[Markup | None]:
    comparison = data.comparison
    curves = sorted(comparison.curves, key=lambda curve: curve.name.endswith("_loss"))
    figures = [_figure(curve, comparison, MOST_POINTS) for curve in curves if curve.ranked]
    unranked = [curve for curve in curves if not curve.ranked]
    alone = [_of_one_run(unranked, comparison, index) for index in range(len(comparison.runs))] if unranked else []
    described = [_figure(curve, comparison, _FEW_POINTS) for curve in data.described]
    several = any(len(run.seeds) > 1 for run in comparison.runs)
    means = "Lines are means over the seeds, with a band of one standard deviation. " if several else ""
    fewer = any(epoch < run.epochs_done for run in comparison.runs for epoch in run.last_epochs.values())
    means += "After a seed has diverged or stopped, they are over the remaining seeds. " if fewer else ""
    text = f"{means}To read values, point at a figure, or select it with Tab and use the arrow keys."
    apart = " Losses with different meanings have separate figures: compare their shapes, not their heights."
    parts = [
        element("p", text + (apart if alone else "")),
        element("div", *figures, *alone, class_="panels"),
    ]
    if described:
        summary = element("summary", f"{len(described)} more metrics, epoch by epoch")
        parts.append(element("details", summary, element("div", *described, class_="panels")))
    return list(parts)


def _figure(curve: Curve, comparison: ComparedRuns, most: int) -> Markup | None:
    epochs = _epochs([curve], comparison, most)
    lines = [
        Line(
            called(run), run.letter, style(i), tuple(_varying(curve.rows[epoch][i]) for epoch in epochs), len(run.seeds)
        )
        for i, run in enumerate(comparison.runs)
    ]
    return line_figure(curve.name, epochs, lines, _thinned(epochs, len(curve.rows)))


def _varying(value: Spread | None) -> Spread | None:
    """Remove a deviation of 0, such as a learning rate's: it is not a measurement."""
    return replace(value, deviation=None) if value and value.deviation == 0 else value


def _of_one_run(curves: Sequence[Curve], comparison: ComparedRuns, index: int) -> Markup | None:
    """Draw a run's training and validation loss, which can be compared with each other."""
    epochs = _epochs(curves, comparison, MOST_POINTS)
    lines = []
    for curve in curves:
        # The training loss is drawn thinner than the loss on held-out data.
        part, _, _ = curve.name.partition("_")
        classes = style(index) + (" training" if part == "train" else "")
        values = tuple(curve.rows[epoch][index] if epoch in curve.rows else None for epoch in epochs)
        lines.append(Line(curve.name, part, classes, values, len(comparison.runs[index].seeds)))
    return line_figure(called(comparison.runs[index]), epochs, lines, _thinned(epochs, len(curves[0].rows)))


def _epochs(curves: Sequence[Curve], comparison: ComparedRuns, most: int) -> list[int]:
    every = sorted({epoch for curve in curves for epoch in curve.rows})
    return pick(every, most, {epoch for run in comparison.runs for epoch in run.best_epochs.values()})


def _thinned(epochs: Sequence[int], of: int) -> str:
    return f"{len(epochs)} of {of} epochs are drawn" if len(epochs) < of else ""


def _course(data: ReportData) -> list[Markup | None]:
    figures = [_figure(curve, data.comparison, MOST_POINTS) for curve in data.course]
    text = "The gradient norm is measured at the last step of each epoch."
    return [element("p", text), element("div", *figures, class_="panels")] if figures else []


def _differences(data: ReportData) -> list[Markup | None]:
    if not data.comparison.differences:
        return [element("p", "The configs are identical, except for names and tags.")]
    return [differences_table(data.comparison)]


def _reproduction(data: ReportData) -> list[Markup | None]:
    comparison, target = data.comparison, data.comparison.target
    words = [run_word(member.path) for report in data.runs for member in report.members]
    asked = {
        "--metric": comparison.metric,
        "--at": None if comparison.at == "best" else comparison.at,
        "--margin": comparison.margin,
        "--over": comparison.over,
        "--target": f"{target.metric}={target.value!r}" if target else None,
    }
    # Only the labels that the user chose; the others are found again.
    given = [f"{run.letter}={run.label}" for run in comparison.runs if run.label in comparison.labelled]
    again = command("compare", *words, options={**asked, "--label": given, "--html": "report.html"})
    parts = [element("p", "The command for this page:"), element("pre", element("code", again))]
    for run, report in zip(data.comparison.runs, data.runs, strict=True):
        parts += [_member(run.letter, member) for member in report.members]
    return list(parts)


def _member(letter: str, member: Member) -> Markup:
    facts = [part for key, value in member.environment.items() for part in (element("dt", key), element("dd", value))]
    command = [element("pre", element("code", member.command))] if member.command else []
    summary = element("summary", f"{letter}: ", element("code", member.name))
    resolved = element("pre", element("code", config_file.dumps(member.config)), tabindex="0")
    return element("details", summary, *command, element("dl", *facts), element("p", "config.yaml:"), resolved)


_SECTIONS: Final[Sequence[tuple[str, str, Callable[[ReportData], Sequence[Markup | None]]]]] = (
    ("verdicts", "Verdicts", verdicts_section),
    ("runs", "Runs", _runs),
    ("tuning", "Tuning", _tuning),
    ("matrix", "Matrix", _matrix),
    ("curves", "Curves", _curves),
    ("differences", "Differences", _differences),
    ("course", "Learning rate and gradient", _course),
    ("calibration", "Calibration", calibration_section),
    ("classes", "Class by class", classes_section),
    ("confusion", "Confusion", confusion_section),
    ("worst", "Worst examples", worst_section),
    ("reproduction", "Reproduction", _reproduction),
)
