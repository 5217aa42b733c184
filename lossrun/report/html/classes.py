"""Make the page's tables of classes: their metrics in every run."""

from lossrun.analysis.report_data import ReportData
from lossrun.report.comparison.by_class import class_table
from lossrun.report.html.figures import style, swatch
from lossrun.report.html.markup import Markup, element


def classes_section(data: ReportData) -> list[Markup]:
    """Make a table for each run with several classes or labels; nothing if there is none."""
    panels = []
    for index, (run, report) in enumerate(zip(data.comparison.runs, data.runs, strict=True)):
        if report.by_class is None:
            continue
        table = class_table(report.by_class, "±", "")
        head = element("tr", *(element("th", one.header, scope="col") for one in (table.key, *table.columns)))
        rows = [
            element(
                "tr",
                element("th", name, scope="row"),
                *(element("td", column.cells[row], class_="number") for column in table.columns),
            )
            for row, name in enumerate(table.key.cells)
        ]
        title = element("h3", swatch(style(index)), f" {run.letter} ", element("small", run.label))
        body = element("table", element("thead", head), element("tbody", *rows))
        note = element("p", f"{report.by_class.part} data at the best epochs", class_="note")
        # On paper such a table needs the whole width.
        panels.append(element("div", title, element("div", body, class_="scroll", tabindex="0"), note, class_="many"))
    if not panels:
        return []
    text = "How well each class is recognized. A dash means that a class has no samples to rank."
    return [element("p", text), element("div", *panels, class_="panels")]
