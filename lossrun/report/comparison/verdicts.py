"""Which run is better and how sure that is, in words, or for many runs in a table."""

from collections.abc import Callable
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRun, ComparedRuns
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.readings import spread
from lossrun.analysis.values.statistics import MOST_SEEDS, PairedDifference
from lossrun.report.comparison.compare_tables import moment
from lossrun.report.layout.numbers import format_difference, format_number
from lossrun.report.layout.text_table import Column, TextTable

MOST_SENTENCES: Final = 8  # verdicts; more are a table

_CLAIMS: Final = {
    "better": "{run} is better than {other} by {metric}",
    "worse": "{other} is better than {run} by {metric}",
    "leaning better": "leaning to {run} over {other} by {metric}",
    "leaning worse": "leaning to {other} over {run} by {metric}",
    "equivalent": "{run} and {other} are equivalent by {metric}, within {margin}",
    "cannot tell": "cannot tell {run} from {other} by {metric}",
}

_COUNTED: Final = {
    "better": "better",
    "leaning better": "leaning to better",
    "equivalent": "equivalent",
    "cannot tell": "cannot tell",
    "leaning worse": "leaning to worse",
    "worse": "worse",
}


def sentences(comparison: ComparedRuns) -> list[str]:
    """A sentence per verdict, or of many verdicts one per metric; then what all of them rest on."""
    found = comparison.verdicts
    if not found:
        return []
    few = len(found) <= MOST_SENTENCES
    said = [_sentence(comparison, verdict) for verdict in found] if few else _summary(comparison)
    return [*said, *basis(comparison)]


