"""Make the page's tables: the runs, the matrix of runs and metrics, differences, and times to a target."""

from collections.abc import Mapping, Sequence
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRun, ComparedRuns
from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.analysis.comparison.targets import Target
from lossrun.analysis.report_data import ReportData
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.shared_seeds import listed
from lossrun.report.comparison.compare_tables import epoch_range, seconds_cells
from lossrun.report.html.figures import of_seeds, style, swatch
from lossrun.report.html.markup import Markup, element
from lossrun.report.layout.numbers import format_number, format_spread

DECIDES: Final = "★"
DESCRIBES: Final = "☆"

_BETTER: Final = {"min": "↓ lower", "max": "↑ higher", None: "-"}


def runs_table(data: ReportData) -> Markup:
    """Make the legend: letter and line, label, status, epochs, seeds, best epochs, names, and tags."""
    runs = data.comparison.runs
    heads = ("run", "label", "status", "epochs", "seeds", "best epoch", "chosen by", "directory")
    rows = []
    for index, (run, report) in enumerate(zip(runs, data.runs, strict=True)):
        diverged = f", {len(run.diverged)} diverged" if run.diverged else ""
        diverged += f", {len(run.left_out)} left out" if run.left_out else ""
        names = [element("div", element("code", name)) for name in run.members]
        tags = dict.fromkeys(tag for member in report.members for tag in member.tags)
        names += [element("span", tag, class_="tag") for tag in tags]
        cells = [
            element("td", run.label),
            element("td", run.status),
            element("td", f"{run.epochs_done}/{run.epochs_asked}", class_="number"),
            element("td", f"{len(run.seeds)}{diverged}", class_="number"),
            element("td", epoch_range(run.best_epochs.values()), class_="number"),
            element("td", run.best_metric),
            element("td", *names),
        ]
        rows.append(element("tr", row_head(run.letter, index), *cells))
    return _table(heads, rows, "runs")


def matrix(comparison: ComparedRuns) -> Markup:
    """Make a table of every run and every metric, the deciding ones first, with a mark at the best of each row."""
    runs = comparison.runs
    heads = [_head(run.letter, index, run.label) for index, run in enumerate(runs)]
    head = element("tr", element("th", "metric", scope="col"), element("th", "better", scope="col"), *heads)
    groups = [
        [y for y in comparison.metrics if not y.descriptive],
        [y for y in comparison.metrics if y.descriptive],
    ]
    bodies = [
        element("tbody", *(_matrix_row(metric, runs) for metric in group), class_=kind)
        for group, kind in zip(groups, ("deciding", "describing"), strict=True)
        if group
    ]
    return element(
        "div", element("table", element("thead", head), *bodies, class_="matrix"), class_="scroll", tabindex="0"
    )


def absences(comparison: ComparedRuns) -> dict[str, list[str]]:
    """Return {why cells of the matrix are empty: the letters of the runs}."""
    found: dict[str, list[str]] = {}
    for index, run in enumerate(comparison.runs):
        has = {y.name: y.measured.values[index] is not None for y in comparison.metrics}
        for why in dict.fromkeys(_absence(name, has, run, comparison) for name in has if not has[name]):
            found.setdefault(why, []).append(run.letter)
    return found


def _absence(name: str, has: Mapping[str, bool], run: ComparedRun, comparison: ComparedRuns) -> str:
    """Return why a run has no value of the metric `name`.

    Args:
        has: {metric: whether the run has a value}.
    """
    if not run.last_epochs:
        return "diverged in its first epoch" if run.diverged else "no epoch is finished yet"
    if not any(has.values()):
        if comparison.at != "best":
            return f"there is no epoch {comparison.at}"
        never = f"{run.best_metric} was NaN or infinity in every epoch"
        return f"diverged, {never}" if run.diverged else never
    if name.startswith("test_") and not any(has[other] for other in has if other.startswith("test_")):
        ended = "diverged" if run.diverged else "not finished"
        return "no test data" if run.status == "finished" else f"{ended}, and test data are only scored at the end"
    return "the metric does not apply to the run's outputs"


def differences_table(comparison: ComparedRuns) -> Markup:
    """Make a table of the keys of the config that differ between the runs."""
    rows = [
        element(
            "tr",
            element("th", element("code", difference.key), scope="row"),
            *(element("td", value) for value in difference.values),
        )
        for difference in comparison.differences
    ]
    return _table(("key", *(run.letter for run in comparison.runs)), rows, "differences")


def target_table(target: Target, comparison: ComparedRuns) -> Markup:
    """Make a table of how soon each run reaches the target, and the mean height of its curve."""
    rows = []
    seconds = seconds_cells(comparison, "±")
    for index, (run, found, taken) in enumerate(zip(comparison.runs, target.runs, seconds, strict=True)):
        texts = (
            format_spread(found.epochs, "±"),
            taken,
            listed(found.never) if found.never else "-",
            format_spread(found.area, "±"),
        )
        rows.append(
            element("tr", row_head(run.letter, index), *(element("td", text, class_="number") for text in texts))
        )
    area = f"mean {target.metric} over {target.epochs} epochs"
    return _table(("run", "first epoch", "seconds", "seeds that never reach it", area), rows, "target")


def row_head(letter: str, index: int) -> Markup:
    """Make the head of a run's row: its line and letter."""
    return element("th", swatch(style(index)), f" {letter}", scope="row")


def _head(letter: str, index: int, label: str) -> Markup:
    return element("th", swatch(style(index)), f" {letter}", element("small", label), scope="col")


def _matrix_row(metric: ComparedMetric, runs: Sequence[ComparedRun]) -> Markup:
    units = [element("small", f" [{metric.units}]")] if metric.units else []
    best = metric.measured.best
    mark = DECIDES if metric.decides else DESCRIBES
    cells = [
        _value(value, mark if index in best else "", len(run.seeds))
        for index, (value, run) in enumerate(zip(metric.measured.values, runs, strict=True))
    ]
    goal = element("td", _BETTER[metric.goal])
    return element("tr", element("th", metric.name, *units, scope="row"), goal, *cells)


def _value(value: Spread | None, mark: str, seeds_of_run: int) -> Markup:
    """Make a cell whose tooltip has the value of each seed."""
    if value is None:
        return element("td", "–", class_="number none")
    seeds = ", ".join(f"seed {seed}: {format_number(one)}" for seed, one in value.per_seed.items())
    text = format_number(value.mean)
    spread = format_spread(value, "±").removeprefix(text).strip()
    spread += of_seeds(value, seeds_of_run)
    quiet = [element("span", f" {spread.strip()}", class_="spread")] if spread else []
    star = element(
        "span", mark or None, class_="mark", aria_label="best" if mark else None, role="img" if mark else None
    )
    kind = {DECIDES: "best", DESCRIBES: "lowest"}.get(mark, "")
    return element("td", text, *quiet, star, class_=f"number {kind}".strip(), title=seeds)


def _table(heads: Sequence[str], rows: Sequence[Markup], kind: str) -> Markup:
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    table = element("table", element("thead", head), element("tbody", *rows), class_=kind)
    return element("div", table, class_="scroll", tabindex="0")
