"""Show methods compared over datasets: means, wins, signed ranks, and the mean ranks with the critical difference."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from lossrun.analysis.comparison.across_datasets import AcrossDatasets, AgainstFirst, least_datasets
from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.values.evidence import LEAST_FOR_VERDICT, LEVEL
from lossrun.analysis.values.friedman import Friedman
from lossrun.catalog.metric_names import better
from lossrun.report.comparison.compare_tables import MARK
from lossrun.report.comparison.formats import DOCUMENTS, plain_data
from lossrun.report.comparison.verdicts import format_p_value
from lossrun.report.layout.console import is_bounded, note
from lossrun.report.layout.for_programs import json_text
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
    """Print the tables and sentences; methods are named by letters alone where labels do not fit."""
    ranks = ranks_table(found, unicode=draws_unicode(console))
    named = _fit(console, values_table(found), ranks)
    _print_names(found, console, named=named)
    print_table(console, values_table(found, labels=named))
    print_line(console, "")
    print_table(console, ranks if named else ranks_table(found, unicode=draws_unicode(console), labels=False))
    print_line(console, "")
    for sentence in sentences(found):
        print_line(console, sentence)
    note(console, _BASIS)


def print_ranks(found: AcrossDatasets, console: Console) -> None:
    """Print the picture of the mean ranks alone."""
    named = _fit(console, ranks_table(found, unicode=draws_unicode(console)))
    _print_names(found, console, named=named)
    print_table(console, ranks_table(found, unicode=draws_unicode(console), labels=named))


def _fit(console: Console, *tables: TextTable) -> bool:
    return not is_bounded(console) or max(table.width for table in tables) <= console.width


def _print_names(found: AcrossDatasets, console: Console, *, named: bool) -> None:
    """Say what the letters mean, unless the tables name the methods."""
    if not named:
        print_pairs(console, list(zip(_letters(found), found.methods, strict=True)))
        print_line(console, "")


_BASIS: Final = (
    "verdicts are based on Wilcoxon's signed ranks over datasets (Demsar 2006), two-sided, with p-values corrected for "
    "the number of methods (Holm); they are about other datasets like these, and each dataset counts once"
)


def written(found: AcrossDatasets, format_: str) -> str:
    """Write the comparison as `json`, `csv`, or a document."""
    if format_ == "json":
        return json_text(plain_data(found))
    if format_ == "csv":
        return rows_to_csv(found.records())
    return DOCUMENTS[format_].write([values_table(found), ranks_table(found), [*sentences(found), _BASIS]])


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
    title = f"{found.metric} on each dataset, mean over seeds; {better(found.goal)} is better"
    return TextTable(title, Column("dataset", found.datasets, right=False), tuple(columns), "* best mean")


def ranks_table(found: AcrossDatasets, *, unicode: bool = True, labels: bool = True) -> TextTable:
    """Make a picture of the mean ranks as a table: a scale from 1, the best, to the number of methods.

    With more than two methods it shows the critical difference, and letters for the methods that are not told apart.
    """
    line, dot, ends = ("─", "●", "├┤") if unicode else ("-", "o", "||")
    count, together = len(found.methods), found.together

    def place(rank: float) -> int:
        return round((rank - 1) / (count - 1) * (_WIDE - 1))

    scale = [" "] * _WIDE
    for rank in range(1, count + 1):
        text = str(rank)
        start = min(place(rank), _WIDE - len(text))
        if not "".join(scale[max(0, start - 1) : start + len(text)]).strip():
            scale[start : start + len(text)] = text
    order = sorted(range(count), key=found.mean_ranks.__getitem__)
    letters = _letters(found)
    names = [f"{letters[method]}: {found.methods[method]}" if labels else letters[method] for method in order]
    ranks = [format_number(found.mean_ranks[method], 3) for method in order]
    rows = [(line * place(found.mean_ranks[method]) + dot).ljust(_WIDE) for method in order]
    alike = _group_letters(together, order) if together else []
    if together:
        length = place(1 + together.critical_difference) + 1
        bar = ends[0] + line * (length - 2) + ends[1] if length <= _WIDE else "longer than this scale"
        names, ranks = [*names, _CRITICAL], [*ranks, format_number(together.critical_difference, 3)]
        rows, alike = [*rows, bar.ljust(_WIDE)], [*alike, ""]
    columns = [Column("mean rank", tuple(ranks)), Column("".join(scale), tuple(rows), right=False)]
    if together:
        columns.insert(1, Column("alike", tuple(alike), right=False))
    return TextTable(
        f"Mean ranks over {len(found.datasets)} datasets; 1 is the best",
        Column("method", tuple(names), right=False),
        tuple(columns),
        _ALIKE if together else "",
    )


_CRITICAL: Final = "critical difference"
_ALIKE: Final = "methods that share a letter do not differ significantly in their mean ranks (Nemenyi, 95 %)"


def _group_letters(together: Friedman, order: Sequence[int]) -> list[str]:
    """Return the letters of the groups that each method is in, such as `ab`, in the order of the methods given."""
    alone = sorted(set(order).difference(*together.alike))
    groups = sorted([*together.alike, *((one,) for one in alone)], key=lambda group: min(map(order.index, group)))
    lettered = list(zip(map(str.lower, letters(len(groups))), groups, strict=True))
    return ["".join(letter for letter, group in lettered if method in group) for method in order]


def sentences(found: AcrossDatasets) -> list[str]:
    """Say for each method whether it is better than the first, and how sure that is; then Friedman's test of all."""
    return [*(_sentence(found, one) for one in found.against), *_of_all(found)]


def _of_all(found: AcrossDatasets) -> list[str]:
    if (together := found.together) is None:
        return []
    few = len(found.datasets) < LEAST_FOR_VERDICT
    differ = together.p_value <= LEVEL and not few
    claim = "differ" if differ else "show no clear difference"
    facts = (
        f"chi-square {format_number(together.statistic)} with {together.degrees} degrees of freedom",
        f"p = {format_p_value(together.p_value)}".replace("= <", "< "),
    )
    limit = f"; fewer than {LEAST_FOR_VERDICT} datasets cannot decide" if few else ""
    return [
        f"the mean ranks of all {len(found.methods)} methods {claim} over these datasets by {found.metric} (Friedman's "
        f"test: {', '.join(facts)}){limit}"
    ]


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
    least = least_datasets(len(found.methods))
    among = f" among {len(found.methods)} methods" if least > LEAST_FOR_VERDICT else ""
    few = f"; fewer than {least} datasets cannot decide{among}" if len(found.datasets) < least else ""
    return f"{claim} by {found.metric}: {', '.join(facts)}{few}"


def _letters(found: AcrossDatasets) -> list[str]:
    return list(letters(len(found.methods)))