def basis(comparison: ComparedRuns) -> list[str]:
    """What the intervals are over, and what the p-values were corrected for; nothing where there are none."""
    if not any(verdict.difference and verdict.difference.interval for verdict in comparison.verdicts):
        return []
    comparisons = comparison.verdicts[0].comparisons
    text = (
        f"intervals are 95 %, of the mean difference over {_population(comparison)}"
        + (f"; p-values are corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else "")
        + (f"; every run is compared with {comparison.runs[0].letter}, the first" if len(comparison.runs) > 2 else "")
    )
    if any(verdict.seeds for verdict in comparison.verdicts):
        text += (
            f"; the {_over(comparison)} that would settle it are those of a fresh comparison: "
            "adding some until there is a verdict errs in one case of four"
        )
    return [text]


def _population(comparison: ComparedRuns) -> str:
    """What the mean difference is a mean over, and on which data."""
    found = [difference for verdict in comparison.verdicts if (difference := verdict.difference)]
    split = next((one for one in found if one.over == "splits"), None)
    if split is None:
        return "seeds, on this split and these held-out data"
    drawn = "of the training data, on these held-out data" if split.same_held_out else "of these data"
    factor = f"1/{split.count} + {format_number(split.ratio or 0, 2)}"
    return (
        f"random splits {drawn}, one seed for each split; as the training samples of the splits overlap, the variance "
        f"is that of the splits times 1/J + n_test/n_train, here {factor} (Nadeau and Bengio 2003)"
    )


def _over(comparison: ComparedRuns) -> str:
    return next((one.over for verdict in comparison.verdicts if (one := verdict.difference)), "seeds")


def verdicts_table(comparison: ComparedRuns) -> TextTable | None:
    """The verdicts where they are too many for sentences."""
    found = comparison.verdicts
    if len(found) <= MOST_SENTENCES:
        return None
    runs, first = comparison.runs, comparison.runs[0].letter
    columns = (
        Column("metric", tuple(verdict.metric for verdict in found), right=False),
        Column(f"minus {first}", tuple(_or_dash(v.difference, lambda d: format_difference(d.mean)) for v in found)),
        Column("95 % interval", tuple(_or_dash(v.difference, _interval) for v in found)),
        Column("wins", tuple(_or_dash(v.difference, _wins) for v in found)),
        Column("p", tuple("-" if v.corrected_p_value is None else format_p_value(v.corrected_p_value) for v in found)),
        Column("verdict", tuple(v.word for v in found), right=False),
        Column("settled by", tuple(map(_settled, found))),
    )
    limits = dict.fromkeys(reason for verdict in found for reason in verdict.because)
    title = f"Every run against {first} at {moment(comparison)}"
    return TextTable(
        title, Column("run", tuple(runs[v.run].letter for v in found), right=False), columns, "; ".join(limits)
    )


def format_p_value(value: float) -> str:
    """Two digits, and no smaller than makes a difference to anybody."""
    return "<0.0001" if value < 0.0001 else format_number(value, 2)


def _summary(comparison: ComparedRuns) -> list[str]:
    """By each metric, which runs are better than the first, which worse and so on."""
    first = comparison.runs[0].letter
    words: dict[str, dict[str, list[str]]] = {}
    for verdict in comparison.verdicts:
        letter = comparison.runs[verdict.run].letter
        words.setdefault(verdict.metric, {word: [] for word in _COUNTED})[verdict.word].append(letter)
    return [
        f"by {metric}, beside {first}: "
        + "; ".join(f"{_COUNTED[word]} {', '.join(runs)}" for word, runs in found.items() if runs)
        for metric, found in words.items()
    ]


def _sentence(comparison: ComparedRuns, verdict: Verdict) -> str:
    said, ends = facts(comparison, verdict), limits(verdict)
    return f"{claim(comparison, verdict)}: {'; '.join([', '.join(said), *ends] if said else ends)}"


def claim(comparison: ComparedRuns, verdict: Verdict) -> str:
    """`B (lr=0.1) is better than A by test_rmse`."""
    return _CLAIMS[verdict.word].format(
        run=called(comparison.runs[verdict.run]),
        other=called(comparison.runs[verdict.reference]),
        metric=verdict.metric,
        margin=None if comparison.margin is None else format_number(comparison.margin),
    )


def limits(verdict: Verdict) -> list[str]:
    """Why it is no firmer, and how many seeds would settle it."""
    found = list(verdict.because)
    over = verdict.difference.over if verdict.difference else "seeds"
    if verdict.needs_more_data:
        found.append("more splits of these data cannot settle it, only more data")
    elif verdict.seeds is not None:
        found.append(f"about {_round(verdict.seeds)} {over} would settle it")
    elif verdict.hopeless:
        found.append(f"not even {MOST_SEEDS} {over} would settle it")
    return found


def _settled(verdict: Verdict) -> str:
    if verdict.needs_more_data:
        return "more data"
    if verdict.seeds is None or verdict.difference is None:
        return "-"
    return f"{_round(verdict.seeds)} {verdict.difference.over}"


def facts(comparison: ComparedRuns, verdict: Verdict) -> list[str]:
    """Difference, interval, effect and p-value; the two means where there is no interval."""
    difference, run = verdict.difference, comparison.runs[verdict.run]
    if difference is None or difference.interval is None:
        values = next(y for y in comparison.metrics if y.name == verdict.metric).measured.values
        found = []
        for index in (verdict.reference, verdict.run):
            if value := values[index]:
                # The same seeds on both sides, as everywhere in a verdict.
                shared = spread({seed: value.per_seed[seed] for seed in difference.per_seed}) if difference else value
                assert shared is not None
                of = (
                    f" (over {len(shared.per_seed)} of its seeds)" if len(shared.per_seed) < len(value.per_seed) else ""
                )
                found.append(f"{format_number(shared.mean)} for {comparison.runs[index].letter}{of}")
        return found
    other = comparison.runs[verdict.reference]
    count = difference.count
    if difference.ties == count:
        return [f"equal on all {count} {difference.over}"]
    found = [
        f"{run.letter} - {other.letter} = {format_difference(difference.mean)}",
        f"95 % interval {_interval(difference)}",
        _won(difference, run.letter, other.letter),
    ]
    if verdict.corrected_p_value is not None:
        found.append(f"p = {format_p_value(verdict.corrected_p_value)}".replace("= <", "< "))
    return found


def _won(difference: PairedDifference, run: str, other: str) -> str:
    """`B better on 4 of 6 seeds, equal on 1`."""
    count, ties = difference.count, difference.ties
    won = round(difference.wins * count - ties / 2)
    better, most = (other, count - ties - won) if 2 * won < count - ties else (run, won)
    return f"{better} better on {most} of {count} {difference.over}" + (f", equal on {ties}" if ties else "")


def _interval(difference: PairedDifference) -> str:
    if difference.interval is None:
        return "-"
    low, high = difference.interval
    return f"{format_difference(low)} to {format_difference(high)}"


def _round(seeds: int) -> int:
    """A guess of three digits would claim too much."""
    return seeds if seeds < 100 else round(seeds, -1)


def _wins(difference: PairedDifference) -> str:
    """On how many seeds, ties half: `4.5/6`."""
    count = difference.count
    return f"{difference.wins * count:g}/{count}"


def _or_dash(difference: PairedDifference | None, shown: Callable[[PairedDifference], str]) -> str:
    return "-" if difference is None else shown(difference)


def called(run: ComparedRun) -> str:
    """`B (loss=mae)`; the letter alone where the label is but the directory's name."""
    return run.letter if run.called_by_name else f"{run.letter} ({run.label})"
