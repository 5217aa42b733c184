"""Show methods compared over datasets: the means, wins and signed ranks, and a picture of the mean ranks."""

from typing import Final

from rich.console import Console

from lossrun.analysis.comparison.across_datasets import AcrossDatasets, AgainstFirst
from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.values.statistics import LEAST_FOR_VERDICT
from lossrun.records.files import strict_json
from lossrun.report.comparison.compare_tables import BETTER, MARK
from lossrun.report.comparison.formats import plain_data, written_blocks
from lossrun.report.comparison.verdicts import format_p_value
from lossrun.report.layout.console import is_bounded, note
from lossrun.report.layout.glyphs import draws_unicode
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.rows import rows_to_csv
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table

_WIDE: Final = 41  # characters of the picture

_CLAIMS: Final = {
    "better": "{method} is better than {first} over these datasets",
    "worse": "{first} is better than {method} over these datasets",
    "no clear difference": "no clear difference between {first} and {method} over these datasets",
}


def print_across_datasets(found: AcrossDatasets, console: Console) -> None:
    """Print the tables and sentences; columns are headed by letters where labels do not fit."""
    table = values_table(found)
    if is_bounded(console) and table.width > console.width:
        table = values_table(found, labels=False)
        print_pairs(console, list(zip(_letters(found), found.methods, strict=True)))
        print_line(console, "")
    print_table(console, table)
    print_line(console, "")
    print_table(console, ranks_table(found, unicode=draws_unicode(console)))
    print_line(console, "")
    for sentence in sentences(found):
        print_line(console, sentence)
    note(console, _BASIS)


_BASIS: Final = (
    "p-values are of Wilcoxon's signed ranks over datasets (Demsar 2006), two-sided, corrected for the number of "
    "methods (Holm); they are about other datasets like these"
)


def written(found: AcrossDatasets, format_: str) -> str:
    """Write the comparison as `json`, `csv`, `md`, or `latex`."""
    if format_ == "json":
        return strict_json.dumps(plain_data(found), indent=2) + "\n"
    if format_ == "csv":
        return rows_to_csv(found.records())
    return written_blocks([values_table(found), ranks_table(found), [*sentences(found), _BASIS]], format_)


def values_table(found: AcrossDatasets, *, labels: bool = True) -> TextTable:
    """Make a table of each method's mean on each dataset; the best are marked."""
    names = [f"{letter}: {method}" for letter, method in zip(_letters(found), found.methods, strict=True)]
    columns = []
    for method, name in enumerate(names if labels else _letters(found)):
        best = frozenset(row for row, ranks in enumerate(found.ranks) if ranks[method] == min(ranks))
        cells = tuple(
            format_number(values[method]) + (MARK if row in best else " " * len(MARK))
            for row, values in enumerate(found.values)
        )
        columns.append(Column(name, cells, emphasis=best))
    title = f"{found.metric} on each dataset, mean over seeds; {BETTER[found.goal]} is better"
    return TextTable(title, Column("dataset", found.datasets, right=False), tuple(columns), "* best mean")


def ranks_table(found: AcrossDatasets, *, unicode: bool = True) -> TextTable:
    """Make a picture of the mean ranks as a table: a scale from 1, the best, to the number of methods."""
    line, dot = ("─", "●") if unicode else ("-", "o")
    count = len(found.methods)

    def place(rank: float) -> int:
        return round((rank - 1) / (count - 1) * (_WIDE - 1))

    scale = [" "] * _WIDE
    for rank in range(1, count + 1):
        text = str(rank)
        start = min(place(rank), _WIDE - len(text))
        if not "".join(scale[max(0, start - 1) : start + len(text)]).strip():
            scale[start : start + len(text)] = text
    order = sorted(range(count), key=found.mean_ranks.__getitem__)
    rows = tuple(
        line * place(found.mean_ranks[method]) + dot + " " * (_WIDE - 1 - place(found.mean_ranks[method]))
        for method in order
    )
    return TextTable(
        f"Mean ranks over {len(found.datasets)} datasets; 1 is the best",
        Column("method", tuple(f"{_letters(found)[method]}: {found.methods[method]}" for method in order), right=False),
        (
            Column("mean rank", tuple(format_number(found.mean_ranks[method], 3) for method in order)),
            Column("".join(scale), rows, right=False),
        ),
    )


def sentences(found: AcrossDatasets) -> list[str]:
    """Say for each method whether it is better than the first, and how sure that is."""
    return [_sentence(found, one) for one in found.against]


def _sentence(found: AcrossDatasets, one: AgainstFirst) -> str:
    named = [f"{letter} ({method})" for letter, method in zip(_letters(found), found.methods, strict=True)]
    claim = _CLAIMS[one.word].format(method=named[one.method], first=named[0])
    letter, first = _letters(found)[one.method], _letters(found)[0]
    ties = f", equal on {one.ties}" if one.ties else ""
    facts = [
        f"{letter} wins on {one.wins}, {first} on {one.losses} of {len(found.datasets)} datasets{ties}",
        f"signed ranks {one.ranks.positive:g} for {letter} and {one.ranks.negative:g} for {first}",
        f"p = {format_p_value(one.corrected_p_value)}".replace("= <", "< "),
    ]
    few = f"; fewer than {LEAST_FOR_VERDICT} datasets cannot decide" if len(found.datasets) < LEAST_FOR_VERDICT else ""
    return f"{claim} by {found.metric}: {', '.join(facts)}{few}"


def _letters(found: AcrossDatasets) -> list[str]:
    return list(letters(len(found.methods)))
